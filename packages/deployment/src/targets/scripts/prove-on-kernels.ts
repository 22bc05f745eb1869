import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Backend, ModelwrightError } from '@modelwright/core';
import { loadBundle } from '../../bundle/load-bundle.js';
import { memorySource } from '../../bundle/memory-source.js';
import type { TargetContext } from '../target.js';
import { innerManifest } from './inner-manifest.js';
import { requirePackage } from './project-packages.js';

const packageName = '@modelwright/backend-wasm';

/**
 * Has the model give its golden answers on the small WebAssembly kernels before it is sent to where only they are: what they cannot
 * compute is said here, not there.
 *
 * @param hint - What else could be done.
 * @throws {@link ModelwrightError} `unsupported-op`, `integrity-violation`, `backend-unavailable`.
 */
export async function proveOnKernels(
  { manifest, common, report }: TargetContext,
  { folders, hint }: { readonly folders: readonly string[]; readonly hint: string },
): Promise<void> {
  const backend = await openKernels(requirePackage(packageName, folders));
  try {
    const files = [...common, await innerManifest(manifest, common)];
    const source = memorySource(new Map(files.map(({ path, content }) => [path, content])), 'the model');
    const { golden, dispose } = await loadBundle(source, { backend });
    await dispose();
    report(`${golden?.results.length ?? 0} golden answers given on ${backend.name}:${backend.device}`);
  } catch (error) {
    throw withHint(error, hint);
  } finally {
    await backend.dispose();
  }
}

/** The project's own copy, so that what is proven is what is sent. */
async function openKernels(folder: string): Promise<Backend> {
  const { exports } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as {
    readonly exports: { readonly '.': { readonly default: string } };
  };
  const { createBackend } = (await import(pathToFileURL(join(folder, exports['.'].default)).href)) as {
    readonly createBackend: () => Promise<Backend>;
  };
  return createBackend();
}

function withHint(error: unknown, hint: string): unknown {
  if (!(error instanceof ModelwrightError) || error.code === 'backend-unavailable') return error;
  const message = `the small WebAssembly kernels cannot run this model: ${error.message}`;
  return new ModelwrightError(error.code, message, { ...error.details, hint, cause: error });
}

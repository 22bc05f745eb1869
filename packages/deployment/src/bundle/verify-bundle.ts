import type { Backend, ModelwrightError } from '@modelwright/core';
import { isModelwrightError } from '@modelwright/core';
import type { GoldenReport } from '../golden/replay-golden.js';
import type { BundleSource } from './bundle-source.js';
import { type LoadBundleOptions, loadBundle } from './load-bundle.js';
import type { BundleManifest } from './manifest.js';
import { readChecked, readManifest } from './read-file.js';

/** What is known of one file of a bundle. */
export interface FileVerdict {
  readonly path: string;
  readonly sizeBytes: number;
  readonly passed: boolean;
  readonly reason?: string;
}

/** What came of looking at a bundle from all sides. */
export interface BundleReport {
  readonly passed: boolean;
  readonly manifest: BundleManifest;
  readonly files: readonly FileVerdict[];
  /** Missing where no backend was given, or the model could not be loaded. */
  readonly golden?: GoldenReport;
  /** Everything that is wrong, in words. */
  readonly problems: readonly string[];
}

/**
 * Looks at every file of a bundle, and runs its golden inputs where a backend is given.
 *
 * @returns a report, also where all is wrong; only a bundle without a readable manifest is an error.
 * @throws {@link ModelwrightError} `file-unreadable`, `invalid-data`, `unsupported-version` of the manifest.
 * @example
 * const { passed, problems } = await verifyBundle(folderSource('digits-web'), { backend });
 */
export async function verifyBundle(
  source: BundleSource,
  options: { readonly backend?: Backend; readonly checkManifest?: LoadBundleOptions['checkManifest'] } = {},
): Promise<BundleReport> {
  const manifest = await readManifest(source);
  const problems: string[] = [];
  await options.checkManifest?.(manifest, source);
  const files: FileVerdict[] = [];
  for (const record of manifest.files) {
    const reason = await reasonAgainst(source, record);
    const { path, sizeBytes } = record;
    files.push({ path, sizeBytes, passed: reason === undefined, ...(reason === undefined ? {} : { reason }) });
    if (reason !== undefined) problems.push(reason);
  }
  const golden = options.backend === undefined ? undefined : await replay(source, options.backend, problems);
  return { passed: problems.length === 0, manifest, files, ...(golden === undefined ? {} : { golden }), problems };
}

async function reasonAgainst(
  source: BundleSource,
  record: BundleManifest['files'][number],
): Promise<string | undefined> {
  try {
    return (await readChecked(source, record)).violation?.message;
  } catch (error) {
    if (isModelwrightError(error)) return error.message;
    throw error;
  }
}

async function replay(source: BundleSource, backend: Backend, problems: string[]): Promise<GoldenReport | undefined> {
  const note = ({ message }: Pick<ModelwrightError, 'message'>): void => {
    if (!problems.includes(message)) problems.push(message);
  };
  try {
    const bundle = await loadBundle(source, { backend, policy: 'warn', onWarning: note });
    await bundle.dispose();
    return bundle.golden;
  } catch (error) {
    if (!isModelwrightError(error)) throw error;
    note(error);
    return undefined;
  }
}

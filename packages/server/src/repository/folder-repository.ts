import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ModelwrightError } from '@modelwright/core';
import type { KeyProvider, Verifier } from '@modelwright/deployment';
import type { ModelConfiguration } from '../contract/model-configuration.js';
import type { ModelRepository, StoredModel } from '../contract/model-repository.js';
import { artifactOf } from './artifact-of.js';
import { decryptGuard } from './decrypt-guard.js';
import type { FileGuard, ModelFiles } from './model-files.js';
import { readConfiguration } from './read-configuration.js';
import { type FoundModel, type FoundVersion, scanFolder } from './scan-folder.js';
import { signatureGuard } from './signature-guard.js';

export interface FolderRepositoryOptions {
  /** Opens models that are encrypted. Without it they are refused. */
  readonly modelKeys?: KeyProvider;
  /** Keys that are trusted: only what one of them has signed is served. Default anything is. */
  readonly trustedSigners?: readonly Verifier[];
  /** Run over the files of each version after those two, before anything in them is believed. */
  readonly guards?: readonly FileGuard[];
  /** Largest file that is read. Default 2³¹. */
  readonly maxFileBytes?: number;
  /** For every model; what a model's own configuration says goes first. */
  readonly defaults?: ModelConfiguration;
}

/**
 * A folder of models. What it may hold: `digits.onnx` (with `digits.config.json` beside), bundles as `modelwright deploy` writes them, and
 * Triton's layout `digits/<version>/model.onnx` with `digits/config.pbtxt` or `digits/config.json`.
 *
 * @param path - The folder; or one `.onnx` file, or one bundle.
 * @throws {@link ModelwrightError} `file-unreadable` when it is scanned and is not there.
 * @example
 * const hub = await createHub(folderRepository('models'), { backend, createServedModel });
 */
export function folderRepository(path: string, options: FolderRepositoryOptions = {}): ModelRepository {
  const { maxFileBytes = 2 ** 31, defaults = {} } = options;
  const guards = guardsOf(options);
  let found: ReadonlyMap<string, FoundModel> = new Map();
  return {
    name: path,
    async scan() {
      const models = await scanFolder(path);
      found = new Map(models.map((model) => [model.name, model]));
      return Promise.all(models.map((model) => describe(model, defaults)));
    },
    async read(name, version) {
      const model = found.get(name);
      const chosen = model?.versions.find((each) => each.version === version);
      if (model === undefined || chosen === undefined) {
        throw new ModelwrightError('model-not-found', `there is no version '${version}' of model '${name}'`, {
          given: name,
        });
      }
      const configuration = { ...defaults, ...(await readConfiguration(model.configurationFile)) };
      const contents = await readFiles(chosen, maxFileBytes);
      let files: ModelFiles = { name, version, location: chosen.location, configuration, files: contents };
      for (const guard of guards) files = await guard(files);
      return artifactOf(files);
    },
  };
}

function guardsOf({ modelKeys, trustedSigners, guards = [] }: FolderRepositoryOptions): readonly FileGuard[] {
  return [
    decryptGuard(modelKeys),
    ...(trustedSigners === undefined ? [] : [signatureGuard(trustedSigners)]),
    ...guards,
  ];
}

async function describe(model: FoundModel, defaults: ModelConfiguration): Promise<StoredModel> {
  const versions = model.versions.map(({ version, fingerprint, sizeBytes }) => ({ version, fingerprint, sizeBytes }));
  const { name } = model;
  if (model.problem !== undefined) return { name, configuration: defaults, versions, problem: model.problem };
  try {
    const configuration = { ...defaults, ...(await readConfiguration(model.configurationFile)) };
    return { name, configuration, versions };
  } catch (error) {
    if (!(error instanceof ModelwrightError)) throw error;
    return { name, configuration: defaults, versions, problem: error.message };
  }
}

async function readFiles(
  { folder, files, location }: FoundVersion,
  maxFileBytes: number,
): Promise<ReadonlyMap<string, Uint8Array>> {
  const contents = new Map<string, Uint8Array>();
  for (const { path, sizeBytes } of files) {
    if (sizeBytes > maxFileBytes) {
      const message = `'${path}' in '${location}' has ${sizeBytes} bytes; ${maxFileBytes} are allowed`;
      throw new ModelwrightError('limit-exceeded', message, { file: path, given: sizeBytes, allowed: maxFileBytes });
    }
    try {
      contents.set(path, await readFile(join(folder, path)));
    } catch (cause) {
      throw new ModelwrightError('file-unreadable', `'${path}' in '${location}' cannot be read`, { file: path, cause });
    }
  }
  return contents;
}

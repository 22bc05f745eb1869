import { ModelwrightError } from '@modelwright/core';
import type { ModelConfiguration } from '../contract/model-configuration.js';
import type { ModelRepository } from '../contract/model-repository.js';
import { artifactOf } from './artifact-of.js';
import { isModelName } from './model-files.js';

/** A model that is in memory: in a worker, or in a test. */
export interface MemoryModel {
  readonly configuration?: ModelConfiguration;
  /** By version: the `.onnx` file's bytes, or all files of the version by path. */
  readonly versions: Readonly<Record<string, Uint8Array | Readonly<Record<string, Uint8Array>>>>;
}

/** A repository that can be changed while it is served; the hub's `refresh` sees it. */
export interface MemoryRepository extends ModelRepository {
  set(name: string, model: MemoryModel): void;
  delete(name: string): void;
}

/**
 * Models that are in memory.
 *
 * @throws {@link ModelwrightError} `invalid-argument` for a name that no model can have.
 * @example
 * const repository = memoryRepository({ digits: { versions: { 1: bytes } } });
 */
export function memoryRepository(models: Readonly<Record<string, MemoryModel>> = {}): MemoryRepository {
  const stored = new Map<string, { readonly model: MemoryModel; readonly revision: number }>();
  let revisions = 0;
  const set = (name: string, model: MemoryModel): void => {
    if (!isModelName(name))
      throw new ModelwrightError('invalid-argument', `'${name}' is no name for a model`, { given: name });
    revisions++;
    stored.set(name, { model, revision: revisions });
  };
  for (const [name, model] of Object.entries(models)) set(name, model);
  return {
    name: 'memory',
    set,
    delete: (name) => {
      stored.delete(name);
    },
    scan: async () =>
      [...stored].map(([name, { model, revision }]) => ({
        name,
        configuration: model.configuration ?? {},
        versions: Object.entries(model.versions).map(([version, files]) => ({
          version,
          fingerprint: String(revision),
          sizeBytes: [...filesOf(files).values()].reduce((sum, bytes) => sum + bytes.length, 0),
        })),
      })),
    read: async (name, version) => {
      const model = stored.get(name)?.model;
      const files = model?.versions[version];
      if (model === undefined || files === undefined) {
        throw new ModelwrightError('model-not-found', `there is no version '${version}' of model '${name}'`, {
          given: name,
        });
      }
      const configuration = model.configuration ?? {};
      return artifactOf({ name, version, location: name, configuration, files: filesOf(files) });
    },
  };
}

function filesOf(files: MemoryModel['versions'][string]): ReadonlyMap<string, Uint8Array> {
  return files instanceof Uint8Array ? new Map([['model.onnx', files]]) : new Map(Object.entries(files));
}

import type { LoadedBundle } from '@modelwright/deployment';
import type { ModelConfiguration } from '../contract/model-configuration.js';
import type { ModelRepository } from '../contract/model-repository.js';

/** A repository of one model: a bundle that has been loaded and proven already. */
export function bundleRepository(
  { manifest, model, bytes, tokenizers }: Pick<LoadedBundle, 'manifest' | 'model' | 'bytes' | 'tokenizers'>,
  configuration: ModelConfiguration = {},
): ModelRepository {
  const { name, version, processing } = manifest;
  const sha256 = manifest.files.find(({ path }) => path === manifest.model.file)?.sha256 ?? '';
  return {
    name: `the bundle of '${name}'`,
    scan: async () => [{ name, configuration, versions: [{ version, fingerprint: sha256, sizeBytes: bytes.length }] }],
    read: async () => ({
      ...{ name, version, model, bytes, sha256, configuration, tokenizers },
      ...(processing === undefined ? {} : { processing }),
    }),
  };
}

import { withTokenizersAt } from '../processing/processing.js';
import type { ManifestDraft, TargetBuild, TargetContext } from './target.js';

/**
 * The common files of a bundle at other places, and the manifest that says so.
 *
 * @param placeOf - The new path of a file; the model and its external data have to stay beside each other.
 */
export function placed(
  { common, manifest }: Pick<TargetContext, 'common' | 'manifest'>,
  placeOf: (path: string) => string,
): TargetBuild {
  const { model, golden, processing } = manifest;
  const moved: ManifestDraft = {
    ...manifest,
    model: {
      ...model,
      file: placeOf(model.file),
      ...(model.externalData === undefined ? {} : { externalData: model.externalData.map(placeOf) }),
    },
    golden: { ...golden, file: placeOf(golden.file) },
    ...(processing === undefined ? {} : { processing: withTokenizersAt(processing, placeOf) }),
  };
  return { files: common.map((file) => ({ ...file, path: placeOf(file.path) })), manifest: moved };
}

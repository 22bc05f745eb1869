import { ModelwrightError, type TensorMap } from '@modelwright/core';
import type { InferenceTiming, RawAnswer, RawRequest } from '../contract/model-hub.js';
import type { ServedResult } from '../contract/served-model.js';
import type { LoadedArtifact } from './version-slot.js';

/** Turns pictures and texts into tensors, runs them, and turns the outputs into labels or vectors. */
export async function answerRaw(
  artifact: LoadedArtifact,
  _examples: RawRequest['examples'],
  _run: (inputs: TensorMap) => Promise<ServedResult>,
): Promise<{ readonly answers: readonly RawAnswer[]; readonly timing: InferenceTiming }> {
  throw new ModelwrightError('unsupported-op', `model '${artifact.name}' does not say how to read pictures or texts`);
}

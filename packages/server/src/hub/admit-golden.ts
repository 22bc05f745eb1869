import { ModelwrightError } from '@modelwright/core';
import { replayGolden, replayReadings } from '@modelwright/deployment';
import type { ModelArtifact, ServedModel } from '../contract/served-model.js';
import { rawProcessorOf } from './raw-inference.js';

/**
 * Lets a version serve only if it gives the answers that it gave when its bundle was made; one without known answers passes.
 *
 * @throws {@link ModelwrightError} `integrity-violation` naming the case and what differs.
 */
export async function admitGolden(artifact: ModelArtifact, served: ServedModel): Promise<void> {
  const { golden } = artifact;
  if (golden === undefined) return;
  const answers = await replayGolden(golden, async (inputs) => (await served.infer(inputs, {})).outputs);
  const readings = replayReadings(golden, rawProcessorOf(artifact));
  for (const { name, passed, reason } of [...answers.results, ...readings]) {
    if (passed) continue;
    const message = `it does not answer as it was deployed: ${name}, ${reason ?? 'differs'}`;
    throw new ModelwrightError('integrity-violation', message, { hint: 'deploy the model again' });
  }
}

import type { ModelConfiguration } from '../contract/model-configuration.js';
import { exampleInputs } from './example-inputs.js';
import type { ModelRunner } from './model-runner.js';
import { probeRows } from './probe-rows.js';
import type { Signature } from './signature.js';

/** How requests of a model may run together. */
export interface BatchVerdict {
  /** Examples that run together; 1: every request by itself. */
  readonly mostRows: number;
  /** Whether requests may be cut into pieces and joined at all. */
  readonly isIndependent: boolean;
  /** Examples of a request that cannot be cut. */
  readonly mostAtOnce: number;
  /** What somebody who serves the model should know. */
  readonly notes: readonly string[];
}

/** Open extents that warm-up tries. */
const extents: readonly number[] = [8, 64, 1];

/** Runs a model until it is warm, and finds out whether its requests may run together. */
export async function prepareRunner(
  signature: Signature,
  configuration: ModelConfiguration,
  runner: ModelRunner,
): Promise<BatchVerdict> {
  await warmUp(signature, configuration, runner);
  const { maxBatchSize } = signature;
  const isAsked = configuration.dynamicBatching?.isEnabled;
  const together: BatchVerdict = {
    mostRows: maxBatchSize,
    isIndependent: true,
    mostAtOnce: Number.POSITIVE_INFINITY,
    notes: [],
  };
  if (maxBatchSize <= 1) return { ...together, mostRows: 1, isIndependent: false };
  // Only a limit that somebody set is one for requests that run as they come.
  const mostAtOnce = configuration.maxBatchSize ?? Number.POSITIVE_INFINITY;
  const apart: BatchVerdict = { mostRows: 1, isIndependent: false, mostAtOnce, notes: [] };
  if (isAsked !== undefined) return isAsked ? together : apart;
  const verdict = await probeRows(signature, runner);
  return verdict === 'independent' ? together : { ...apart, notes: [notes[verdict]] };
}

const notes = {
  dependent: 'an example is answered otherwise in company than alone: requests run one by one',
  unknown: 'no made-up input suits the model: requests run one by one unless dynamicBatching.isEnabled is true',
} as const;

/** Sizes that were asked for must run; the default one may be beyond what made-up inputs can do. */
async function warmUp(
  { inputs, maxBatchSize }: Signature,
  { warmUpBatchSizes }: ModelConfiguration,
  runner: ModelRunner,
): Promise<void> {
  for (const rows of warmUpBatchSizes ?? [1]) {
    let failure: unknown;
    for (const extent of extents) {
      try {
        await runner.run(exampleInputs(inputs, { rows: maxBatchSize === 0 ? extent : rows, extent, isVaried: false }));
        failure = undefined;
        break;
      } catch (error) {
        failure = error;
      }
    }
    if (failure !== undefined && warmUpBatchSizes !== undefined) throw failure;
  }
}

import type { OptimizationStep } from '../step.js';
import type { CheckOptions } from './check-outputs.js';
import { type OptimizeGraphOptions, optimizeGraph } from './optimize-graph.js';

export interface TidyOptions extends Omit<OptimizeGraphOptions, 'check' | 'onNote'> {
  /** Compares outputs before and after on the pipeline's backend and calibration data. Default true. */
  readonly check?: boolean | Omit<CheckOptions, 'backend'>;
}

/** How many batches of the calibration data are compared. */
const comparedBatches = 2;

/**
 * The step of `optimize` that rewrites the graph into a smaller one: {@link optimizeGraph}.
 *
 * @example
 * await optimize(model, { backend, steps: [tidy(), quantize({ mode: 'static' })] });
 */
export function tidy(options: TidyOptions = {}): OptimizationStep {
  const { check = true, ...rest } = options;
  return {
    name: 'tidy',
    async apply(model, { backend, calibration }) {
      const notes: string[] = [];
      const samples = calibration === undefined ? {} : { samples: firstOf(calibration()) };
      const compared = check === false ? {} : { check: { backend, ...samples, ...(check === true ? {} : check) } };
      const tidied = await optimizeGraph(model, { ...rest, ...compared, onNote: (note) => notes.push(note) });
      return { model: tidied, notes };
    },
  };
}

async function* firstOf<T>(batches: AsyncIterable<T>): AsyncIterable<T> {
  let count = 0;
  for await (const batch of batches) {
    yield batch;
    if (++count === comparedBatches) return;
  }
}

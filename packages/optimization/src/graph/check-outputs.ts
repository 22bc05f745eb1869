import {
  type Backend,
  createPredictor,
  type Model,
  ModelwrightError,
  type TensorMap,
  toNumbers,
} from '@modelwright/core';
import { sampleInputs } from '../pipeline/sample-inputs.js';

/** How a rewritten model is compared with the one it was. */
export interface CheckOptions {
  readonly backend: Backend;
  /** Inputs to compare on. Default two examples that are made up. */
  readonly samples?: Iterable<TensorMap> | AsyncIterable<TensorMap>;
  /** By how much outputs may differ, as a share of the largest number of the output where that is above 1. Default 10⁻⁴. */
  readonly tolerance?: number;
}

/**
 * Runs two models on the same inputs and compares the outputs that both have.
 *
 * @returns what was found, in words.
 * @throws {@link ModelwrightError} `value-out-of-range` naming the output that differs by more than is allowed.
 */
export async function checkOutputs(before: Model, after: Model, options: CheckOptions): Promise<string> {
  const { backend, tolerance = 1e-4 } = options;
  const first = await createPredictor(before, backend);
  const second = await createPredictor(after, backend);
  let [largest, count] = [0, 0];
  try {
    for await (const inputs of options.samples ?? (await madeUp(before))) {
      const [expected, given] = [await first.predict(inputs), await second.predict(inputs)];
      for (const name of Object.keys(given)) {
        const difference = differenceOf(expected, given, name);
        if (!(difference <= tolerance)) throw differs(after, name, { difference, tolerance });
        largest = Math.max(largest, difference);
      }
      count++;
    }
  } finally {
    await first.dispose();
    await second.dispose();
  }
  return `checked on ${count} ${count === 1 ? 'sample' : 'samples'}: outputs differ by at most ${largest.toPrecision(2)}`;
}

async function madeUp(model: Model): Promise<readonly TensorMap[]> {
  const samples = await sampleInputs(model, undefined);
  if (samples !== undefined) return [samples.of(2).inputs];
  throw new ModelwrightError(
    'invalid-argument',
    `check: inputs of model '${model.name}' have open axes besides the batch; give samples to compare on`,
  );
}

/** The largest difference, as a share of the largest number where that is above 1. Numbers that are not finite have to be the same. */
function differenceOf(expected: TensorMap, given: TensorMap, name: string): number {
  const [a, b] = [expected[name], given[name]];
  if (a === undefined || b === undefined || a.elementCount !== b.elementCount) return Number.POSITIVE_INFINITY;
  if (a.dtype === 'string') return String(a.data) === String(b.data) ? 0 : Number.POSITIVE_INFINITY;
  const [left, right] = [toNumbers(a), toNumbers(b)];
  let [largest, scale] = [0, 1];
  for (let index = 0; index < left.length; index++) {
    const [x, y] = [left[index] as number, right[index] as number];
    if (Object.is(x, y)) continue;
    const difference = Math.abs(x - y);
    largest = Math.max(largest, Number.isNaN(difference) ? Number.POSITIVE_INFINITY : difference);
    if (Number.isFinite(x)) scale = Math.max(scale, Math.abs(x));
  }
  return largest / scale;
}

function differs(
  { name: model }: Model,
  name: string,
  { difference, tolerance }: { readonly difference: number; readonly tolerance: number },
): ModelwrightError {
  return new ModelwrightError(
    'value-out-of-range',
    `output '${name}' of model '${model}' differs by ${difference.toPrecision(3)} after rewriting its graph; ${tolerance} is allowed`,
    {
      given: difference,
      allowed: tolerance,
      hint: 'leave passes out by `skip` to find the one, or allow a larger tolerance',
    },
  );
}

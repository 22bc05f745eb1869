import { fromNumbers, type Model, type Tensor, type TensorMap, type Value, zeros } from '@modelwright/core';
import { takeRows } from './calibration.js';

/** Inputs that a model is measured with. */
export interface SampleInputs {
  /** Inputs of so many examples; the batch of a model that fixes it is its own. */
  of(examples: number): { readonly inputs: TensorMap; readonly batch: number };
  /** Different examples there are; 0 where the inputs are made up. */
  readonly examples: number;
}

/**
 * Takes measuring inputs from calibration data (its first batch, again from its beginning where it is too short) or,
 * without any, makes them up.
 *
 * @returns undefined where nobody knows how long an axis besides the batch is.
 */
export async function sampleInputs(
  model: Model,
  calibration: (() => AsyncIterable<TensorMap>) | undefined,
): Promise<SampleInputs | undefined> {
  const { inputs } = model.graph;
  const fixed = inputs.map(({ shape }) => shape[0]).find((extent) => typeof extent === 'number');
  const first = calibration === undefined ? undefined : await firstOf(calibration());
  if (first === undefined && inputs.some(({ shape }) => shape.slice(1).some((extent) => typeof extent === 'string'))) {
    return undefined;
  }
  const made = first ?? Object.fromEntries(inputs.map((input) => [input.name, madeUp(input, Number(fixed ?? 1))]));
  const rows = Math.min(...Object.values(made).map(({ shape }) => shape[0] ?? 1));
  return {
    examples: first === undefined ? 0 : rows,
    of(wanted) {
      const batch = typeof fixed === 'number' ? fixed : wanted;
      const chosen = Array.from({ length: batch }, (_, at) => at % rows);
      const entries = Object.entries(made).map(([name, tensor]): [string, Tensor] => [
        name,
        tensor.rank === 0 ? tensor : takeRows(tensor, chosen),
      ]);
      return { inputs: Object.fromEntries(entries), batch };
    },
  };
}

async function firstOf(batches: AsyncIterable<TensorMap>): Promise<TensorMap | undefined> {
  for await (const batch of batches) return batch;
  return undefined;
}

/** Zeros are valid indices; floating numbers are spread about zero, since zeros may be faster than others. */
function madeUp({ dtype, shape }: Value, batch: number): Tensor {
  const extents = shape.map((extent, axis) => (typeof extent === 'number' ? extent : axis === 0 ? batch : 1));
  if (dtype !== 'float32' && dtype !== 'float16' && dtype !== 'float64' && dtype !== 'bfloat16') {
    return zeros(dtype, extents);
  }
  const count = extents.reduce((product, extent) => product * extent, 1);
  const values = Float64Array.from({ length: count }, (_, at) => Math.sin(at * 12.9898) * 1.2);
  return fromNumbers(dtype, extents, values);
}

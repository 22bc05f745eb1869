import { fromNumbers, type Model, type Tensor, toNumbers, type Value } from '@modelwright/core';
import { dequantizeTensor, quantizeTensor, weightParameters } from '../affine.js';
import { type Observation, observe } from '../calibrate/observe.js';
import { type QuantizationScheme, weightLevels } from '../scheme.js';
import type { PlannedWeight, QuantizationPlan } from './plan.js';

/**
 * Biases that make up for what rounding the weights does to the mean of each output channel on samples.
 *
 * `b′ₒ = bₒ + Σ_{c,k} (w − ŵ)[o, c, k]·E[x_c]`
 *
 * @returns new biases by the constant that holds the old one; layers without a bias are left as they are.
 * @see Nagel et al., arXiv:1906.04721, §4.2.
 */
export async function correctedBiases(
  model: Model,
  plan: QuantizationPlan,
  options: Observation & { readonly scheme: QuantizationScheme; readonly weightRange: 'max' | 'mse' },
): Promise<ReadonlyMap<Value, Tensor>> {
  const layers = [...plan.weights.values()].filter(({ bias }) => bias !== undefined);
  const means = await channelMeans(model, layers, options);
  const corrected = new Map<Value, Tensor>();
  for (const [index, layer] of layers.entries()) {
    const { bias } = layer;
    if (bias === undefined) continue;
    const shift = meanShift(layer, roundingError(layer, options), means[index] as Float64Array);
    const numbers = toNumbers(bias.tensor).map((each, channel) => each + (shift[channel] as number));
    corrected.set(bias.value, fromNumbers(bias.tensor.dtype, bias.tensor.shape, numbers));
  }
  return corrected;
}

/** The mean of each channel of what layers read. */
async function channelMeans(
  model: Model,
  layers: readonly PlannedWeight[],
  observation: Observation,
): Promise<readonly Float64Array[]> {
  const sums: Float64Array[] = [];
  let batches = 0;
  await observe(model, observation, {
    add: (builder, standing) =>
      Object.fromEntries(
        layers.map(({ node }, index) => {
          const x = standing(node.inputs[0] as Value);
          const channel = node.op === 'Conv' ? 1 : x.shape.length - 1;
          const axes = x.shape.map((_, axis) => axis).filter((axis) => axis !== channel);
          return [`${index}`, builder.op('ReduceMean', [x, builder.integers(axes)], { keepdims: 0 })];
        }),
      ),
    see: (seen) => {
      batches++;
      for (const index of layers.keys()) {
        const mean = toNumbers(seen[`${index}`] as Tensor);
        const before = sums[index] ?? new Float64Array(mean.length);
        sums[index] = before.map((sum, channel) => sum + (mean[channel] as number));
      }
    },
  });
  return sums.map((sum) => sum.map((each) => each / batches));
}

function roundingError(
  { weight, axis }: PlannedWeight,
  { scheme, weightRange }: { readonly scheme: QuantizationScheme; readonly weightRange: 'max' | 'mse' },
): Float64Array {
  const levels = weightLevels(scheme);
  const parameters = weightParameters(weight, {
    dtype: scheme.weight,
    levels,
    axis: scheme.perChannel ? axis : undefined,
    range: weightRange,
  });
  const rounded = toNumbers(dequantizeTensor(quantizeTensor(weight, parameters, levels), parameters));
  return toNumbers(weight).map((each, at) => each - (rounded[at] as number));
}

/** What an error of the weights adds to each output channel, on inputs of these means. */
function meanShift({ node, weight, axis }: PlannedWeight, error: Float64Array, means: Float64Array): Float64Array {
  const [rows, columns] = weight.shape as readonly [number, number];
  const shift = new Float64Array(weight.shape[axis] as number);
  if (node.op !== 'Conv') {
    for (let at = 0; at < error.length; at++) {
      const [row, column] = [Math.floor(at / columns), at % columns];
      const [output, input] = axis === 0 ? [row, column] : [column, row];
      shift[output] = (shift[output] as number) + (error[at] as number) * (means[input] as number);
    }
    return shift;
  }
  const taps = error.length / (rows * columns);
  const group = (node.attributes['group'] as number | undefined) ?? 1;
  for (let at = 0; at < error.length; at++) {
    const output = Math.floor(at / (columns * taps));
    const input = Math.floor(output / (rows / group)) * columns + (Math.floor(at / taps) % columns);
    shift[output] = (shift[output] as number) + (error[at] as number) * (means[input] as number);
  }
  return shift;
}

import { fromNumbers, type Model, type TensorMap, type Value } from '@modelwright/core';
import { writeOnnx } from '@modelwright/onnx';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { maskChannels } from './mask-channels.js';
import { removeChannels } from './remove-channels.js';
import { type SelectChannelsOptions, selectChannels } from './select-channels.js';

/** A pruned model, and how far what ONNX Runtime gives with it is from the masked model it came from. */
export interface Compared {
  readonly pruned: Model;
  readonly difference: number;
  /** Largest output, to see the difference against. */
  readonly largest: number;
}

/** Prunes a model, writes it and its masked form to ONNX, and runs both files. */
export async function comparePruned(
  model: Model,
  options: SelectChannelsOptions,
  shapes: { readonly [input: string]: readonly number[] },
): Promise<Compared> {
  const selection = await selectChannels(model, options);
  const pruned = await removeChannels(model, { ...options, selection });
  const inputs = Object.fromEntries(
    model.graph.inputs.map((input) => [input.name, made(input, shapes[input.name] as readonly number[])]),
  );
  const masked = maskChannels(model, selection, options);
  const [given, expected] = [await runFile(pruned, inputs), await runFile(masked, inputs)];
  let [difference, largest] = [0, 0];
  for (const [name, values] of Object.entries(expected)) {
    values.forEach((value, at) => {
      difference = Math.max(difference, Math.abs(value - (given[name]?.[at] ?? Number.NaN)));
      largest = Math.max(largest, Math.abs(value));
    });
  }
  return { pruned, difference, largest };
}

/** The outputs that ONNX Runtime, called directly, gives with the model's file. */
export async function runFile(model: Model, inputs: TensorMap): Promise<{ readonly [name: string]: Float32Array }> {
  const session = await InferenceSession.create(writeOnnx(model).bytes, { logSeverityLevel: 3 });
  const feeds = Object.fromEntries(
    Object.entries(inputs).map(([name, { dtype, data, shape }]) => [
      name,
      new Tensor(dtype as 'float32', data as Float32Array, shape),
    ]),
  );
  const results = await session.run(feeds);
  await session.release();
  return Object.fromEntries(Object.entries(results).map(([name, { data }]) => [name, data as Float32Array]));
}

function made({ dtype }: Value, shape: readonly number[]): TensorMap[string] {
  const count = shape.reduce((product, extent) => product * extent, 1);
  const spread = Float64Array.from({ length: count }, (_, at) => Math.sin(at * 12.9898) * 1.2);
  return fromNumbers(dtype, shape, dtype.startsWith('float') ? spread : spread.map((_, at) => at % 2));
}

/** Weights that differ everywhere, statistics and biases too, so that no channel looks like another. */
export function shakeWeights(model: Model): void {
  model.setWeights(
    Object.fromEntries(
      model.parameters.map((parameter, index) => {
        const weight = model.weightOf(parameter);
        const values = Float64Array.from(
          weight.data as Float32Array,
          (value, at) => value + 0.1 * Math.sin(at * 7.31 + index),
        );
        const positive = parameter.role === 'statistic' ? values.map((value) => Math.abs(value) + 0.1) : values;
        return [parameter.name, fromNumbers(weight.dtype, weight.shape, positive)];
      }),
    ),
  );
}

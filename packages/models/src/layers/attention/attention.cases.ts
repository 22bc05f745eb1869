import { readFileSync } from 'node:fs';
import {
  backpropagate,
  type DType,
  fromNumbers,
  type Graph,
  GraphBuilder,
  inlineGraph,
  type Tensor,
  type TensorMap,
  type Value,
} from '@modelwright/core';
import * as layers from '../../index.js';
import { attachMask, input, type Layer, type LayeredModel, model, type SymbolicTensor } from '../../index.js';

/** Elements and shape. */
export interface Packed {
  readonly shape: readonly number[];
  readonly data: readonly number[];
}

/** What PyTorch computes for one layer. */
export interface AttentionCase {
  readonly name: string;
  readonly layer: string;
  readonly options: object;
  readonly inputs: readonly (Packed & { readonly dtype: DType })[];
  readonly masks: readonly (Packed | null)[];
  readonly weights: readonly Packed[];
  readonly outputs: readonly Packed[];
  readonly inputGradients: readonly (Packed | null)[];
  readonly weightGradients: readonly (Packed | null)[];
}

const fixture = JSON.parse(readFileSync(new URL('../../../fixtures/attention.json', import.meta.url), 'utf8')) as {
  readonly cases: readonly AttentionCase[];
};

/** Every layer of the fixture. */
export const attentionCases: readonly (readonly [string, AttentionCase])[] = fixture.cases.map((each) => [
  `${each.layer}: ${each.name}`,
  each,
]);

/** A stored tensor. */
export const unpack = ({ shape, data }: Packed, dtype: DType = 'float32'): Tensor => fromNumbers(dtype, shape, data);

/** The layer on inputs `x0, x1, …`, with masks `mask0, …` where there are. */
export function build({ layer, options, inputs, masks, weights }: AttentionCase): LayeredModel {
  const create = (layers as unknown as { readonly [name: string]: (options: object) => Layer })[layer];
  const given: SymbolicTensor[] = [];
  const sequences = inputs.map(({ shape, dtype }, index) => {
    const sequence = input({ name: `x${index}`, shape: shape.slice(1), dtype });
    given.push(sequence);
    const mask = masks[index];
    if (mask == null) return sequence;
    given.push(input({ name: `mask${index}`, shape: mask.shape.slice(1), dtype: 'bool' }));
    return attachMask()(sequence, given.at(-1) as SymbolicTensor);
  });
  const made = (create as (options: object) => Layer)(options).applyAll(sequences);
  const outputs = Object.fromEntries(made.map((output, index) => [`y${index}`, output]));
  const built = model({ inputs: given, outputs });
  built.importKerasWeights(weights.map((weight) => unpack(weight)));
  return built;
}

/** What to feed the model of a case. */
export function feeds({ inputs, masks }: AttentionCase): TensorMap {
  return Object.fromEntries([
    ...inputs.map((packed, index) => [`x${index}`, unpack(packed, packed.dtype)]),
    ...masks.flatMap((packed, index) => (packed === null ? [] : [[`mask${index}`, unpack(packed, 'bool')]])),
  ]);
}

/** A graph of outputs and gradients, and what to feed it. */
export interface Differentiated {
  readonly graph: Graph;
  readonly inputs: TensorMap;
}

/** Outputs, and gradients of `Σ output · cos(0, 1, 2, …)` by inputs and weights, under their names. */
export function differentiated(built: LayeredModel, attentionCase: AttentionCase): Differentiated {
  const builder = new GraphBuilder('gradients');
  const fed = feeds(attentionCase);
  const bindings = new Map<Value, Value>();
  for (const value of built.graph.inputs) {
    bindings.set(value, builder.input(value.name, value.dtype, (fed[value.name] as Tensor).shape));
  }
  for (const { name, value } of built.parameters) bindings.set(value, builder.input(name, value.dtype, value.shape));
  const outputs = inlineGraph(builder, built.graph, bindings);
  const targets = [...bindings.values()].filter(({ dtype }) => dtype === 'float32');
  const seeds = outputs.map((value) => {
    const shape = value.shape as readonly number[];
    const count = shape.reduce((product, extent) => product * extent, 1);
    const cosines = Float64Array.from({ length: count }, (_, index) => Math.cos(index));
    return { value, gradient: builder.constant(fromNumbers('float32', shape, cosines)) };
  });
  const gradients = backpropagate(builder, seeds, targets);
  outputs.forEach((value, index) => {
    builder.output(`y${index}`, value);
  });
  targets.forEach(({ name }, index) => {
    builder.output(`gradient of ${name}`, gradients[index] as Value);
  });
  return { graph: builder.build(), inputs: { ...fed, ...built.getWeights() } };
}

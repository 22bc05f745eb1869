/** What PyTorch computes for recurrent layers (see `fixtures/generate-recurrent.py`), as models to run. */
import { readFileSync } from 'node:fs';
import {
  backpropagate,
  fromNumbers,
  type Graph,
  GraphBuilder,
  inlineTrainingForm,
  type Tensor,
  type TensorMap,
  type Value,
} from '@modelwright/core';
import * as layers from '../../index.js';

interface Packed {
  readonly shape: readonly number[];
  readonly data: readonly number[];
}

type LayerTree = readonly [
  kind: string,
  options: object,
  inner?: { readonly [option: string]: LayerTree | readonly LayerTree[] },
];

interface LoadedCase {
  readonly name: string;
  readonly layer: {
    readonly kind: string;
    readonly options: object;
    readonly inner: { readonly [option: string]: LayerTree | readonly LayerTree[] };
  };
  readonly inputs: readonly Packed[];
  readonly mask?: readonly (readonly number[])[];
  readonly weights: readonly Packed[];
  readonly outputs: readonly Packed[];
  readonly inputGradients: readonly Packed[];
  readonly weightGradients: readonly Packed[];
}

/** A layer with its inputs, and what must come of it. */
export interface RecurrentCase {
  readonly id: string;
  /** Inputs `x0`, `x1`, … and `mask`; outputs `y0`, `y1`, …. */
  readonly model: layers.LayeredModel;
  readonly feeds: TensorMap;
  readonly outputs: readonly Expected[];
  /** Of Σ output · cos(0, 1, 2, …) over all outputs, by the names of inputs and weights; in Keras's layout. */
  readonly gradients: readonly Expected[];
}

export interface Expected extends Packed {
  readonly name: string;
}

const { cases } = JSON.parse(readFileSync(new URL('../../../fixtures/recurrent.json', import.meta.url), 'utf8')) as {
  readonly cases: readonly LoadedCase[];
};

/** All cases, by name. */
export const recurrentCases: readonly (readonly [string, () => RecurrentCase])[] = cases.map((loaded) => {
  const id = `${loaded.layer.kind}: ${loaded.name}`;
  return [id, () => prepare(id, loaded)];
});

type Create = (options: object) => layers.Layer;

function create(kind: string, options: object, inner: LoadedCase['layer']['inner'] = {}): layers.Layer {
  const made = Object.entries(inner).map(([option, tree]) => [
    option,
    Array.isArray(tree[0])
      ? (tree as readonly LayerTree[]).map((each) => create(...each))
      : create(...(tree as LayerTree)),
  ]);
  return (layers as unknown as { readonly [kind: string]: Create })[kind]?.({
    ...options,
    ...Object.fromEntries(made),
  }) as layers.Layer;
}

function prepare(id: string, { layer, inputs, mask, weights, ...expected }: LoadedCase): RecurrentCase {
  const symbolic = Object.fromEntries(
    inputs.map(({ shape }, index) => [`x${index}`, layers.input({ shape: shape.slice(1) })]),
  );
  const [x, ...states] = Object.values(symbolic) as [layers.SymbolicTensor, ...layers.SymbolicTensor[]];
  const marks = mask === undefined ? {} : { mask: layers.input({ shape: [mask[0]?.length ?? 0], dtype: 'int32' }) };
  const masked = marks.mask === undefined ? x : layers.attachMask()(x, marks.mask);
  const outputs = create(layer.kind, layer.options, layer.inner).applyAll(masked, ...states);
  const built = layers.model({
    inputs: { ...symbolic, ...marks },
    outputs: Object.fromEntries(outputs.map((output, index) => [`y${index}`, output])),
  });
  built.importKerasWeights(weights.map(({ shape, data }) => fromNumbers('float32', shape, data)));
  const fed = inputs.map(({ shape, data }, index) => [`x${index}`, fromNumbers('float32', shape, data)]);
  const masks =
    mask === undefined ? [] : [['mask', fromNumbers('int32', [mask.length, mask[0]?.length ?? 0], mask.flat())]];
  return {
    id,
    model: built,
    feeds: Object.fromEntries([...fed, ...masks]) as TensorMap,
    outputs: expected.outputs.map((output, index) => ({ ...output, name: `y${index}` })),
    gradients: [
      ...expected.inputGradients.map((gradient, index) => ({ ...gradient, name: `x${index}` })),
      ...expected.weightGradients.map((gradient, index) => ({
        ...gradient,
        name: built.parameters[index]?.name ?? '',
      })),
    ],
  };
}

/** A graph that computes the gradients of a case in the form that models train in; its outputs are named as in the case. */
export function gradientGraph({ model, feeds, gradients }: RecurrentCase): Graph {
  const builder = new GraphBuilder('gradients');
  const bindings = new Map<Value, Value>();
  const byName = new Map<string, Value>();
  for (const input of model.graph.inputs) {
    const bound = builder.input(input.name, input.dtype, (feeds[input.name] as Tensor).shape);
    bindings.set(input, bound);
    byName.set(input.name, bound);
  }
  for (const parameter of model.parameters) {
    const bound = builder.constant(model.weightOf(parameter), { name: parameter.name });
    bindings.set(parameter.value, bound);
    byName.set(parameter.name, bound);
  }
  const counter = builder.constant(fromNumbers('int64', [], [0]));
  const { outputs } = inlineTrainingForm(builder, model.graph, bindings, { seed: 1, counter });
  const seeds = outputs.map((value) => ({
    value,
    gradient: builder.constant(cosines(value.shape as readonly number[])),
  }));
  const targets = gradients.map(({ name }) => byName.get(name) as Value);
  const results = backpropagate(builder, seeds, targets);
  results.forEach((result, index) => {
    builder.output(`d ${gradients[index]?.name}`, result as Value);
  });
  outputs.forEach((output, index) => {
    builder.output(`training y${index}`, output);
  });
  return builder.build();
}

function cosines(shape: readonly number[]): Tensor {
  const count = shape.reduce((product, extent) => product * extent, 1);
  return fromNumbers(
    'float32',
    shape,
    Float64Array.from({ length: count }, (_, index) => Math.cos(index)),
  );
}

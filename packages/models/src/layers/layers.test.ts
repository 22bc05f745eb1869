import { readFileSync } from 'node:fs';
import {
  backpropagate,
  type DType,
  evaluateGraph,
  fromNumbers,
  GraphBuilder,
  inlineTrainingForm,
  type Tensor,
  toNumbers,
  type Value,
} from '@modelwright/core';
import { describe, expect, test } from 'vitest';
import * as layers from '../index.js';
import { input, type Layer, type LayeredModel, model } from '../index.js';
import { toKeras } from '../weights/keras-layout.js';

interface Packed {
  readonly shape: readonly number[];
  readonly data: readonly number[];
}

interface LayerCase {
  readonly name: string;
  readonly layer: string;
  readonly arguments: readonly unknown[];
  readonly inputs: readonly (Packed & { readonly dtype: DType })[];
  readonly weights: readonly Packed[];
  readonly output: Packed;
  readonly inputGradients: readonly (Packed | null)[];
  readonly weightGradients: readonly (Packed | null)[];
}

const fixture = JSON.parse(readFileSync(new URL('../../fixtures/layers.json', import.meta.url), 'utf8')) as {
  readonly cases: readonly LayerCase[];
  readonly batchNormalization: {
    readonly input: Packed;
    readonly weights: readonly Packed[];
    readonly inference: Packed;
    readonly training: Packed;
    readonly nextMean: Packed;
    readonly nextVariance: Packed;
    readonly gradients: readonly Packed[];
  };
};

const unpack = ({ shape, data }: Packed, dtype: DType = 'float32'): Tensor => fromNumbers(dtype, shape, data);

/** Weights and inputs are float32: everything behind them is exact to about 1e-6 of what was summed up. */
function expectClose(given: Tensor | undefined, expected: Packed, what: string): void {
  expect(given?.shape, what).toEqual(expected.shape);
  const numbers = toNumbers(given as Tensor);
  expected.data.forEach((value, index) => {
    expect(
      Math.abs((numbers[index] as number) - value),
      `${what}[${index}] = ${numbers[index]}, not ${value}`,
    ).toBeLessThan(5e-6 * (1 + Math.abs(value)));
  });
}

function build(layerCase: LayerCase): LayeredModel {
  const create = (layers as unknown as { readonly [name: string]: (...given: readonly unknown[]) => Layer })[
    layerCase.layer
  ];
  const inputs = layerCase.inputs.map(({ shape, dtype }) => input({ shape: shape.slice(1), dtype }));
  const built = model({
    inputs,
    outputs: (create as (...given: readonly unknown[]) => Layer)(...layerCase.arguments)(inputs),
  });
  built.importKerasWeights(layerCase.weights.map((weight) => unpack(weight)));
  return built;
}

function feeds(built: LayeredModel, inputs: LayerCase['inputs']): { readonly [name: string]: Tensor } {
  return Object.fromEntries(
    built.graph.inputs.map(({ name }, index) => [name, unpack(inputs[index] as Packed, inputs[index]?.dtype)]),
  );
}

/** The training form of a model for concrete inputs, with gradients of Σ output · cos(0, 1, 2, …). */
function differentiate(built: LayeredModel, inputs: LayerCase['inputs']): { readonly [name: string]: Tensor } {
  const builder = new GraphBuilder('gradients');
  const bindings = new Map<Value, Value>();
  const targets: { name: string; value: Value }[] = [];
  built.graph.inputs.forEach((value, index) => {
    const bound = builder.input(value.name, value.dtype, inputs[index]?.shape ?? []);
    bindings.set(value, bound);
    if (value.dtype === 'float32') targets.push({ name: value.name, value: bound });
  });
  for (const { name, value } of built.parameters) {
    const bound = builder.constant(built.graph.constants.get(value) as Tensor, { name });
    bindings.set(value, bound);
    targets.push({ name, value: bound });
  }
  const counter = builder.constant(fromNumbers('int64', [], [0]));
  const form = inlineTrainingForm(builder, built.graph, bindings, { seed: 1, counter });
  const output = form.outputs[0] as Value;
  const shape = output.shape as readonly number[];
  const count = shape.reduce((product, extent) => product * extent, 1);
  const seed = fromNumbers(
    'float32',
    shape,
    Float64Array.from({ length: count }, (_, index) => Math.cos(index)),
  );
  const gradients = backpropagate(
    builder,
    [{ value: output, gradient: builder.constant(seed) }],
    targets.map(({ value }) => value),
  );
  targets.forEach(({ name }, index) => {
    builder.output(name, gradients[index] as Value);
  });
  builder.output('training', output);
  form.statistics.forEach(({ next }, index) => {
    builder.output(`statistic ${index}`, next);
  });
  return evaluateGraph(builder.build(), feeds(built, inputs), { keepFloat64: true });
}

describe.each(fixture.cases.map((layerCase) => [`${layerCase.layer}: ${layerCase.name}`, layerCase] as const))(
  '%s',
  (_, layerCase) => {
    const built = build(layerCase);

    test('gives what PyTorch gives', () => {
      const outputs = evaluateGraph(built.graph, feeds(built, layerCase.inputs), { keepFloat64: true });
      expectClose(outputs['output'], layerCase.output, 'output');
      const declared = built.graph.outputs[0]?.value.shape;
      expect(declared?.slice(1)).toEqual(layerCase.output.shape.slice(1));
    });

    test('has the gradients PyTorch has', () => {
      const gradients = differentiate(built, layerCase.inputs);
      built.graph.inputs.forEach(({ name }, index) => {
        const expected = layerCase.inputGradients[index];
        if (expected) expectClose(gradients[name], expected, `gradient of ${name}`);
      });
      built.parameters.forEach(({ name }, index) => {
        const expected = layerCase.weightGradients[index];
        if (expected)
          expectClose(toKeras(gradients[name] as Tensor, built.layoutOf(name)), expected, `gradient of ${name}`);
      });
    });

    test('gives Keras its weights back', () => {
      const weights = built.getKerasWeights();
      expect(weights).toEqual(layerCase.weights.map((weight) => unpack(weight)));
    });
  },
);

describe('batchNormalization', () => {
  const expected = fixture.batchNormalization;
  const x = input({ shape: expected.input.shape.slice(1) });
  const built = model({ inputs: x, outputs: layers.batchNormalization({ momentum: 0.9 })(x) });
  built.importKerasWeights(expected.weights.map((weight) => unpack(weight)));
  const inputs = [{ ...expected.input, dtype: 'float32' as const }];

  test('uses running statistics to infer', () => {
    expectClose(evaluateGraph(built.graph, feeds(built, inputs))['output'], expected.inference, 'output');
  });

  test('uses those of the batch to train, and reports the next running ones', () => {
    const results = differentiate(built, inputs);
    expectClose(results['training'], expected.training, 'output');
    expectClose(results['statistic 0'], expected.nextMean, 'mean');
    expectClose(results['statistic 1'], expected.nextVariance, 'variance');
    ['input', 'batchNormalization.gamma', 'batchNormalization.beta'].forEach((name, index) => {
      expectClose(results[name], expected.gradients[index] as Packed, `gradient of ${name}`);
    });
  });
});

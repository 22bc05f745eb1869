import { readFileSync } from 'node:fs';
import { createBackend } from '@modelwright/backend-onnxruntime';
import {
  type Backend,
  backpropagate,
  type DType,
  fromNumbers,
  GraphBuilder,
  inferenceProgram,
  inlineTrainingForm,
  type Model,
  type Tensor,
  type TensorMap,
  toNumbers,
  type Value,
} from '@modelwright/core';
import * as layers from '@modelwright/models';
import { readOnnx, writeOnnx } from '@modelwright/onnx';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

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
}

// What PyTorch computes for every layer; see the generator beside the file.
const fixture = JSON.parse(readFileSync(new URL('../../models/fixtures/layers.json', import.meta.url), 'utf8')) as {
  readonly cases: readonly LayerCase[];
};

let backend: Backend;
beforeAll(async () => {
  backend = await createBackend();
});
afterAll(() => backend.dispose());

const unpack = ({ shape, data }: Packed, dtype: DType = 'float32'): Tensor => fromNumbers(dtype, shape, data);

function build(layerCase: LayerCase): layers.LayeredModel {
  const create = (layers as unknown as { readonly [name: string]: (...given: readonly unknown[]) => layers.Layer })[
    layerCase.layer
  ] as (...given: readonly unknown[]) => layers.Layer;
  const inputs = layerCase.inputs.map(({ shape, dtype }) => layers.input({ shape: shape.slice(1), dtype }));
  const built = layers.model({ inputs, outputs: create(...layerCase.arguments)(inputs) });
  built.importKerasWeights(layerCase.weights.map((weight) => unpack(weight)));
  return built;
}

function expectClose(given: Tensor | undefined, expected: Packed, what: string): void {
  expect(given?.shape, what).toEqual(expected.shape);
  const numbers = toNumbers(given as Tensor);
  const worst = Math.max(
    0,
    ...expected.data.map((value, index) => Math.abs((numbers[index] as number) - value) / (1 + Math.abs(value))),
  );
  expect(worst, what).toBeLessThan(2e-5);
}

async function run(model: Model, feeds: TensorMap): Promise<Tensor | undefined> {
  const executable = await backend.compile(inferenceProgram(model));
  const outputs = await executable.run(feeds);
  await executable.dispose();
  return outputs['output'];
}

/** The training form with the weights as inputs, and the gradients of Σ output · cos(0, 1, 2, …) by the model's inputs. */
async function inputGradients(model: Model, layerCase: LayerCase, feeds: TensorMap): Promise<TensorMap> {
  const builder = new GraphBuilder('gradients');
  const bindings = new Map<Value, Value>();
  const targets: Value[] = [];
  model.graph.inputs.forEach((value, index) => {
    const bound = builder.input(value.name, value.dtype, layerCase.inputs[index]?.shape ?? []);
    bindings.set(value, bound);
    if (value.dtype === 'float32') targets.push(bound);
  });
  for (const { name, value } of model.parameters) bindings.set(value, builder.input(name, value.dtype, value.shape));
  const counter = builder.constant(fromNumbers('int64', [], [0]));
  const output = inlineTrainingForm(builder, model.graph, bindings, { seed: 1, counter }).outputs[0] as Value;
  const shape = output.shape as readonly number[];
  const count = shape.reduce((product, extent) => product * extent, 1);
  const seed = fromNumbers(
    'float32',
    shape,
    Float64Array.from({ length: count }, (_, index) => Math.cos(index)),
  );
  const gradients = backpropagate(builder, [{ value: output, gradient: builder.constant(seed) }], targets);
  targets.forEach(({ name }, index) => {
    builder.output(`gradient of ${name}`, gradients[index] as Value);
  });
  const executable = await backend.compile({ graph: builder.build(), state: [] });
  const outputs = await executable.run({ ...feeds, ...model.getWeights() });
  await executable.dispose();
  return outputs;
}

describe.each(fixture.cases.map((layerCase) => [`${layerCase.layer}: ${layerCase.name}`, layerCase] as const))(
  '%s',
  (_, layerCase) => {
    const built = build(layerCase);
    const feeds = Object.fromEntries(
      built.graph.inputs.map(({ name, dtype }, index) => [name, unpack(layerCase.inputs[index] as Packed, dtype)]),
    );

    test('runs on ONNX Runtime as in PyTorch', async () => {
      expectClose(await run(built, feeds), layerCase.output, 'output');
    });

    test('is the same after it was saved and read', async () => {
      const loaded = readOnnx(writeOnnx(built).bytes);
      expect(loaded.layers).toEqual(built.layers);
      expect(loaded.parameters.map(({ name }) => name)).toEqual(built.parameters.map(({ name }) => name));
      expectClose(await run(loaded, feeds), layerCase.output, 'output');
    });

    test('has PyTorch’s gradients on ONNX Runtime', async () => {
      const gradients = await inputGradients(built, layerCase, feeds);
      built.graph.inputs.forEach(({ name }, index) => {
        const expected = layerCase.inputGradients[index];
        if (expected) expectClose(gradients[`gradient of ${name}`], expected, `gradient of ${name}`);
      });
    });
  },
);

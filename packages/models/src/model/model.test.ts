import {
  evaluateGraph,
  GraphBuilder,
  inferenceProgram,
  Model,
  type Tensor,
  tensor,
  toNumbers,
  verify,
} from '@modelwright/core';
import { describe, expect, test } from 'vitest';
import {
  add,
  batchNormalization,
  concatenate,
  constant,
  conv2d,
  customLayer,
  dense,
  dropout,
  embedding,
  flatten,
  input,
  lambda,
  maxPooling2d,
  model,
  modelLayer,
  SymbolicTensor,
  sequential,
  summarize,
} from '../index.js';

const numbers = (value: Tensor | undefined): number[] => [...toNumbers(value as Tensor)];
const namesOf = (built: Model): string[] => built.parameters.map(({ name }) => name);

describe('sequential', () => {
  const digits = sequential({
    name: 'digits',
    inputShape: [28, 28, 1],
    inputName: 'image',
    outputName: 'probabilities',
    layers: [
      conv2d({ filters: 4, kernelSize: 3, activation: 'relu' }),
      maxPooling2d(),
      flatten(),
      dense({ units: 8, activation: 'relu' }),
      dense({ units: 10, activation: 'softmax', name: 'head' }),
    ],
  });

  test('names input, output, layers and weights', () => {
    expect(digits.graph.inputs).toMatchObject([{ name: 'image', dtype: 'float32', shape: ['batch', 28, 28, 1] }]);
    expect(digits.graph.outputs).toMatchObject([{ name: 'probabilities', value: { shape: ['batch', 10] } }]);
    expect(namesOf(digits)).toEqual([
      'conv2d.kernel',
      'conv2d.bias',
      'dense.kernel',
      'dense.bias',
      'head.kernel',
      'head.bias',
    ]);
    expect(digits.parameters[0]?.value.shape).toEqual([4, 1, 3, 3]);
    expect(digits).toBeInstanceOf(Model);
    verify(digits.graph);
  });

  test('needs layers and an input shape, which the first layer may give', () => {
    expect(() => sequential({ layers: [] })).toThrow("sequential 'sequential' has no layers");
    expect(() => sequential({ name: 'm', layers: [dense({ units: 1 })] })).toThrow(
      "sequential 'm' needs an inputShape",
    );
    const built = sequential({ layers: [dense({ units: 1, inputShape: [3] })] });
    expect(built.graph.inputs[0]?.shape).toEqual(['batch', 3]);
    const words = sequential({ inputShape: [null], layers: [embedding({ inputDim: 9, outputDim: 2 })] });
    expect(words.graph.inputs[0]).toMatchObject({ dtype: 'int32', shape: ['batch', 'input_1'] });
  });

  test('its layout changes cancel between layers when it infers', () => {
    const transposes = inferenceProgram(digits).graph.nodes.filter(({ op }) => op === 'Transpose');
    expect(transposes).toHaveLength(2);
  });

  test('starts from the seed: same seed, same weights', () => {
    const make = (seed: number): Model =>
      sequential({ inputShape: [4], seed, layers: [dense({ units: 3 }), dense({ units: 3 })] });
    expect(make(1).getWeights()).toEqual(make(1).getWeights());
    expect(make(1).getWeights()['dense.kernel']).not.toEqual(make(2).getWeights()['dense.kernel']);
    const same = make(1).getWeights();
    expect(numbers(same['dense.kernel']).slice(0, 9)).not.toEqual(numbers(same['dense_1.kernel']));
  });
});

describe('functional models', () => {
  test('several named inputs and outputs', () => {
    const left = input({ shape: [2], name: 'left' });
    const right = input({ shape: [2] });
    const ones = { kernelInitializer: 'ones' } as const;
    const built = model({
      inputs: { left, right },
      outputs: { sum: add()(left, right), both: dense({ units: 1, ...ones })(concatenate()([left, right])) },
    });
    const outputs = evaluateGraph(built.graph, { left: tensor([[1, 2]]), right: tensor([[3, 4]]) });
    expect(numbers(outputs['sum'])).toEqual([4, 6]);
    expect(numbers(outputs['both'])).toEqual([10]);
  });

  test('outputs are named after their layers when no names are given', () => {
    const x = input({ shape: [2] });
    const built = model({
      inputs: [x],
      outputs: [dense({ units: 1 })(x), dense({ units: 1 })(x), add({ name: 'sum' })(x, x)],
    });
    expect(built.graph.outputs.map(({ name }) => name)).toEqual(['dense', 'dense_1', 'sum']);
    expect(built.graph.inputs.map(({ name }) => name)).toEqual(['input']);
  });

  test('shapes are known as layers are applied', () => {
    const image = input({ shape: [9, 9, 3] });
    const features = conv2d({ filters: 5, kernelSize: 3, strides: 2, padding: 'same' })(image);
    expect(features).toBeInstanceOf(SymbolicTensor);
    expect(features.shape).toEqual(['batch', 5, 5, 5]);
    expect(flatten()(features).shape).toEqual(['batch', 125]);
  });

  test('a layer that is used twice has one set of weights', () => {
    const shared = dense({ units: 2, useBias: false, kernelInitializer: 'identity', name: 'shared' });
    const [a, b] = [input({ shape: [2], name: 'a' }), input({ shape: [2], name: 'b' })];
    const built = model({ inputs: [a, b], outputs: add()(shared(a), shared(b)) });
    expect(namesOf(built)).toEqual(['shared.kernel']);
    built.setWeights({
      'shared.kernel': tensor([
        [2, 0],
        [0, 3],
      ]),
    });
    expect(numbers(evaluateGraph(built.graph, { a: tensor([[1, 1]]), b: tensor([[10, 10]]) })['output'])).toEqual([
      22, 33,
    ]);
    const c = input({ shape: [3] });
    expect(() => model({ inputs: [a, c], outputs: [shared(a), shared(c)] })).toThrow(
      "dense 'shared' is shared, but its uses need weights of different shapes: [2,2] and [3,2]",
    );
  });

  test('a model is a layer: its weights are copied, frozen ones stay frozen', () => {
    const base = sequential({
      name: 'base',
      inputShape: [2],
      layers: [dense({ units: 2, kernelInitializer: 'identity' })],
    });
    base.setTrainable('dense.kernel', false);
    const built = sequential({ layers: [base, dense({ units: 1, kernelInitializer: 'ones' })] });
    expect(built.parameters.map(({ name, trainable }) => [name, trainable])).toEqual([
      ['base.dense.kernel', false],
      ['base.dense.bias', true],
      ['dense.kernel', true],
      ['dense.bias', true],
    ]);
    expect(numbers(evaluateGraph(built.graph, { input: tensor([[3, 4]]) })['output'])).toEqual([7]);
    built.setWeights({ 'base.dense.bias': tensor([1, 1]) });
    expect(numbers(base.getWeights()['dense.bias'])).toEqual([0, 0]);
  });

  test('a nested model that is used twice shares its weights, and convolutions keep their layout', () => {
    const tower = sequential({
      name: 'tower',
      inputShape: [4, 4, 1],
      layers: [conv2d({ filters: 3, kernelSize: 2 }), flatten()],
    });
    const layer = modelLayer(tower);
    const [a, b] = [input({ shape: [4, 4, 1], name: 'a' }), input({ shape: [4, 4, 1], name: 'b' })];
    const built = model({ inputs: [a, b], outputs: add()(layer(a), layer(b)) });
    expect(namesOf(built)).toEqual(['tower.conv2d.kernel', 'tower.conv2d.bias']);
    expect(built.getKerasWeights()).toEqual(tower.getKerasWeights());
    expect(tower.apply(a).shape).toEqual(['batch', 27]);
  });

  test('custom layers are plain functions, with weights if they want', () => {
    const scale = customLayer(
      (context, x) =>
        context.builder.op('Mul', [
          x,
          context.addWeight({ name: 'factor', shape: [1], initializer: constant({ value: 3 }) }),
        ]),
      { kind: 'scale' },
    );
    const halves = customLayer(
      ({ builder }, x) => builder.node('Split', [x], { axis: 1, num_outputs: 2 }, { outputs: 2 }),
      { name: 'halves' },
    );
    const x = input({ shape: [4] });
    const [front, back] = halves.applyAll(lambda((builder, value) => builder.op('Abs', [value]))(x)) as [
      SymbolicTensor,
      SymbolicTensor,
    ];
    const built = model({ inputs: x, outputs: [scale(front), scale(back)] });
    const outputs = evaluateGraph(built.graph, { input: tensor([[-1, 2, -3, 4]]) });
    expect(Object.values(outputs).map(numbers)).toEqual([
      [3, 6],
      [9, 12],
    ]);
    expect(namesOf(built)).toEqual(['scale.factor']);
    expect(() => halves(x)).toThrow("custom 'halves' has 2 outputs; take them with applyAll");
  });

  test('Keras’s order of weights in a model with branches', () => {
    const x = input({ shape: [4] });
    const deep = dense({ units: 3, name: 'deep_2' })(dense({ units: 5, name: 'deep_1' })(x));
    const short = dense({ units: 3, name: 'short' })(x);
    const built = model({ inputs: x, outputs: dense({ units: 1, name: 'head' })(add()([deep, short])) });
    // By distance from the output: deep_1 is farthest; deep_2 and short are equally far and met in this order.
    expect(built.layers.map(({ name }) => name)).toEqual(['input', 'deep_1', 'deep_2', 'short', 'add', 'head']);
    expect(namesOf(built).filter((name) => name.endsWith('kernel'))).toEqual([
      'deep_1.kernel',
      'deep_2.kernel',
      'short.kernel',
      'head.kernel',
    ]);
  });
});

describe('weights in Keras’s layout and order', () => {
  const built = sequential({
    inputShape: [4, 4, 2],
    layers: [conv2d({ filters: 3, kernelSize: 2 }), batchNormalization(), flatten(), dense({ units: 1 })],
  });
  const shapes = (order: 'keras' | 'tfjs'): (readonly number[])[] =>
    built.getKerasWeights(order).map(({ shape }) => shape);

  test('lists follow layers, or put what is not trained last as TensorFlow.js does', () => {
    expect(shapes('keras')).toEqual([[2, 2, 2, 3], [3], [3], [3], [3], [3], [27, 1], [1]]);
    expect(shapes('tfjs')).toEqual([[2, 2, 2, 3], [3], [3], [3], [27, 1], [1], [3], [3]]);
    const given = built.getKerasWeights('tfjs');
    built.importKerasWeights(given, 'tfjs');
    expect(built.getKerasWeights('tfjs')).toEqual(given);
  });

  test('wrong lists are refused and nothing changes', () => {
    const before = built.getWeights();
    const weights = [...built.getKerasWeights()];
    expect(() => built.importKerasWeights(weights.slice(1))).toThrow("model 'sequential' has 8 weights, 7 were given");
    weights[0] = tensor([[1]]);
    expect(() => built.importKerasWeights(weights)).toThrow(
      "weight 0, 'conv2d.kernel', has shape [2,2,2,3] in Keras, [1,1] was given",
    );
    expect(built.getWeights()).toEqual(before);
  });
});

describe('summary', () => {
  test('is a table with totals; a chain needs no column of connections', () => {
    const built = sequential({
      name: 'small',
      inputShape: [4],
      layers: [dense({ units: 3 }), batchNormalization({ trainable: false }), dropout({ rate: 0.5 })],
    });
    const lines: string[] = [];
    const text = built.summary((line) => lines.push(line));
    expect(lines.join('\n')).toBe(text);
    expect(text).toContain('Model: small');
    expect(text).toMatch(/│ dense \(dense\) +│ \[batch, 3\] +│ +15 │/);
    expect(text).toContain('Total params: 27 (108 B)\nTrainable params: 15\nNon-trainable params: 12');
    const widths = new Set(
      text
        .split('\n')
        .filter((line) => /^[│┌├└]/.test(line))
        .map((line) => line.length),
    );
    expect(widths.size).toBe(1);
  });

  test('of branches shows what each layer reads', () => {
    const x = input({ shape: [4], name: 'x' });
    const built = model({ inputs: x, outputs: add()([dense({ units: 4 })(x), x]) });
    expect(built.summary(() => undefined)).toMatch(/add \(add\) .*│ dense, x +│/);
  });

  test('of a model without layers lists its weights', () => {
    const builder = new GraphBuilder('plain');
    const value = builder.constant([1, 2], { name: 'stem.w' });
    builder.output('y', builder.op('Add', [builder.input('x', 'float32', [2]), value]));
    const plain = new Model({
      name: 'plain',
      graph: builder.build(),
      parameters: [{ name: 'stem.w', value, trainable: true, role: 'weight' }],
    });
    expect(summarize(plain)).toMatch(/stem \(weights\) .*│ +2 │/);
  });
});

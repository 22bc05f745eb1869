import {
  evaluateGraph,
  type Graph,
  GraphBuilder,
  Model,
  print,
  type Tensor,
  tensor,
  toNumbers,
} from '@modelwright/core';
import { describe, expect, it } from 'vitest';
import { readOnnx } from '../read/read-onnx.js';
import { readOnnxHeader } from '../read/read-onnx-header.js';
import { writeOnnx } from './write-onnx.js';

function trainedModel(): Model {
  const builder = new GraphBuilder('network');
  const x = builder.input('x', 'float32', ['batch', 3]);
  const kernel = builder.constant(
    tensor([
      [1, 2],
      [3, 4],
      [5, 6],
    ]),
    { name: 'dense.kernel' },
  );
  const mean = builder.constant(tensor([0.5, 0.25]), { name: 'bn.movingMean' });
  const product = builder.op('MatMul', [x, kernel], {}, { name: 'product' });
  builder.output('y', builder.op('Sub', [product, mean], {}, { name: 'y' }));
  return new Model({
    name: 'my model',
    graph: builder.build(),
    parameters: [
      {
        name: 'dense.kernel',
        value: kernel,
        trainable: false,
        role: 'weight',
        regularizer: { l2: 0.01 },
        constraint: { kind: 'maxNorm', maxValue: 2, axes: [0] },
      },
      { name: 'bn.movingMean', value: mean, trainable: false, role: 'statistic' },
    ],
    layers: [{ name: 'dense', kind: 'dense', outputShape: ['batch', 2], parameters: ['dense.kernel'], inputs: ['x'] }],
    metadata: { author: 'me' },
  });
}

const numbers = (value: Tensor | undefined): number[] => [...toNumbers(value ?? tensor([]))];

describe('writeOnnx', () => {
  it('keeps all that a model says of its training', () => {
    const [model, again] = [trainedModel(), readOnnx(writeOnnx(trainedModel()).bytes)];
    expect(print(again.graph)).toBe(print(model.graph));
    expect(again.name).toBe(model.name);
    expect(again.layers).toEqual(model.layers);
    expect(again.metadata).toEqual(model.metadata);
    expect(again.parameters).toEqual(model.parameters);
    expect(again.getWeights()).toEqual(model.getWeights());
  });

  it('writes opset 21 and IR 10 unless asked otherwise', () => {
    expect(readOnnxHeader(writeOnnx(trainedModel()).bytes)).toMatchObject({ irVersion: 10, opsets: { '': 21 } });
    expect(readOnnxHeader(writeOnnx(trainedModel(), { opset: 17 }).bytes)).toMatchObject({
      irVersion: 8,
      opsets: { '': 17 },
    });
    expect(() => writeOnnx(trainedModel(), { opset: 16 })).toThrow(
      expect.objectContaining({ code: 'unsupported-version' }),
    );
  });

  it('leaves the training metadata out on request', () => {
    const header = readOnnxHeader(
      writeOnnx(trainedModel(), { trainingMetadata: false, metadata: { more: 'text' } }).bytes,
    );
    expect(header.metadata).toEqual({ author: 'me', more: 'text' });
  });

  it('names weights by their layer path, whatever the graph calls them', () => {
    const builder = new GraphBuilder();
    const value = builder.constant(tensor([1, 2]), { name: 'constant' });
    builder.output('y', builder.op('Neg', [value]));
    const parameters = [{ name: 'layer.weight', value, trainable: true, role: 'weight' }] as const;
    const again = readOnnx(writeOnnx(new Model({ name: 'm', graph: builder.build(), parameters })).bytes);
    expect([...again.graph.constants.keys()].map(({ name }) => name)).toEqual(['layer.weight']);
  });

  it('gives every result its name: inputs, constants and values named twice', () => {
    const builder = new GraphBuilder();
    const x = builder.input('x', 'float32', [2]);
    const sum = builder.op('Add', [x, builder.constant(tensor([1, 1]), { name: 'one' })], {}, { name: 'inner' });
    builder.output('same', x);
    builder.output('constant', builder.constant(tensor([7, 8]), { name: 'seven' }));
    builder.output('first', sum);
    builder.output('second', sum);
    const graph = builder.build();
    const again = readOnnx(writeOnnx(graph).bytes).graph;
    const inputs = { x: tensor([3, 4]) };
    expect(evaluateGraph(again, inputs)).toEqual(evaluateGraph(graph, inputs));
  });

  it('replaces ops of its own by those of ONNX', () => {
    const builder = new GraphBuilder();
    const x = builder.input('x', 'float32', [4]);
    builder.output('y', builder.op('ReluGradient', [x, x]));
    const graph = builder.build();
    const again = readOnnx(writeOnnx(graph).bytes).graph;
    expect(again.nodes.every(({ domain }) => domain === '')).toBe(true);
    const inputs = { x: tensor([-1, 0, 2, 3]) };
    expect(numbers(evaluateGraph(again, inputs)['y'])).toEqual(numbers(evaluateGraph(graph, inputs)['y']));
  });

  it('keeps large tensors apart, aligned, on request', () => {
    const builder = new GraphBuilder();
    const weights = [300, 400].map((count) =>
      builder.constant(tensor(new Array(count).fill(count), { shape: [count] })),
    );
    for (const [index, weight] of weights.entries()) builder.output(`y${index}`, builder.op('Neg', [weight]));
    const { bytes, externalData } = writeOnnx(builder.build(), { externalData: { location: 'w.data' } });
    expect(externalData?.['w.data']?.length).toBe(1216 + 1600);
    expect(bytes.length).toBeLessThan(1200);
    expect(print(readOnnx(bytes, { externalData: externalData ?? {} }).graph)).toBe(
      print(readOnnx(writeOnnx(builder.build()).bytes).graph),
    );
  });

  it('names the node that an older opset cannot express', () => {
    const builder = new GraphBuilder();
    const x = builder.input('x', 'float32', [2, 3]);
    const axes = builder.input('axes', 'int64', [1]);
    builder.output('y', builder.op('ReduceMean', [x, axes], {}, { nodeName: 'mean' }));
    expect(() => writeOnnx(builder.build(), { opset: 17 })).toThrow(
      expect.objectContaining({ code: 'unsupported-version', details: expect.objectContaining({ layer: 'mean' }) }),
    );
  });
});

/** A layout change and back, a state, a mask and a loss that no output depends on. */
function rememberingModel(): Model {
  const builder = new GraphBuilder('network');
  const x = builder.input('x', 'float32', ['batch', 3, 2]);
  const last = builder.constant(tensor([[1, 2, 3]]), { name: 'cell.state' });
  const there = builder.op('Transpose', [x], { perm: [0, 2, 1] });
  const doubled = builder.op('Mul', [x, builder.constant(tensor([[2], [3], [4]]), { name: 'scale' })]);
  const back = builder.op('Transpose', [builder.op('Relu', [there])], { perm: [0, 2, 1] });
  const sum = builder.op('ReduceSum', [doubled, builder.integers([0, 2])], { keepdims: 0 });
  const next = builder.op('Add', [last, sum]);
  const mask = builder.op('Greater', [
    builder.op('ReduceMax', [x, builder.integers([2])], { keepdims: 0 }),
    builder.scalar(0, 'float32'),
  ]);
  const loss = builder.op('ReduceMean', [builder.op('Mul', [doubled, doubled])], { keepdims: 0 });
  builder.output('y', back);
  return new Model({
    name: 'remembering',
    graph: builder.build(),
    parameters: [],
    states: [{ name: 'cell.state', value: last, next }],
    outputMasks: new Map([['y', mask]]),
    losses: [{ name: 'cell.energy', value: loss }],
  });
}

/** What the model's own values are for an input. */
function ownValues({ graph, states, outputMasks, losses }: Model): readonly (readonly number[])[] {
  const values = [...states.map(({ next }) => next), ...outputMasks.values(), ...losses.map(({ value }) => value)];
  const outputs = [...graph.outputs, ...values.map((value, index) => ({ name: `own ${index}`, value }))];
  const x = tensor([
    [
      [1, -2],
      [3, -4],
      [-5, -6],
    ],
  ]);
  return Object.values(evaluateGraph({ ...graph, outputs }, { x })).map(numbers);
}

describe('what a model says of its values', () => {
  it('comes back: states, masks and losses', () => {
    const model = rememberingModel();
    const again = readOnnx(writeOnnx(model).bytes);
    expect(again.states.map(({ name }) => name)).toEqual(['cell.state']);
    expect([...again.outputMasks.keys()]).toEqual(['y']);
    expect(again.losses.map(({ name }) => name)).toEqual(['cell.energy']);
    expect(ownValues(again)).toEqual(ownValues(model));
    expect(numbers(again.graph.constants.get(again.states[0]?.value as never))).toEqual([1, 2, 3]);
  });

  it('does not keep layout changes that undo each other; a bare graph is written as it stands', () => {
    const { graph } = rememberingModel();
    const transposes = (each: Model | Graph): number =>
      readOnnx(writeOnnx(each).bytes).graph.nodes.filter(({ op }) => op === 'Transpose').length;
    expect(transposes(graph)).toBe(2);
    expect(transposes(rememberingModel())).toBe(0);
  });

  it('is refused where it names what the file lacks', () => {
    const model = rememberingModel();
    const missing = JSON.stringify({
      version: 1,
      ...{ name: 'm', parameters: [], layers: [] },
      losses: [{ name: 'cell.energy', value: 'nowhere' }],
    });
    const { bytes } = writeOnnx(model.graph, { metadata: { 'modelwright.model': missing } });
    expect(() => readOnnx(bytes)).toThrow(/loss 'cell\.energy' names 'nowhere'/);
  });
});

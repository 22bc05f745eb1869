import {
  backpropagate,
  createReferenceBackend,
  evaluateGraph,
  fromNumbers,
  type Graph,
  GraphBuilder,
  type OpAttributes,
  type Program,
  type Tensor,
  type TensorMap,
  toNumbers,
  type Value,
} from '@modelwright/core';
import { writeOnnx } from '@modelwright/onnx';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createBackend } from '../../backend.js';
import { createEngine } from '../../engine/create-engine.js';
import type { Engine } from '../../engine/engine.js';
import { poolBeforeRelu } from '../pool-before-relu.js';
import { blockConvolutions } from './block-convolutions.js';
import { fromBlocked, toBlocked } from './blocked-layout.js';
import { maxPoolBlocked, maxPoolGradientBlocked, sumOfChannels } from './blocked-pooling.js';
import { probeBlock } from './probe-block.js';

let engine: Engine;
let block: number | undefined;
beforeAll(async () => {
  engine = await createEngine('native');
  block = await probeBlock(engine);
});
afterAll(() => engine.dispose());

/** Few different numbers, so that windows hold their maximum more than once. */
function steps(shape: readonly number[], stream: number): Tensor {
  const count = shape.reduce((product, extent) => product * extent, 1);
  return fromNumbers(
    'float32',
    shape,
    Float64Array.from({ length: count }, (_, index) => Math.round(3 * Math.sin(index * 1.3 + stream)) / 4),
  );
}

function waves(shape: readonly number[], stream: number, scale: number): Tensor {
  const count = shape.reduce((product, extent) => product * extent, 1);
  const values = Float64Array.from(
    { length: count },
    (_, index) => scale * Math.sin(index * 1.3 + (index % 97) + stream),
  );
  return fromNumbers('float32', shape, values);
}

async function run(graph: Graph, inputs: TensorMap): Promise<Tensor[]> {
  const session = await engine.createSession(writeOnnx(graph).bytes);
  const names = graph.inputs.map(({ name }) => name);
  const outputs = graph.outputs.map(({ name }) => name);
  const values = names.map((name) => engine.createValue(inputs[name] as Tensor));
  return session.plan(names, outputs).run(
    values,
    outputs.map(() => null),
  );
}

function expectClose(given: Tensor | undefined, expected: Tensor | undefined, what: string): void {
  expect(given?.shape, what).toEqual(expected?.shape);
  const right = toNumbers(expected as Tensor);
  const scale = Math.max(...right.map(Math.abs));
  const worst = toNumbers(given as Tensor).reduce(
    (most, value, index) => Math.max(most, Math.abs(value - (right[index] as number))),
    0,
  );
  expect(worst, what).toBeLessThan(2e-5 * scale + 1e-6);
}

describe('pooling in the blocked layout equals plain pooling, the first of equal maxima included', () => {
  it.each([
    { extents: [8, 6], kernel: [2, 2] },
    { extents: [11, 10], kernel: [3, 2] },
    { extents: [9, 13], kernel: [2, 3], mostExactPlaces: 0 },
  ])('%j', async ({ extents, kernel, ...more }) => {
    if (block === undefined) return expect(await probeBlock(engine)).toBeUndefined();
    const shape = [3, 2 * block, ...extents];
    const pooledShape = [3, 2 * block, ...extents.map((extent, axis) => Math.floor(extent / (kernel[axis] as number)))];
    const attributes = { kernel_shape: kernel, strides: kernel } as unknown as OpAttributes['MaxPoolGradient'];
    const inputs = { x: steps(shape, 0), dy: steps(pooledShape, 5) };
    const build = (make: (builder: GraphBuilder, x: Value, dy: Value) => readonly Value[]): Graph => {
      const builder = new GraphBuilder('pooling');
      const [x, dy] = [builder.input('x', 'float32', shape), builder.input('dy', 'float32', pooledShape)];
      make(builder, x, dy).forEach((value, index) => {
        builder.output(`y${index}`, value);
      });
      return builder.build();
    };
    const plain = build((builder, x, dy) => {
      const y = builder.op('MaxPool', [x], attributes);
      const dx = builder.op('MaxPoolGradient', [x, y, dy], attributes);
      return [y, dx, builder.op('ReduceSum', [dx, builder.integers([0, 2, 3])], { keepdims: 0 })];
    });
    const blocked = build((builder, x, dy) => {
      const pooling = { builder, attributes, block: block as number, ...more };
      const source = toBlocked(builder, x);
      const y = maxPoolBlocked(pooling, source);
      const dx = maxPoolGradientBlocked(pooling, source, y, toBlocked(builder, dy));
      return [fromBlocked(builder, y), fromBlocked(builder, dx), sumOfChannels(pooling, dx)];
    });
    const wanted = evaluateGraph(plain, inputs);
    const given = await run(blocked, inputs);
    given.forEach((each, index) => {
      expectClose(each, wanted[`y${index}`], `y${index}`);
    });
  });
});

/** Two convolutions with poolings behind them, their gradients as outputs. */
function convolutionalStep(): { readonly program: Program; readonly inputs: TensorMap } {
  const builder = new GraphBuilder('step');
  const inputs: { [name: string]: Tensor } = {};
  const input = (name: string, shape: readonly number[], scale = 1): Value => {
    // Without ties, which rounding would decide.
    inputs[name] = waves(shape, name.length, scale);
    return builder.input(name, 'float32', shape);
  };
  const x = input('x', [16, 2, 30, 30]);
  const weights = [
    input('kernel1', [32, 2, 3, 3], 0.5),
    input('bias1', [32], 0.3),
    input('kernel2', [16, 32, 3, 3], 0.1),
    input('bias2', [16], 0.2),
  ] as const;
  const pads = [1, 1, 1, 1];
  const pool = (value: Value): Value =>
    builder.op('MaxPool', [builder.op('Relu', [value])], { kernel_shape: [2, 2], strides: [2, 2] });
  const first = pool(builder.op('Conv', [x, weights[0], weights[1]], { pads }));
  const second = pool(builder.op('Conv', [first, weights[2], weights[3]], { pads }));
  const loss = builder.op('ReduceMean', [builder.op('Mul', [second, second])], { keepdims: 0 });
  builder.output('loss', loss);
  backpropagate(builder, [{ value: loss }], [...weights, x]).forEach((gradient, index) => {
    builder.output(`gradient${index}`, gradient as Value);
  });
  return { program: { graph: builder.build(), state: [] }, inputs };
}

describe('a convolutional network', () => {
  const { program, inputs } = convolutionalStep();

  it('has the gradients that the reference has', async () => {
    const backend = await createBackend();
    const given = await (await backend.compile(program)).run(inputs);
    const wanted = await (await createReferenceBackend().compile(program)).run(inputs);
    for (const [name, expected] of Object.entries(wanted)) expectClose(given[name], expected, name);
    await backend.dispose();
  });

  it('keeps to the layout from the first convolution to the last pooling, and back', () => {
    const { nodes } = blockConvolutions(poolBeforeRelu(program.graph), block ?? 16);
    const read = new Set(nodes.flatMap((node) => node.inputs));
    const count = (op: string): number =>
      nodes.filter((node) => node.op === op && node.outputs.some((output) => read.has(output))).length;
    // The gradient that comes from the loss is brought in, and the padded input of the weight gradient.
    expect(count('ReorderInput')).toBe(2);
    expect(nodes.filter(({ op, domain }) => op.startsWith('MaxPool') && domain === '')).toEqual([]);
  });
});

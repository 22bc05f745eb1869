import { fromNumbers, GraphBuilder, type Tensor, toNumbers, type Value, zeros } from '@modelwright/core';
import { writeOnnx } from '@modelwright/onnx';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createEngine } from '../../engine/create-engine.js';
import type { Engine } from '../../engine/engine.js';
import { convolveBlocked, weightGradientBlocked } from './blocked-convolution.js';
import { BlockedValues } from './blocked-values.js';
import { probeBlock } from './probe-block.js';

let engine: Engine;
let block: number | undefined;

beforeAll(async () => {
  engine = await createEngine('native');
  block = await probeBlock(engine);
});
afterAll(() => engine.dispose());

interface Case {
  readonly x: readonly [number, number, number, number];
  readonly outputs: number;
  readonly kernel: readonly [number, number];
  readonly strides?: readonly number[];
  readonly dilations?: readonly number[];
  readonly pads?: readonly number[];
}

const cases: readonly Case[] = [
  { x: [16, 32, 9, 11], outputs: 48, kernel: [3, 3], pads: [1, 1, 1, 1] },
  { x: [16, 3, 9, 11], outputs: 16, kernel: [5, 3] },
  { x: [32, 16, 10, 10], outputs: 32, kernel: [3, 3], strides: [2, 2], pads: [0, 0, 1, 1] },
  { x: [16, 16, 12, 12], outputs: 16, kernel: [3, 2], dilations: [2, 3], pads: [2, 0, 1, 3] },
  { x: [16, 1, 13, 13], outputs: 32, kernel: [3, 3], strides: [3, 2] },
];

function wave(shape: readonly number[], stream: number): Tensor {
  const count = shape.reduce((product, extent) => product * extent, 1);
  return fromNumbers(
    'float32',
    shape,
    Float64Array.from({ length: count }, (_, index) => Math.sin(index * 1.3 + stream)),
  );
}

async function run(
  build: (builder: GraphBuilder, x: Value, other: Value) => readonly Value[],
  x: Tensor,
  other: Tensor,
): Promise<Tensor[]> {
  const builder = new GraphBuilder('blocked');
  const results = build(
    builder,
    builder.input('x', 'float32', x.shape),
    builder.input('other', 'float32', other.shape),
  );
  results.forEach((value, index) => {
    builder.output(`y${index}`, value);
  });
  const session = await engine.createSession(writeOnnx(builder.build()).bytes);
  const names = results.map((_, index) => `y${index}`);
  const outputs = results.map(({ shape }) => engine.createValue(zeros('float32', shape as readonly number[])));
  return session.plan(['x', 'other'], names).run([engine.createValue(x), engine.createValue(other)], outputs);
}

function expectClose(given: Tensor, expected: Tensor): void {
  expect(given.shape).toEqual(expected.shape);
  const right = toNumbers(expected);
  const scale = Math.max(...right.map(Math.abs));
  toNumbers(given).forEach((value, index) => {
    expect(Math.abs(value - (right[index] as number))).toBeLessThan(1e-5 * scale + 1e-6);
  });
}

describe('blocked convolutions equal plain ones', () => {
  test.each(cases)('%j', async ({ x: shape, outputs, kernel, ...window }) => {
    if (block === undefined) return expect(await probeBlock(engine)).toBeUndefined();
    const size = block;
    const attributes = { ...window, group: 1, auto_pad: 'NOTSET' as const };
    const weightShape = [outputs, shape[1], ...kernel];
    const [x, weight] = [wave(shape, 0), wave(weightShape, 1)];
    const [blocked, plain] = (await run(
      (builder, input, other) => [
        convolveBlocked(
          { builder, attributes, block: size, leastMultiplications: 0, values: new BlockedValues(builder) },
          { x: input, weight: other },
        ) as Value,
        builder.op('Conv', [input, other], attributes),
      ],
      x,
      weight,
    )) as [Tensor, Tensor];
    expectClose(blocked, plain);
    const [strides, dilations] = [window.strides ?? [1, 1], window.dilations ?? [1, 1]];
    const [gradient, reference] = (await run(
      (builder, input, dy) => {
        const request = {
          builder,
          attributes: { ...attributes, weight_shape: weightShape },
          block: size,
          leastMultiplications: 0,
          values: new BlockedValues(builder),
        };
        const swap = (value: Value): Value => builder.op('Transpose', [value], { perm: [1, 0, 2, 3] });
        const swapped = { ...attributes, strides: dilations, dilations: strides };
        const all = builder.op('Conv', [swap(input), swap(dy)], swapped);
        const starts = builder.integers([0, 0]);
        const cut = builder.op('Slice', [all, starts, builder.integers([...kernel]), builder.integers([2, 3])]);
        return [weightGradientBlocked(request, input, dy) as Value, swap(cut)];
      },
      x,
      wave(plain.shape, 2),
    )) as [Tensor, Tensor];
    expectClose(gradient, reference);
  });
});

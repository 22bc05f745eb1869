import { type Graph, GraphBuilder, type Value } from '@modelwright/core';
import { expect, test } from 'vitest';
import { threadCountFor } from './thread-count.js';

/** A recurrence of `units` over 10 steps behind a product with a square matrix of `around`. */
function graphOf(
  units: number,
  around: number,
  build: (builder: GraphBuilder, value: Value) => Value = (_, x) => x,
): Graph {
  const builder = new GraphBuilder('loop');
  const wide = builder.input('wide', 'float32', [around, around]);
  builder.output('product', builder.op('MatMul', [wide, wide]));
  const [h, x] = [builder.input('h', 'float32', [32, units]), builder.input('x', 'float32', [10, 32, units])];
  const w = builder.input('w', 'float32', [units, units]);
  const body = builder.subgraph('body', (inner) => {
    const state = inner.input('state', 'float32', [32, units]);
    const now = inner.input('now', 'float32', [32, units]);
    inner.output('next', inner.op('Add', [now, inner.op('MatMul', [state, w])]));
  });
  builder.output('last', build(builder, builder.op('Scan', [h, x], { body, num_scan_inputs: 1 })));
  return builder.build();
}

test('a loop of small steps runs in one thread', () => {
  expect(threadCountFor(graphOf(64, 64))).toBe(1);
});

test('large steps, and much around small ones, use all', () => {
  expect(threadCountFor(graphOf(512, 64))).toBeUndefined();
  expect(threadCountFor(graphOf(64, 512))).toBeUndefined();
  const convolved = graphOf(64, 64, (builder, last) => {
    const image = builder.op('Reshape', [last, builder.integers([32, 64, 1, 1])]);
    return builder.op('Conv', [image, builder.input('filter', 'float32', [8, 64, 1, 1])]);
  });
  expect(threadCountFor(convolved)).toBeUndefined();
});

test('without a loop nothing is decided', () => {
  const builder = new GraphBuilder('plain');
  const x = builder.input('x', 'float32', [4, 4]);
  builder.output('y', builder.op('MatMul', [x, x]));
  expect(threadCountFor(builder.build())).toBeUndefined();
});

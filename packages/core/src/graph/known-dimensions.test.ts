import { expect, test } from 'vitest';
import { evaluateGraph } from '../reference/evaluate.js';
import type { Dimension } from '../tensor/shape.js';
import { fullTensor, type Tensor, tensor, zeros } from '../tensor/tensor.js';
import type { Value } from './graph.js';
import { GraphBuilder } from './graph-builder.js';

type Build = (builder: GraphBuilder, x: Value) => Value;

const shape = (b: GraphBuilder, x: Value): Value => b.op('Shape', [x]);
const at = (b: GraphBuilder, x: Value, axis: number): Value =>
  b.op('Gather', [shape(b, x), b.scalar(axis, 'int64')], { axis: 0 });
const unsqueezed = (b: GraphBuilder, value: Value): Value => b.op('Unsqueeze', [value, b.integers([0])]);

// Shape computations as exporters write them, on an input of shape [batch, 6, seq, 4].
const programs: readonly (readonly [string, Build, readonly Dimension[]])[] = [
  [
    'view(batch, -1)',
    (b, x) => b.op('Reshape', [x, b.op('Concat', [unsqueezed(b, at(b, x, 0)), b.integers([-1])], { axis: 0 })]),
    ['batch', '24*seq'],
  ],
  [
    'flatten of the last two axes by a slice of the shape and the product of the rest',
    (b, x) => {
      const lead = b.op('Slice', [shape(b, x), b.integers([0]), b.integers([2]), b.integers([0])]);
      const tail = b.op('Slice', [shape(b, x), b.integers([-2]), b.integers([2 ** 31]), b.integers([0])]);
      const merged = b.op('ReduceProd', [tail, b.integers([0])], { keepdims: 1 });
      return b.op('Reshape', [x, b.op('Concat', [lead, merged], { axis: 0 })]);
    },
    ['batch', 6, '4*seq'],
  ],
  [
    'heads split by an integer division',
    (b, x) => {
      const heads = b.op('Div', [at(b, x, 1), b.scalar(2, 'int64')]);
      const parts = [unsqueezed(b, at(b, x, 0)), b.integers([2]), unsqueezed(b, heads), b.integers([-1])];
      return b.op('Reshape', [x, b.op('Concat', parts, { axis: 0 })]);
    },
    ['batch', 2, 3, '4*seq'],
  ],
  [
    'expand(-1, …): a Where over the shape',
    (b, x) => {
      const wanted = b.op('Concat', [unsqueezed(b, at(b, x, 0)), b.integers([1, 3, 1])], { axis: 0 });
      const ones = b.op('ConstantOfShape', [b.integers([4])], { value: tensor([1], { dtype: 'int64' }) });
      const isOpen = b.op('Equal', [wanted, b.op('Mul', [ones, b.integers([-1])])]);
      const row = b.op('Slice', [x, b.integers([0]), b.integers([1]), b.integers([2])]);
      return b.op('Expand', [row, b.op('Where', [isOpen, ones, wanted])]);
    },
    ['batch', 6, 3, 4],
  ],
  [
    'positions: Range up to an extent',
    (b, x) => b.op('Range', [b.scalar(0, 'int64'), at(b, x, 2), b.scalar(1, 'int64')]),
    ['seq'],
  ],
  [
    'a table cut to the length of the sequence',
    (b, x) => {
      const table = b.constant(fullTensor('float32', [512, 4], 1));
      return b.op('Slice', [table, b.integers([0]), unsqueezed(b, at(b, x, 2)), b.integers([0])]);
    },
    ['seq', 4],
  ],
  [
    'all but the last step',
    (b, x) => b.op('Slice', [x, b.integers([0]), b.integers([-1]), b.integers([2])]),
    ['batch', 6, 'seq-1', 4],
  ],
  [
    'the last step',
    (b, x) => b.op('Slice', [x, b.integers([-1]), b.integers([2 ** 31]), b.integers([2])]),
    ['batch', 6, 1, 4],
  ],
  [
    'the shape reversed',
    (b, x) => {
      const reversed = b.op('Slice', [
        shape(b, x),
        b.integers([-1]),
        b.integers([-9]),
        b.integers([0]),
        b.integers([-1]),
      ]);
      return b.op('ConstantOfShape', [reversed]);
    },
    [4, 'seq', 6, 'batch'],
  ],
  [
    'twice the size, by way of floats',
    (b, x) => {
      const doubled = b.op('Mul', [b.op('Cast', [at(b, x, 2)], { to: 1 }), b.scalar(2, 'float32')]);
      const back = b.op('Cast', [b.op('Floor', [doubled])], { to: 7 });
      return b.op('ConstantOfShape', [unsqueezed(b, back)]);
    },
    ['2*seq'],
  ],
  [
    'a shape taken apart by Split',
    (b, x) => {
      const parts = b.node('Split', [shape(b, x)], { axis: 0 }, { outputs: 4 });
      return b.op('ConstantOfShape', [b.op('Concat', [parts[2], parts[0]], { axis: 0 })]);
    },
    ['seq', 'batch'],
  ],
  [
    'Max, Min and Mod of numbers',
    (b, x) => {
      const rows = b.op('Max', [at(b, x, 1), at(b, x, 3)]);
      const columns = b.op('Min', [at(b, x, 1), at(b, x, 3)]);
      const rest = b.op('Mod', [rows, columns]);
      return b.op('ConstantOfShape', [
        b.op('Concat', [unsqueezed(b, rows), unsqueezed(b, columns), unsqueezed(b, rest)], { axis: 0 }),
      ]);
    },
    [6, 4, 2],
  ],
];

test.each(programs)('%s', (_, build, expected) => {
  const builder = new GraphBuilder('shapes');
  const x = builder.input('x', 'float32', ['batch', 6, 'seq', 4]);
  const result = build(builder, x);
  expect(result.shape).toEqual(expected);
  builder.output('y', result);
  const { y } = evaluateGraph(builder.build(), { x: zeros('float32', [2, 6, 5, 4]) });
  expect((y as Tensor).shape).toEqual(expected.map((extent) => numberOf(extent, { batch: 2, seq: 5 })));
});

function numberOf(extent: Dimension, binding: { readonly [symbol: string]: number }): number {
  return Number(new Function(...Object.keys(binding), `return ${extent}`)(...Object.values(binding)));
}

test('what only the run can tell is a symbol of its own', () => {
  const builder = new GraphBuilder('unknown');
  const x = builder.input('x', 'float32', [2, 3]);
  const count = builder.input('count', 'int64', [1]);
  const wanted = builder.op('Concat', [count, builder.integers([3])], { axis: 0 });
  const y = builder.op('Expand', [builder.op('Unsqueeze', [x, builder.integers([0])]), wanted]);
  expect(y.shape.slice(1)).toEqual([2, 3]);
  const filled = builder.op('ConstantOfShape', [wanted]);
  expect(filled.shape[0]).toMatch(/^\?/);
  expect(filled.shape[1]).toBe(3);
});

test('nothing is known of vectors whose length, or steps, only the run can tell', () => {
  const builder = new GraphBuilder('unknown');
  const fed = builder.input('fed', 'int64', [1]);
  const zeros = builder.op('ConstantOfShape', [fed], { value: tensor([0], { dtype: 'int64' }) });
  const repeated = builder.op('Expand', [builder.integers([7]), fed]);
  const stepped = builder.op('Slice', [
    ...[builder.integers([1, 2, 3, 4]), builder.integers([0]), builder.integers([4])],
    ...[builder.integers([0]), fed],
  ]);
  for (const value of [zeros, repeated, stepped]) expect(builder.known.of(value)).toBeUndefined();
});

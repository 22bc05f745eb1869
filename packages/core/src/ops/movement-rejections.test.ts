import { describe, expect, test } from 'vitest';
import { isModelwrightError } from '../errors.js';
import { backpropagate } from '../gradient/backpropagate.js';
import type { Value } from '../graph/graph.js';
import { GraphBuilder } from '../graph/graph-builder.js';
import { foldConstants } from '../passes/fold-constants.js';
import { evaluateGraph } from '../reference/evaluate.js';
import { type Tensor, tensor, zeros } from '../tensor/tensor.js';

type Build = (builder: GraphBuilder, x: Value) => unknown;
type BuildWithIndices = (builder: GraphBuilder, x: Value, indices: Value) => Value;

// On x: float32 [2,3,4].
const refusals: readonly (readonly [string, Build, string, string])[] = [
  ['two open extents', (b, x) => b.op('Reshape', [x, b.integers([-1, -1])]), 'value-out-of-range', 'more than one -1'],
  [
    'a negative extent',
    (b, x) => b.op('Reshape', [x, b.integers([-2, 12])]),
    'value-out-of-range',
    'negative extent -2',
  ],
  [
    'an open extent that is no integer',
    (b, x) => b.op('Reshape', [x, b.integers([5, -1])]),
    'shape-mismatch',
    '[5,-1]',
  ],
  ['a copied axis past the last', (b, x) => b.op('Reshape', [x, b.integers([2, 3, 4, 0])]), 'shape-mismatch', 'axis 3'],
  ['a shape of floats', (b, x) => b.op('Reshape', [x, b.constant([2, 12])]), 'dtype-mismatch', 'float32'],
  ['squeezing a long axis', (b, x) => b.op('Squeeze', [x, b.integers([1])]), 'shape-mismatch', 'extent 3'],
  ['one axis twice', (b, x) => b.op('Unsqueeze', [x, b.integers([0, 0])]), 'value-out-of-range', 'twice'],
  ['flattening past the rank', (b, x) => b.op('Flatten', [x], { axis: 4 }), 'invalid-attribute', '-3…3'],
  ['expanding a long axis', (b, x) => b.op('Expand', [x, b.integers([2, 5, 4])]), 'shape-mismatch', '[2,5,4]'],
  ['too few repeats', (b, x) => b.op('Tile', [x, b.integers([2])]), 'shape-mismatch', '1 repeats'],
  [
    'a step of 0',
    (b, x) => b.op('Slice', [x, ...[0, 1, 0, 0].map((n) => b.integers([n]))]),
    'value-out-of-range',
    'step',
  ],
  [
    'one sliced axis twice',
    (b, x) => b.op('Slice', [x, ...[0, 1, 0].map((n) => b.integers([n, n]))]),
    'value-out-of-range',
    'twice',
  ],
  [
    'starts without ends',
    (b, x) => b.op('Slice', [x, b.integers([0, 0]), b.integers([1])]),
    'shape-mismatch',
    'lengths',
  ],
  [
    'pieces that do not add up',
    (b, x) => b.node('Split', [x, b.integers([1, 2])], { axis: 2 }),
    'shape-mismatch',
    'add up to 3',
  ],
  ['halves of 3', (b, x) => b.node('Split', [x], { axis: 1 }, { outputs: 2 }), 'shape-mismatch', '2 equal pieces'],
  [
    'sizes beside a count',
    (b, x) => b.node('Split', [x, b.integers([1, 1])], { num_outputs: 2 }),
    'invalid-attribute',
    'only one',
  ],
  [
    'joining two dtypes',
    (b, x) => b.op('Concat', [x, b.input('y', 'int32', [2, 3, 4])], { axis: 0 }),
    'dtype-mismatch',
    'int32',
  ],
  [
    'joining two ranks',
    (b, x) => b.op('Concat', [x, b.input('y', 'float32', [2, 3])], { axis: 0 }),
    'shape-mismatch',
    '[2,3]',
  ],
  ['float indices', (b, x) => b.op('Gather', [x, b.constant([0])]), 'dtype-mismatch', 'int64, int32'],
  ['indices of another rank', (b, x) => b.op('GatherElements', [x, b.integers([0])]), 'shape-mismatch', 'ranks'],
  [
    'indices deeper than the data',
    (b, x) => b.op('GatherND', [x, b.constant([[0, 0, 0, 0]], { dtype: 'int64' })]),
    'shape-mismatch',
    '4 axes',
  ],
  [
    'updates of another shape',
    (b, x) => b.op('ScatterND', [x, b.constant([[0]], { dtype: 'int64' }), b.constant([1])]),
    'shape-mismatch',
    '[1,3,4]',
  ],
  [
    'an unknown reduction',
    (b, x) =>
      b.op('ScatterND', [x, b.constant([[0]], { dtype: 'int64' }), b.input('u', 'float32', [1, 3, 4])], {
        reduction: 'mean' as 'add',
      }),
    'invalid-attribute',
    'none, add',
  ],
  [
    'one value for OneHot',
    (b) => b.op('OneHot', [b.integers([0]), b.scalar(3, 'int64'), b.constant([1])]),
    'shape-mismatch',
    '[off, on]',
  ],
  ['a triangle of a vector', (b) => b.op('Trilu', [b.constant([1])]), 'shape-mismatch', '2 axes'],
  [
    'blocks that do not fit',
    (b) => b.op('DepthToSpace', [b.input('i', 'float32', [1, 6, 2, 2])], { blocksize: 2 }),
    'shape-mismatch',
    'multiple of 4',
  ],
  ['a cast to nothing', (b, x) => b.op('Cast', [x], { to: 99 }), 'unsupported-dtype', '99'],
  [
    'a range that stands still',
    (b) =>
      b.op(
        'Range',
        [0, 3, 0].map((n) => b.scalar(n, 'int64')),
      ),
    'value-out-of-range',
    'delta',
  ],
  [
    'a constant of two values as a filling',
    (b) => b.op('ConstantOfShape', [b.integers([2])], { value: tensor([1, 2]) }),
    'invalid-attribute',
    '2 elements',
  ],
  [
    'integers where chance makes floats',
    (b) => b.op('RandomNormal', [], { shape: [1], dtype: 7 }),
    'invalid-attribute',
    'int64',
  ],
  ['dropout of integers', (b) => b.op('Dropout', [b.integers([1])]), 'dtype-mismatch', 'floating'],
];

describe('refused as the graph is built', () => {
  test.each(refusals)('%s', (_, build, code, says) => {
    const builder = new GraphBuilder('refusals');
    const x = builder.input('x', 'float32', [2, 3, 4]);
    let caught: unknown;
    try {
      build(builder, x);
    } catch (error) {
      caught = error;
    }
    expect(isModelwrightError(caught), String(caught)).toBe(true);
    expect(caught).toMatchObject({ code, message: expect.stringContaining(says) });
  });
});

// What only the run can find out, on x: float32 [2,3] and i: int64 [n].
const failures: readonly (readonly [string, BuildWithIndices, readonly number[], string, string])[] = [
  ['an index past the end', (b, x, i) => b.op('Gather', [x, i], { axis: 1 }), [3], 'value-out-of-range', 'index 3'],
  ['an index before the start', (b, x, i) => b.op('Gather', [x, i]), [-3], 'value-out-of-range', '-2…1'],
  ['a place past the end', (b, x, i) => b.op('GatherND', [x, i]), [0, 7], 'value-out-of-range', 'index 7'],
  ['a shape that does not fit', (b, x, i) => b.op('Reshape', [x, i]), [4, 2], 'shape-mismatch', '[4,2]'],
  ['a shape it cannot be expanded to', (b, x, i) => b.op('Expand', [x, i]), [2, 4], 'shape-mismatch', '[2,4]'],
  [
    'an index into an empty axis',
    (b, _, i) => b.op('Gather', [b.constant(zeros('float32', [0, 2])), i]),
    [0],
    'value-out-of-range',
    'empty',
  ],
];

describe('refused as the graph runs', () => {
  test.each(failures)('%s', (_, build, indices, code, says) => {
    const builder = new GraphBuilder('failures');
    const x = builder.input('x', 'float32', [2, 3]);
    const held = builder.input('i', 'int64', [indices.length]);
    builder.output('y', build(builder, x, held));
    const inputs = { x: zeros('float32', [2, 3]), i: tensor(indices, { dtype: 'int64', shape: [indices.length] }) };
    let caught: unknown;
    try {
      evaluateGraph(builder.build(), inputs);
    } catch (error) {
      caught = error;
    }
    expect(caught).toMatchObject({ code, message: expect.stringContaining(says) });
  });
});

test.each(['mul', 'max', 'min'] as const)(
  'no gradient passes a scatter with reduction %s, and it says why',
  (reduction) => {
    const builder = new GraphBuilder('scatter');
    const x = builder.input('x', 'float64', [3]);
    const y = builder.op(
      'ScatterND',
      [x, builder.constant([[0]], { dtype: 'int64' }), builder.constant([2], { dtype: 'float64' })],
      { reduction },
    );
    expect(() => backpropagate(builder, [{ value: y }], [x])).toThrow(/known only as it runs/);
  },
);

test('results beyond all memory are refused, whichever op asks for them', () => {
  const huge = [2 ** 20, 2 ** 20, 2 ** 10];
  const asks: readonly ((builder: GraphBuilder) => Value)[] = [
    (b) => b.op('ConstantOfShape', [b.integers(huge)]),
    (b) => b.op('Expand', [b.constant([1]), b.integers(huge)]),
    (b) => b.op('Tile', [b.constant([1]), b.integers([2 ** 50])]),
    (b) => b.op('Range', [b.scalar(0, 'int64'), b.scalar(2 ** 50, 'int64'), b.scalar(1, 'int64')]),
    (b) => b.op('OneHot', [b.integers([0]), b.scalar(2 ** 50, 'int64'), b.constant([0, 1])]),
  ];
  for (const ask of asks) {
    const builder = new GraphBuilder('huge');
    builder.output('y', ask(builder));
    const graph = foldConstants.run(builder.build());
    expect(() => evaluateGraph(graph, {})).toThrow(expect.objectContaining({ code: 'limit-exceeded' }));
  }
});

test('text moves like numbers', () => {
  const builder = new GraphBuilder('text');
  const words = builder.constant(tensor(['a', 'b', 'c', 'd'], { shape: [2, 2] }));
  const swapped = builder.op('Transpose', [words]);
  builder.output('y', builder.op('Concat', [swapped, words], { axis: 0 }));
  const { y } = evaluateGraph(builder.build(), {});
  expect((y as Tensor).data).toEqual(['a', 'c', 'b', 'd', 'a', 'b', 'c', 'd']);
});

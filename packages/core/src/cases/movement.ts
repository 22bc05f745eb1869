import type { DType } from '../tensor/dtype.js';
import { floats, given, type OpCase, random, vector } from './case.js';
import { joiningCases } from './movement-joining.js';

/** Every storage class once: the ops move elements without looking at them. */
const movedDTypes: readonly DType[] = [
  'float64',
  'float16',
  'bfloat16',
  'int8',
  'int16',
  'int32',
  'int64',
  'uint8',
  'uint16',
  'uint32',
  'uint64',
  'bool',
];

const reshapes: readonly (readonly [string, readonly number[], readonly number[], number?])[] = [
  ['infer one', [2, 6], [3, -1]],
  ['copy an extent', [2, 3, 4], [0, -1]],
  ['copy a later extent', [2, 3, 4], [2, -1, 0]],
  ['to scalar', [1, 1], []],
  ['from scalar', [], [1, 1]],
  ['empty', [0, 3], [0, 1, 3]],
  ['empty with allowzero', [0, 3], [7, 0], 1],
  ['infer an empty one', [0, 5], [-1, 5]],
  ['large', [10, 1000], [100, -1]],
];

const transposes: readonly (readonly [readonly number[], (readonly number[])?])[] = [
  [[2, 3]],
  [[2, 3, 5]],
  [
    [2, 3, 5],
    [1, 0, 2],
  ],
  [
    [2, 3, 4, 5],
    [0, 2, 3, 1],
  ],
  [
    [2, 3, 4, 5],
    [3, 1, 0, 2],
  ],
  [
    [1, 4, 1],
    [2, 0, 1],
  ],
  [
    [0, 3],
    [1, 0],
  ],
  [[]],
  [
    [100, 101],
    [1, 0],
  ],
];

const expands: readonly (readonly [readonly number[], readonly number[]])[] = [
  [
    [3, 1],
    [3, 4],
  ],
  [
    [3, 1],
    [2, 1, 4],
  ],
  [[3, 4], [1]],
  [
    [3, 4],
    [1, 1, 1],
  ],
  [[], [2, 3]],
  [[1], [0]],
  [
    [1, 3, 1],
    [2, 1, 5],
  ],
  [
    [100, 1],
    [100, 100],
  ],
];

const tiles: readonly (readonly [readonly number[], readonly number[]])[] = [
  [[3], [2]],
  [
    [2, 3],
    [2, 1],
  ],
  [
    [2, 3],
    [1, 3],
  ],
  [
    [2, 1, 3],
    [2, 2, 1],
  ],
  [
    [2, 3],
    [0, 2],
  ],
  [[], []],
  [
    [10, 10],
    [10, 10],
  ],
];

const small = (shape: readonly number[]): boolean => {
  const count = shape.reduce((product, extent) => product * extent, 1);
  return count > 0 && count <= 60;
};
const differentiable = (shape: readonly number[]): { differentiable?: readonly number[] } =>
  small(shape) ? { differentiable: [0] } : {};

/** Cases of the ops that rename, reorder, repeat and join. */
export const movementCases: readonly OpCase[] = [
  ...reshapes.map(
    ([what, shape, to, allowzero = 0]): OpCase => ({
      id: `movement/Reshape/${what}`,
      op: 'Reshape',
      inputs: [floats(shape), vector(to)],
      attributes: { allowzero },
      ...differentiable(shape),
    }),
  ),
  { id: 'movement/Reshape/shape at run time', op: 'Reshape', inputs: [floats([2, 6]), given('int64', [4, -1])] },
  { id: 'movement/Reshape/strings', op: 'Reshape', inputs: [given('string', ['a', 'b', 'c', '']), vector([2, 2])] },
  ...[-3, -1, 0, 1, 2, 3].map(
    (axis): OpCase => ({
      id: `movement/Flatten/axis ${axis}`,
      op: 'Flatten',
      inputs: [floats([2, 3, 4])],
      attributes: { axis },
      differentiable: [0],
    }),
  ),
  { id: 'movement/Flatten/scalar', op: 'Flatten', inputs: [floats([])], attributes: { axis: 0 } },
  { id: 'movement/Flatten/empty', op: 'Flatten', inputs: [random('int32', [2, 0, 3])] },
  { id: 'movement/Squeeze/all', op: 'Squeeze', inputs: [floats([1, 3, 1])], differentiable: [0] },
  { id: 'movement/Squeeze/one', op: 'Squeeze', inputs: [floats([1, 3, 1]), vector([-1])], differentiable: [0] },
  { id: 'movement/Squeeze/two', op: 'Squeeze', inputs: [floats([1, 3, 1]), vector([0, 2])], differentiable: [0] },
  { id: 'movement/Squeeze/to scalar', op: 'Squeeze', inputs: [random('int64', [1, 1]), vector([0, 1])] },
  { id: 'movement/Unsqueeze/front', op: 'Unsqueeze', inputs: [floats([3]), vector([0])], differentiable: [0] },
  { id: 'movement/Unsqueeze/two', op: 'Unsqueeze', inputs: [floats([3, 2]), vector([-1, 1])], differentiable: [0] },
  { id: 'movement/Unsqueeze/scalar', op: 'Unsqueeze', inputs: [floats([]), vector([1, 0])], differentiable: [0] },
  { id: 'movement/Unsqueeze/empty', op: 'Unsqueeze', inputs: [random('bool', [0, 2]), vector([2])] },
  ...transposes.map(
    ([shape, perm]): OpCase => ({
      id: `movement/Transpose/[${shape}] by ${perm ?? 'default'}`,
      op: 'Transpose',
      inputs: [floats(shape)],
      ...(perm === undefined ? {} : { attributes: { perm } }),
      ...differentiable(shape),
    }),
  ),
  ...movedDTypes.map(
    (dtype): OpCase => ({
      id: `movement/Transpose/${dtype}`,
      op: 'Transpose',
      inputs: [random(dtype, [3, 2])],
    }),
  ),
  ...expands.map(
    ([shape, to]): OpCase => ({
      id: `movement/Expand/[${shape}] to [${to}]`,
      op: 'Expand',
      inputs: [floats(shape), vector(to)],
      ...differentiable(shape),
    }),
  ),
  ...(['int32', 'int64', 'bool', 'float16'] as const).map(
    (dtype): OpCase => ({
      id: `movement/Expand/${dtype}`,
      op: 'Expand',
      inputs: [random(dtype, [3, 1]), vector([3, 2])],
    }),
  ),
  ...tiles.map(
    ([shape, repeats]): OpCase => ({
      id: `movement/Tile/[${shape}] by [${repeats}]`,
      op: 'Tile',
      inputs: [floats(shape), vector(repeats)],
      ...differentiable(shape),
    }),
  ),
  ...(['int32', 'int64', 'bool', 'float16'] as const).map(
    (dtype): OpCase => ({ id: `movement/Tile/${dtype}`, op: 'Tile', inputs: [random(dtype, [2, 3]), vector([2, 2])] }),
  ),
  ...joiningCases,
  ...(['DCR', 'CRD'] as const).flatMap((mode): OpCase[] => [
    {
      id: `movement/DepthToSpace/${mode}`,
      op: 'DepthToSpace',
      inputs: [floats([2, 4, 1, 3])],
      attributes: { blocksize: 2, mode },
      differentiable: [0],
    },
    {
      id: `movement/DepthToSpace/${mode} by 3`,
      op: 'DepthToSpace',
      inputs: [floats([1, 18, 1, 2])],
      attributes: { blocksize: 3, mode },
      differentiable: [0],
    },
  ]),
  {
    id: 'movement/DepthToSpace/empty',
    op: 'DepthToSpace',
    inputs: [floats([0, 4, 2, 2])],
    attributes: { blocksize: 2 },
  },
  ...[
    [2, [1, 2, 4, 6]],
    [3, [1, 2, 3, 6]],
    [1, [2, 3, 2, 1]],
  ].map(
    ([blocksize, shape]): OpCase => ({
      id: `movement/SpaceToDepth/by ${blocksize as number}`,
      op: 'SpaceToDepth',
      inputs: [floats(shape as number[])],
      attributes: { blocksize: blocksize as number },
      differentiable: [0],
    }),
  ),
  {
    id: 'movement/ReverseSequence/time first',
    op: 'ReverseSequence',
    inputs: [floats([4, 3]), given('int64', [1, 4, 2])],
    differentiable: [0],
  },
  {
    id: 'movement/ReverseSequence/batch first',
    op: 'ReverseSequence',
    inputs: [floats([2, 5, 3]), given('int64', [5, 3])],
    attributes: { batch_axis: 0, time_axis: 1 },
    differentiable: [0],
  },
  {
    id: 'movement/ReverseSequence/with features',
    op: 'ReverseSequence',
    inputs: [floats([4, 2, 3]), given('int64', [0, 4])],
    differentiable: [0],
  },
  {
    id: 'movement/ReverseSequence/int64',
    op: 'ReverseSequence',
    inputs: [random('int64', [3, 2]), given('int64', [3, 2])],
  },
];

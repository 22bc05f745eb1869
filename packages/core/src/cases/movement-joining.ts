import type { DType } from '../tensor/dtype.js';
import { floats, given, type OpCase, random, vector } from './case.js';

const edge = 2 ** 31 - 1;
const lowest = -(2 ** 31);

interface SliceCase {
  readonly what: string;
  readonly shape: readonly number[];
  readonly starts: readonly number[];
  readonly ends: readonly number[];
  readonly axes?: readonly number[];
  readonly steps?: readonly number[];
}

const slices: readonly SliceCase[] = [
  { what: 'leading axes', shape: [4, 5], starts: [1, 2], ends: [3, 5] },
  { what: 'one axis from the end', shape: [4, 5], starts: [-3], ends: [-1], axes: [-1] },
  { what: 'to the edge', shape: [4, 5], starts: [1], ends: [edge], axes: [1] },
  { what: 'past both edges', shape: [4, 5], starts: [-100, -9], ends: [100, 99] },
  { what: 'nothing left', shape: [4, 5], starts: [3], ends: [1], axes: [0] },
  { what: 'start past the end', shape: [4, 5], starts: [9], ends: [12], axes: [0] },
  { what: 'step 2', shape: [5, 4], starts: [0], ends: [edge], axes: [0], steps: [2] },
  { what: 'step 2 from 1', shape: [6, 4], starts: [1], ends: [edge], axes: [0], steps: [2] },
  { what: 'step 3 on two axes', shape: [5, 8], starts: [1, 0], ends: [5, 8], axes: [0, 1], steps: [3, 3] },
  { what: 'step longer than the axis', shape: [4, 5], starts: [2], ends: [edge], axes: [1], steps: [9] },
  { what: 'reversed', shape: [4, 5], starts: [-1], ends: [lowest], axes: [1], steps: [-1] },
  { what: 'reversed between bounds', shape: [4, 5], starts: [3], ends: [0], axes: [1], steps: [-1] },
  { what: 'reversed from past the edge', shape: [4, 5], starts: [99], ends: [-99], axes: [0], steps: [-1] },
  { what: 'step -2', shape: [7, 3], starts: [5], ends: [lowest], axes: [0], steps: [-2] },
  { what: 'step -3 beside step 2', shape: [7, 6], starts: [6, 1], ends: [0, 6], axes: [0, 1], steps: [-3, 2] },
  { what: 'axes out of order', shape: [3, 4, 5], starts: [1, 0], ends: [4, 2], axes: [2, 0] },
  { what: 'vector', shape: [7], starts: [2], ends: [5] },
  { what: 'empty', shape: [0, 3], starts: [0], ends: [2], axes: [0] },
  { what: 'large', shape: [100, 100], starts: [10, 90], ends: [90, 10], steps: [3, -1] },
];

const movable = (shape: readonly number[]): boolean => shape.reduce((product, extent) => product * extent, 1) <= 60;

const joinedDTypes: readonly DType[] = [
  'float64',
  'float16',
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

/** Cases of the ops that put tensors together and take them apart. */
export const joiningCases: readonly OpCase[] = [
  {
    id: 'movement/Concat/two along the last',
    op: 'Concat',
    inputs: [floats([2, 3]), floats([2, 1])],
    attributes: { axis: -1 },
    differentiable: [0, 1],
  },
  {
    id: 'movement/Concat/three along the first',
    op: 'Concat',
    inputs: [floats([1, 2]), floats([3, 2]), floats([2, 2])],
    attributes: { axis: 0 },
    differentiable: [0, 1, 2],
  },
  {
    id: 'movement/Concat/one of three wanted',
    op: 'Concat',
    inputs: [floats([2, 1, 2]), floats([2, 3, 2]), floats([2, 2, 2])],
    attributes: { axis: 1 },
    differentiable: [1],
  },
  {
    id: 'movement/Concat/single',
    op: 'Concat',
    inputs: [floats([2, 2])],
    attributes: { axis: 0 },
    differentiable: [0],
  },
  {
    id: 'movement/Concat/with an empty one',
    op: 'Concat',
    inputs: [floats([0, 2]), floats([3, 2])],
    attributes: { axis: 0 },
  },
  {
    id: 'movement/Concat/large',
    op: 'Concat',
    inputs: [floats([100, 33]), floats([100, 67])],
    attributes: { axis: 1 },
  },
  ...joinedDTypes.map(
    (dtype): OpCase => ({
      id: `movement/Concat/${dtype}`,
      op: 'Concat',
      inputs: [random(dtype, [2, 2]), random(dtype, [2, 1])],
      attributes: { axis: 1 },
    }),
  ),
  {
    id: 'movement/Split/uneven count',
    op: 'Split',
    inputs: [floats([7, 2])],
    attributes: { num_outputs: 3 },
    outputs: 3,
    differentiable: [0],
  },
  {
    id: 'movement/Split/even count',
    op: 'Split',
    inputs: [floats([2, 6])],
    attributes: { axis: 1, num_outputs: 2 },
    outputs: 2,
    differentiable: [0],
  },
  {
    id: 'movement/Split/sizes',
    op: 'Split',
    inputs: [floats([2, 7]), vector([4, 1, 2])],
    attributes: { axis: -1 },
    outputs: 3,
    differentiable: [0],
  },
  {
    id: 'movement/Split/an empty piece',
    op: 'Split',
    inputs: [floats([3, 2]), vector([3, 0])],
    outputs: 2,
    differentiable: [0],
  },
  {
    id: 'movement/Split/int64',
    op: 'Split',
    inputs: [random('int64', [6])],
    attributes: { num_outputs: 3 },
    outputs: 3,
  },
  ...slices.map(({ what, shape, starts, ends, axes, steps }): OpCase => {
    const bounds = [starts, ends].map(vector);
    return {
      id: `movement/Slice/${what}`,
      op: 'Slice',
      inputs: [
        floats(shape),
        ...bounds,
        axes === undefined ? undefined : vector(axes),
        steps === undefined ? undefined : vector(steps),
      ],
      ...(movable(shape) ? { differentiable: [0] } : {}),
    };
  }),
  {
    id: 'movement/Slice/to INT64_MAX',
    op: 'Slice',
    inputs: [random('int32', [4, 5]), given('int64', [2]), given('int64', [2n ** 63n - 1n]), given('int64', [1])],
  },
  {
    id: 'movement/Slice/int32 bounds',
    op: 'Slice',
    inputs: [
      random('int64', [4, 5]),
      { dtype: 'int32', shape: [1], values: [1], constant: true },
      { dtype: 'int32', shape: [1], values: [3], constant: true },
    ],
  },
  ...joinedDTypes.map(
    (dtype): OpCase => ({
      id: `movement/Slice/${dtype}`,
      op: 'Slice',
      inputs: [random(dtype, [3, 4]), vector([3]), vector([lowest]), vector([1]), vector([-2])],
    }),
  ),
];

import type { DType } from '../tensor/dtype.js';
import { onnxDataType } from '../tensor/onnx-data-type.js';
import { tensor } from '../tensor/tensor.js';
import { floats, given, type OpCase, random, scalar, specialFloats, vector } from './case.js';

const integers: readonly DType[] = ['int8', 'int16', 'int32', 'int64', 'uint8', 'uint16', 'uint32', 'uint64'];
const numeric: readonly DType[] = ['float32', 'float64', 'float16', 'bfloat16', ...integers, 'bool'];

const casts: readonly OpCase[] = [
  ...numeric.flatMap((from): OpCase[] =>
    numeric
      .filter((to) => to !== from)
      .map((to) => ({
        id: `creation/Cast/${from} to ${to}`,
        op: 'Cast',
        inputs: [
          random(
            from,
            [2, 3],
            from.startsWith('int') || from.startsWith('uint') ? { low: 0, high: 7 } : { low: 0, high: 9 },
          ),
        ],
        attributes: { to: onnxDataType(to) },
      })),
  ),
  ...integers
    .filter((dtype) => dtype.startsWith('int'))
    .map(
      (dtype): OpCase => ({
        id: `creation/Cast/negative floats truncate to ${dtype}`,
        op: 'Cast',
        inputs: [given('float32', [-2.9, -0.5, 0.5, 2.9, -7])],
        attributes: { to: onnxDataType(dtype) },
      }),
    ),
  {
    id: 'creation/Cast/special floats to bool',
    op: 'Cast',
    inputs: [specialFloats],
    attributes: { to: onnxDataType('bool') },
  },
  { id: 'creation/Cast/special floats to float64', op: 'Cast', inputs: [specialFloats], attributes: { to: 11 } },
  {
    id: 'creation/Cast/rounding to float16',
    op: 'Cast',
    inputs: [given('float32', [1.0005, 2049, 65519, 65520, 1e-7, 6e-8, -3.15])],
    attributes: { to: onnxDataType('float16') },
  },
  {
    id: 'creation/Cast/rounding to bfloat16',
    op: 'Cast',
    inputs: [given('float32', [1.00390625, 1.01171875, 3.15, -1e-3, 257])],
    attributes: { to: onnxDataType('bfloat16') },
  },
  {
    id: 'creation/Cast/int64 keeps its low bits in int32',
    op: 'Cast',
    inputs: [given('int64', [2n ** 32n + 5n, -(2n ** 31n), 2n ** 62n + 1n, -1n])],
    attributes: { to: onnxDataType('int32') },
  },
  {
    id: 'creation/Cast/int64 beyond 2^53 to uint64',
    op: 'Cast',
    inputs: [given('int64', [2n ** 53n + 1n, 2n ** 62n + 3n])],
    attributes: { to: onnxDataType('uint64') },
  },
  {
    id: 'creation/Cast/text to float32',
    op: 'Cast',
    inputs: [given('string', ['3.25', '-1e-2', 'INF', '-INF', 'NaN', '7'])],
    attributes: { to: onnxDataType('float32') },
  },
  {
    id: 'creation/Cast/text to int64',
    op: 'Cast',
    inputs: [given('string', ['9007199254740993', '-12', '0'])],
    attributes: { to: onnxDataType('int64') },
  },
  { id: 'creation/Cast/int32 to text', op: 'Cast', inputs: [given('int32', [-3, 0, 12])], attributes: { to: 8 } },
  {
    id: 'creation/Cast/float to double',
    op: 'Cast',
    inputs: [floats([2, 3])],
    attributes: { to: 11 },
    differentiable: [0],
  },
  {
    id: 'creation/Cast/double to float',
    op: 'Cast',
    inputs: [random('float64', [5])],
    attributes: { to: 1 },
    differentiable: [0],
  },
  { id: 'creation/Cast/scalar', op: 'Cast', inputs: [floats([])], attributes: { to: 11 }, differentiable: [0] },
  { id: 'creation/Cast/empty', op: 'Cast', inputs: [floats([0, 2])], attributes: { to: 7 } },
  { id: 'creation/Cast/large', op: 'Cast', inputs: [floats([101, 99])], attributes: { to: 6 } },
  {
    id: 'creation/CastLike/to double',
    op: 'CastLike',
    inputs: [floats([2, 2]), random('float64', [1])],
    differentiable: [0],
  },
  {
    id: 'creation/CastLike/to float',
    op: 'CastLike',
    inputs: [random('float64', [3]), floats([])],
    differentiable: [0],
  },
  { id: 'creation/CastLike/same', op: 'CastLike', inputs: [floats([3]), floats([2])], differentiable: [0] },
  { id: 'creation/CastLike/to int64', op: 'CastLike', inputs: [floats([3]), random('int64', [1])] },
];

const made: readonly OpCase[] = [
  {
    id: 'creation/Constant/matrix',
    op: 'Constant',
    inputs: [],
    attributes: {
      value: tensor([
        [1, 2],
        [3, 4],
      ]),
    },
  },
  { id: 'creation/Constant/int64', op: 'Constant', inputs: [], attributes: { value: tensor([5], { dtype: 'int64' }) } },
  { id: 'creation/Constant/text', op: 'Constant', inputs: [], attributes: { value: tensor(['a', 'b']) } },
  { id: 'creation/ConstantOfShape/zeros', op: 'ConstantOfShape', inputs: [vector([2, 3])] },
  {
    id: 'creation/ConstantOfShape/int64',
    op: 'ConstantOfShape',
    inputs: [given('int64', [3])],
    attributes: { value: tensor([7], { dtype: 'int64' }) },
  },
  { id: 'creation/ConstantOfShape/scalar', op: 'ConstantOfShape', inputs: [vector([])] },
  {
    id: 'creation/ConstantOfShape/empty',
    op: 'ConstantOfShape',
    inputs: [vector([2, 0])],
    attributes: { value: tensor([true]) },
  },
  { id: 'creation/Shape/whole', op: 'Shape', inputs: [floats([2, 3, 4])] },
  { id: 'creation/Shape/middle', op: 'Shape', inputs: [floats([2, 3, 4])], attributes: { start: 1, end: -1 } },
  { id: 'creation/Shape/out of range', op: 'Shape', inputs: [floats([2, 3])], attributes: { start: -9, end: 9 } },
  { id: 'creation/Shape/nothing', op: 'Shape', inputs: [floats([2, 3])], attributes: { start: 2, end: 1 } },
  { id: 'creation/Shape/scalar', op: 'Shape', inputs: [floats([])] },
  { id: 'creation/Size/matrix', op: 'Size', inputs: [random('bool', [3, 4])] },
  { id: 'creation/Size/scalar', op: 'Size', inputs: [floats([])] },
  { id: 'creation/Size/empty', op: 'Size', inputs: [floats([2, 0])] },
  {
    id: 'creation/Range/int64',
    op: 'Range',
    inputs: [scalar('int64', 2), scalar('int64', 11), scalar('int64', 3)],
  },
  {
    id: 'creation/Range/downward int32',
    op: 'Range',
    inputs: [scalar('int32', 5), scalar('int32', -3), scalar('int32', -2)],
  },
  { id: 'creation/Range/empty', op: 'Range', inputs: [scalar('int64', 3), scalar('int64', 3), scalar('int64', 1)] },
  {
    id: 'creation/Range/at run time',
    op: 'Range',
    inputs: [scalar('int64', 0), given('int64', [4], []), scalar('int64', 1)],
  },
  ...[
    [0, 1, 0.3],
    [2, -1, -0.5],
    [-1, 5, 2],
  ].map(
    ([start, limit, delta]): OpCase => ({
      id: `creation/Range/float from ${start} to ${limit} by ${delta}`,
      op: 'Range',
      inputs: [
        given('float32', [start as number], []),
        given('float32', [(limit as number) + 0.01], []),
        given('float32', [delta as number], []),
      ],
    }),
  ),
];

/** Cases of constants, ranges, casts and shapes. */
export const creationCases: readonly OpCase[] = [...made, ...casts];

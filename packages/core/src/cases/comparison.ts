import type { DType } from '../tensor/dtype.js';
import { floats, given, type OpCase, random, specialFloats } from './case.js';

const integers: readonly DType[] = ['int8', 'int16', 'int32', 'int64', 'uint8', 'uint16', 'uint32', 'uint64'];
const big = [9007199254740992n, 9007199254740993n, 9007199254740993n];

type ComparisonName = 'Equal' | 'Greater' | 'GreaterOrEqual' | 'Less' | 'LessOrEqual';

function comparisons(op: ComparisonName): readonly OpCase[] {
  const name = `comparison/${op}`;
  return [
    { id: `${name}/same shape`, op, inputs: [floats([3, 5]), floats([3, 5])] },
    { id: `${name}/both broadcast`, op, inputs: [floats([3, 1, 2]), floats([4, 1])] },
    { id: `${name}/scalars`, op, inputs: [floats([]), floats([])] },
    { id: `${name}/empty`, op, inputs: [floats([0, 3]), floats([3])] },
    { id: `${name}/large`, op, inputs: [floats([37, 271]), floats([271])] },
    { id: `${name}/float16`, op, inputs: [random('float16', [3, 2]), random('float16', [2])] },
    {
      id: `${name}/special`,
      op,
      inputs: [specialFloats, given('float32', [0, Number.NaN, Number.POSITIVE_INFINITY], [3, 1])],
    },
    ...integers.map(
      (dtype): OpCase => ({
        id: `${name}/${dtype}`,
        op,
        inputs: [random(dtype, [4, 5], { low: 0, high: 3 }), random(dtype, [5], { low: 0, high: 3 })],
      }),
    ),
    { id: `${name}/int64 beyond 2⁵³`, op, inputs: [given('int64', big), given('int64', [...big].reverse())] },
  ];
}

function logic(op: 'And' | 'Or' | 'Xor'): readonly OpCase[] {
  const name = `comparison/${op}`;
  return [
    { id: `${name}/same shape`, op, inputs: [random('bool', [3, 5]), random('bool', [3, 5])] },
    { id: `${name}/both broadcast`, op, inputs: [random('bool', [3, 1, 2]), random('bool', [4, 1])] },
    { id: `${name}/scalars`, op, inputs: [given('bool', [true], []), given('bool', [false], [])] },
    { id: `${name}/empty`, op, inputs: [random('bool', [0, 3]), random('bool', [3])] },
    { id: `${name}/large`, op, inputs: [random('bool', [37, 271]), random('bool', [271])] },
  ];
}

function bitwise(op: 'BitwiseAnd' | 'BitwiseOr' | 'BitwiseXor'): readonly OpCase[] {
  const across = integers.map(
    (dtype): OpCase => ({
      id: `comparison/${op}/${dtype}`,
      op,
      inputs: [random(dtype, [3, 5], { high: 100 }), random(dtype, [5], { high: 100 })],
    }),
  );
  const signs: OpCase = {
    id: `comparison/${op}/signs`,
    op,
    inputs: [given('int32', [-1, -2147483648, 5]), given('int32', [7, -5, -6])],
  };
  return [...across, signs];
}

function bitShift(dtype: DType): readonly OpCase[] {
  const inputs = [given(dtype, [1, 7, 255, 8]), given(dtype, [1, 3, 4, 0])];
  return (['LEFT', 'RIGHT'] as const).map((direction) => ({
    id: `comparison/BitShift/${dtype} ${direction.toLowerCase()}`,
    op: 'BitShift',
    attributes: { direction },
    inputs,
  }));
}

const condition = random('bool', [3, 5]);

/** Cases of comparisons and logic. */
export const comparisonCases: readonly OpCase[] = [
  ...(['Equal', 'Greater', 'GreaterOrEqual', 'Less', 'LessOrEqual'] as const).flatMap(comparisons),
  { id: 'comparison/Equal/bool', op: 'Equal', inputs: [random('bool', [3, 5]), random('bool', [5])] },
  {
    id: 'comparison/Equal/string',
    op: 'Equal',
    inputs: [given('string', ['a', 'b', '']), given('string', ['a', 'a', ''])],
  },
  ...(['And', 'Or', 'Xor'] as const).flatMap(logic),
  { id: 'comparison/Not/odd', op: 'Not', inputs: [random('bool', [3, 5])] },
  { id: 'comparison/Not/scalar', op: 'Not', inputs: [given('bool', [true], [])] },
  { id: 'comparison/Not/empty', op: 'Not', inputs: [random('bool', [0])] },
  {
    id: 'comparison/Where/same shape',
    op: 'Where',
    inputs: [condition, floats([3, 5]), floats([3, 5])],
    differentiable: [1, 2],
  },
  { id: 'comparison/Where/scalars', op: 'Where', inputs: [condition, floats([]), floats([])], differentiable: [1, 2] },
  {
    id: 'comparison/Where/all broadcast',
    op: 'Where',
    inputs: [random('bool', [3, 1, 1]), floats([4, 1]), floats([2])],
    differentiable: [1, 2],
  },
  {
    id: 'comparison/Where/NaN not taken',
    op: 'Where',
    inputs: [given('bool', [true, false]), given('float32', [1, Number.NaN]), given('float32', [Number.NaN, -0])],
  },
  { id: 'comparison/Where/empty', op: 'Where', inputs: [random('bool', [0, 1]), floats([3]), floats([])] },
  { id: 'comparison/Where/large', op: 'Where', inputs: [random('bool', [37, 1]), floats([37, 271]), floats([271])] },
  ...(['float16', 'float64', 'bool', ...integers] as const).map(
    (dtype): OpCase => ({
      id: `comparison/Where/${dtype}`,
      op: 'Where',
      inputs: [condition, random(dtype, [3, 5]), random(dtype, [5])],
    }),
  ),
  {
    id: 'comparison/Where/string',
    op: 'Where',
    inputs: [given('bool', [true, false]), given('string', ['a', 'b']), given('string', ['c'], [1])],
  },
  { id: 'comparison/IsNaN/special', op: 'IsNaN', inputs: [specialFloats] },
  {
    id: 'comparison/IsNaN/float16',
    op: 'IsNaN',
    inputs: [given('float16', [1, Number.NaN, Number.POSITIVE_INFINITY])],
  },
  { id: 'comparison/IsNaN/empty', op: 'IsNaN', inputs: [floats([2, 0])] },
  { id: 'comparison/IsInf/special', op: 'IsInf', inputs: [specialFloats] },
  { id: 'comparison/IsInf/positive only', op: 'IsInf', attributes: { detect_negative: 0 }, inputs: [specialFloats] },
  { id: 'comparison/IsInf/negative only', op: 'IsInf', attributes: { detect_positive: 0 }, inputs: [specialFloats] },
  {
    id: 'comparison/IsInf/neither',
    op: 'IsInf',
    attributes: { detect_negative: 0, detect_positive: 0 },
    inputs: [specialFloats],
  },
  ...(['BitwiseAnd', 'BitwiseOr', 'BitwiseXor'] as const).flatMap(bitwise),
  ...integers.map(
    (dtype): OpCase => ({ id: `comparison/BitwiseNot/${dtype}`, op: 'BitwiseNot', inputs: [random(dtype, [3, 5])] }),
  ),
  ...(['uint8', 'uint16', 'uint32', 'uint64'] as const).flatMap(bitShift),
];

import type { OpName } from '../ops/registry.js';
import type { DType } from '../tensor/dtype.js';
import { type CaseInput, floats, given, type OpCase, random, scalar, specialFloats } from './case.js';

type UnaryName = Extract<
  OpName,
  | 'Neg'
  | 'Abs'
  | 'Sign'
  | 'Reciprocal'
  | 'Exp'
  | 'Log'
  | 'Sqrt'
  | 'Floor'
  | 'Ceil'
  | 'Round'
  | 'Sin'
  | 'Cos'
  | 'Tan'
  | 'Asin'
  | 'Acos'
  | 'Atan'
  | 'Sinh'
  | 'Cosh'
  | 'Asinh'
  | 'Acosh'
  | 'Atanh'
>;

/** Where each unary op is smooth. */
const domains: { readonly [N in UnaryName]: Pick<CaseInput, 'low' | 'high' | 'avoid'> } = {
  Neg: {},
  Abs: { avoid: [0] },
  Sign: { avoid: [0] },
  Reciprocal: { low: 0.5, high: 3 },
  Exp: {},
  Log: { low: 0.3, high: 4 },
  Sqrt: { low: 0.3, high: 4 },
  Floor: { avoid: [-2, -1, 0, 1, 2] },
  Ceil: { avoid: [-2, -1, 0, 1, 2] },
  Round: { avoid: [-1.5, -0.5, 0.5, 1.5] },
  Sin: {},
  Cos: {},
  Tan: { low: -1.2, high: 1.2 },
  Asin: { low: -0.8, high: 0.8 },
  Acos: { low: -0.8, high: 0.8 },
  Atan: {},
  Sinh: {},
  Cosh: {},
  Asinh: {},
  Acosh: { low: 1.3, high: 4 },
  Atanh: { low: -0.8, high: 0.8 },
};

const integers: readonly DType[] = ['int8', 'int16', 'int32', 'int64', 'uint8', 'uint16', 'uint32', 'uint64'];
const signedIntegers: readonly DType[] = integers.filter((dtype) => dtype.startsWith('int'));

function unaryCases(op: UnaryName): readonly OpCase[] {
  const domain = domains[op];
  const name = `elementwise/${op}`;
  return [
    { id: `${name}/odd`, op, inputs: [floats([3, 5], domain)], differentiable: [0] },
    { id: `${name}/scalar`, op, inputs: [floats([], domain)], differentiable: [0] },
    { id: `${name}/four axes`, op, inputs: [floats([2, 1, 3, 2], domain)], differentiable: [0] },
    { id: `${name}/empty`, op, inputs: [floats([0, 3], domain)] },
    { id: `${name}/large`, op, inputs: [floats([37, 271], domain)] },
    { id: `${name}/float16`, op, inputs: [random('float16', [2, 3], domain)] },
    { id: `${name}/float64`, op, inputs: [random('float64', [2, 3], domain)] },
    { id: `${name}/special`, op, inputs: [specialFloats] },
  ];
}

const int8Edges = [-128, 127, -1, 0, 100, -100, 7, -7];
const int32Edges = [-2147483648, 2147483647, 65537, -65537, 46341, 7, -7, 3];
const int64Edges = [-9223372036854775808n, 9223372036854775807n, 4294967311n, -4294967311n, 7n, -7n, 3n, 1n];

type ArithmeticName = 'Add' | 'Sub' | 'Mul' | 'Div';

function arithmeticCases(op: ArithmeticName): readonly OpCase[] {
  const name = `elementwise/${op}`;
  const right = op === 'Div' ? { low: 0.5, high: 3 } : {};
  return [
    { id: `${name}/same shape`, op, inputs: [floats([3, 5]), floats([3, 5], right)], differentiable: [0, 1] },
    { id: `${name}/row`, op, inputs: [floats([3, 5]), floats([5], right)], differentiable: [0, 1] },
    { id: `${name}/both broadcast`, op, inputs: [floats([3, 1, 2]), floats([4, 1], right)], differentiable: [0, 1] },
    { id: `${name}/scalars`, op, inputs: [floats([]), floats([], right)], differentiable: [0, 1] },
    { id: `${name}/empty`, op, inputs: [floats([0, 3]), floats([1, 3], right)] },
    { id: `${name}/large`, op, inputs: [floats([37, 271]), floats([271], right)] },
    { id: `${name}/float16`, op, inputs: [random('float16', [2, 3]), random('float16', [3], right)] },
    { id: `${name}/float64`, op, inputs: [random('float64', [2, 3]), random('float64', [2, 1], right)] },
    { id: `${name}/special`, op, inputs: [specialFloats, given('float32', [2, 0, -0, Number.NaN, 1e30], [5, 1])] },
    ...integers.map((dtype): OpCase => {
      const inputs = [random(dtype, [3, 5]), random(dtype, [5], { low: 1, high: 7 })];
      return { id: `${name}/${dtype}`, op, inputs };
    }),
    {
      id: `${name}/int8 wraps`,
      op,
      inputs: [given('int8', int8Edges), given('int8', [-7, 100, 3, 7, 100, 100, -3, 3])],
    },
    {
      id: `${name}/int32 wraps`,
      op,
      inputs: [given('int32', int32Edges), given('int32', [3, 46341, 65537, 7, 46341, -3, 3, -7])],
    },
    {
      id: `${name}/int64 wraps`,
      op,
      inputs: [given('int64', int64Edges), given('int64', [3n, 3n, 4294967311n, 7n, 2n, 3n, -7n, -3n])],
    },
  ];
}

type VariadicName = 'Min' | 'Max' | 'Sum' | 'Mean';

function variadicCases(op: VariadicName): readonly OpCase[] {
  const name = `elementwise/${op}`;
  // Elements of the three operands interleave without meeting.
  const three = [
    given('float32', [0.1, 0.9, -1.3, 2.2, -0.7, 1.6], [2, 3]),
    given('float32', [0.5, -0.4, 1.1], [3]),
    given('float32', [-0.2, 0.3], [2, 1]),
  ];
  return [
    { id: `${name}/one`, op, inputs: [floats([2, 3])], differentiable: [0] },
    { id: `${name}/two`, op, inputs: [three[0], three[1]], differentiable: [0, 1] },
    { id: `${name}/three broadcast`, op, inputs: three, differentiable: [0, 1, 2] },
    { id: `${name}/empty`, op, inputs: [floats([0, 2]), floats([2])] },
    { id: `${name}/large`, op, inputs: [floats([37, 271]), floats([37, 1]), floats([])] },
    { id: `${name}/float16`, op, inputs: [random('float16', [2, 3]), random('float16', [3])] },
    { id: `${name}/special`, op, inputs: [specialFloats, given('float32', [0, -0, Number.NaN], [3, 1])] },
  ];
}

function extremeIntegerCases(op: 'Min' | 'Max'): readonly OpCase[] {
  return integers.map((dtype): OpCase => {
    const edges = dtype === 'int64' ? [9007199254740993n, 9007199254740992n] : [3, 5];
    return { id: `elementwise/${op}/${dtype}`, op, inputs: [given(dtype, edges), given(dtype, [...edges].reverse())] };
  });
}

const unaryNames = Object.keys(domains) as UnaryName[];

/** Cases of elementwise arithmetic. */
export const elementwiseCases: readonly OpCase[] = [
  ...unaryNames.flatMap(unaryCases),
  ...signedIntegers.flatMap((dtype): OpCase[] =>
    (['Neg', 'Abs', 'Sign'] as const).map((op) => ({
      id: `elementwise/${op}/${dtype}`,
      op,
      inputs: [given(dtype, [-8, -1, 0, 1, 7])],
    })),
  ),
  { id: 'elementwise/Abs/int64 beyond 2⁵³', op: 'Abs', inputs: [given('int64', int64Edges)] },
  {
    id: 'elementwise/Round/halves',
    op: 'Round',
    inputs: [given('float32', [-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 3.5, 2.4999])],
  },
  { id: 'elementwise/Identity/odd', op: 'Identity', inputs: [floats([3, 5])], differentiable: [0] },
  { id: 'elementwise/Identity/scalar', op: 'Identity', inputs: [floats([])], differentiable: [0] },
  { id: 'elementwise/Identity/three axes', op: 'Identity', inputs: [floats([2, 2, 3])], differentiable: [0] },
  { id: 'elementwise/Identity/int64', op: 'Identity', inputs: [given('int64', int64Edges)] },
  { id: 'elementwise/Identity/bool', op: 'Identity', inputs: [random('bool', [3, 2])] },
  { id: 'elementwise/StopGradient/odd', op: 'StopGradient', inputs: [floats([3, 5])] },
  ...(['Add', 'Sub', 'Mul', 'Div'] as const).flatMap(arithmeticCases),
  {
    id: 'elementwise/Div/int32 truncates',
    op: 'Div',
    inputs: [given('int32', [7, -7, 7, -7, 1]), given('int32', [2, 2, -2, -2, 3])],
  },
  {
    id: 'elementwise/Div/int64 truncates',
    op: 'Div',
    inputs: [given('int64', [7n, -7n, 7n, -7n]), given('int64', [2n, 2n, -2n, -2n])],
  },
  ...powCases(),
  ...(['Min', 'Max', 'Sum', 'Mean'] as const).flatMap(variadicCases),
  ...(['Min', 'Max'] as const).flatMap(extremeIntegerCases),
  ...clipCases(),
  ...modCases(),
];

function powCases(): readonly OpCase[] {
  const base = { low: 0.3, high: 3 };
  return [
    {
      id: 'elementwise/Pow/same shape',
      op: 'Pow',
      inputs: [floats([3, 4], base), floats([3, 4])],
      differentiable: [0, 1],
    },
    { id: 'elementwise/Pow/broadcast', op: 'Pow', inputs: [floats([3, 1], base), floats([4])], differentiable: [0, 1] },
    { id: 'elementwise/Pow/squared', op: 'Pow', inputs: [floats([3, 4]), scalar('float32', 2)], differentiable: [0] },
    { id: 'elementwise/Pow/cubed', op: 'Pow', inputs: [floats([3, 4]), scalar('float32', 3)], differentiable: [0] },
    {
      id: 'elementwise/Pow/rooted',
      op: 'Pow',
      inputs: [floats([3, 4], base), scalar('float32', 0.5)],
      differentiable: [0],
    },
    {
      id: 'elementwise/Pow/zeros',
      op: 'Pow',
      inputs: [given('float32', [0, 0, 0, 1.5, -2]), given('float32', [2, 3, 0, 0, 2])],
      differentiable: [0],
    },
    {
      id: 'elementwise/Pow/int64 exponent',
      op: 'Pow',
      inputs: [floats([3]), given('int64', [2, 3, 0])],
      differentiable: [0],
    },
    {
      id: 'elementwise/Pow/int32 base',
      op: 'Pow',
      inputs: [given('int32', [3, -3, 2, 7]), given('int32', [4, 3, 10, 0])],
    },
    {
      id: 'elementwise/Pow/int32 base, float32 exponent',
      op: 'Pow',
      inputs: [given('int32', [4, 9]), given('float32', [0.5, 2])],
    },
    { id: 'elementwise/Pow/int64', op: 'Pow', inputs: [given('int64', [3n, 10n]), given('int64', [39n, 18n])] },
    { id: 'elementwise/Pow/empty', op: 'Pow', inputs: [floats([0]), floats([])] },
    { id: 'elementwise/Pow/large', op: 'Pow', inputs: [floats([37, 271], base), floats([271])] },
    {
      id: 'elementwise/Pow/special',
      op: 'Pow',
      inputs: [
        given('float32', [1, 1, 0, -8, Number.NaN, 2]),
        given('float32', [Number.NaN, Number.POSITIVE_INFINITY, 0, 3, 0, -1]),
      ],
    },
  ];
}

function clipCases(): readonly OpCase[] {
  const x = floats([3, 5], { avoid: [-1, 0.5] });
  return [
    {
      id: 'elementwise/Clip/both',
      op: 'Clip',
      inputs: [x, scalar('float32', -1), scalar('float32', 0.5)],
      differentiable: [0],
    },
    { id: 'elementwise/Clip/low', op: 'Clip', inputs: [x, scalar('float32', -1)], differentiable: [0] },
    { id: 'elementwise/Clip/high', op: 'Clip', inputs: [x, undefined, scalar('float32', 0.5)], differentiable: [0] },
    { id: 'elementwise/Clip/none', op: 'Clip', inputs: [x], differentiable: [0] },
    {
      id: 'elementwise/Clip/bounds fed',
      op: 'Clip',
      inputs: [x, given('float32', [-1], []), given('float32', [0.5], [])],
      differentiable: [0, 1, 2],
    },
    {
      id: 'elementwise/Clip/bounds crossed',
      op: 'Clip',
      inputs: [x, given('float32', [0.5], []), given('float32', [-1], [])],
      differentiable: [0, 1, 2],
    },
    {
      id: 'elementwise/Clip/int32',
      op: 'Clip',
      inputs: [random('int32', [9]), scalar('int32', -2), scalar('int32', 3)],
    },
    {
      id: 'elementwise/Clip/uint8',
      op: 'Clip',
      inputs: [random('uint8', [9]), scalar('uint8', 2), scalar('uint8', 5)],
    },
    {
      id: 'elementwise/Clip/int64',
      op: 'Clip',
      inputs: [given('int64', int64Edges), scalar('int64', -4294967310n), scalar('int64', 4294967310n)],
    },
    {
      id: 'elementwise/Clip/float16',
      op: 'Clip',
      inputs: [random('float16', [9]), scalar('float16', -1), scalar('float16', 1)],
    },
    {
      id: 'elementwise/Clip/special',
      op: 'Clip',
      inputs: [specialFloats, scalar('float32', -2), scalar('float32', 2)],
    },
    { id: 'elementwise/Clip/empty', op: 'Clip', inputs: [floats([0]), scalar('float32', 0)] },
  ];
}

function modCases(): readonly OpCase[] {
  const dividends = [7, -7, 7, -7, 6, 0];
  const divisors = [3, 3, -3, -3, 3, 5];
  const float = [
    floats([3, 4], { low: -7, high: 7, avoid: [-6, -4, -2, 0, 2, 4, 6] }),
    given('float32', [2], []),
  ] as const;
  return [
    { id: 'elementwise/Mod/int32', op: 'Mod', inputs: [given('int32', dividends), given('int32', divisors)] },
    { id: 'elementwise/Mod/int64', op: 'Mod', inputs: [given('int64', dividends), given('int64', divisors)] },
    { id: 'elementwise/Mod/int8', op: 'Mod', inputs: [given('int8', dividends), given('int8', divisors)] },
    { id: 'elementwise/Mod/uint8', op: 'Mod', inputs: [given('uint8', [7, 200, 5]), given('uint8', [3, 7, 5])] },
    {
      id: 'elementwise/Mod/fmod int32',
      op: 'Mod',
      attributes: { fmod: 1 },
      inputs: [given('int32', dividends), given('int32', divisors)],
    },
    {
      id: 'elementwise/Mod/fmod int64',
      op: 'Mod',
      attributes: { fmod: 1 },
      inputs: [given('int64', dividends), given('int64', divisors)],
    },
    { id: 'elementwise/Mod/fmod scalar', op: 'Mod', attributes: { fmod: 1 }, inputs: float, differentiable: [0, 1] },
    {
      id: 'elementwise/Mod/fmod same shape',
      op: 'Mod',
      attributes: { fmod: 1 },
      inputs: [given('float32', [5.3, -5.3, 5.3, -5.3]), given('float32', [2.1, 2.1, -2.1, -2.1])],
      differentiable: [0, 1],
    },
    {
      id: 'elementwise/Mod/fmod broadcast',
      op: 'Mod',
      attributes: { fmod: 1 },
      inputs: [given('float32', [5.3, -1.7], [2, 1]), given('float32', [2.1, 0.9, 3.3])],
      differentiable: [0, 1],
    },
    {
      id: 'elementwise/Mod/fmod large',
      op: 'Mod',
      attributes: { fmod: 1 },
      inputs: [floats([37, 271]), floats([271], { low: 0.5 })],
    },
  ];
}

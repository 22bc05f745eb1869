import type { Value } from '../graph/graph.js';
import { modelwrightDomain } from '../graph/graph.js';
import { isFloat } from '../tensor/dtype.js';
import { onnxDataType } from '../tensor/onnx-data-type.js';
import { Algebra } from './algebra.js';
import { arithmeticBinary, arithmeticFold, arithmeticUnary, type BinaryArithmetic } from './arithmetic.js';
import type { GradientContext, InferContext, NoAttributes, OpFamily } from './definition.js';
import { powerGradient, powerTensor } from './power.js';
import {
  atLeast,
  between,
  broadcastFloatInputs,
  broadcastNumericInputs,
  exactly,
  mapUnary,
  requireNumeric,
  requireRank,
  requireSameDType,
  sameAsFloatInput,
  sameAsInput,
  sameAsNumericInput,
} from './rules.js';
import { type TrigonometryAttributes, trigonometry } from './trigonometry.js';

/** Attributes of the elementwise arithmetic ops. */
export interface ElementwiseAttributes extends TrigonometryAttributes {
  /** Passes values, stops gradients. Own domain. */
  StopGradient: NoAttributes;
  Identity: NoAttributes;
  Neg: NoAttributes;
  Abs: NoAttributes;
  Sign: NoAttributes;
  Reciprocal: NoAttributes;
  Exp: NoAttributes;
  Log: NoAttributes;
  Sqrt: NoAttributes;
  Floor: NoAttributes;
  Ceil: NoAttributes;
  Round: NoAttributes;
  Add: NoAttributes;
  Sub: NoAttributes;
  Mul: NoAttributes;
  Div: NoAttributes;
  Pow: NoAttributes;
  Min: NoAttributes;
  Max: NoAttributes;
  Sum: NoAttributes;
  Mean: NoAttributes;
  Clip: NoAttributes;
  Mod: { fmod: number };
}

const unary = { inputs: exactly(1), outputs: exactly(1), attributes: {}, elementwise: true } as const;
const anyUnary = { ...unary, infer: sameAsInput } as const;
const numericUnary = { ...unary, infer: sameAsNumericInput } as const;
const floatUnary = { ...unary, infer: sameAsFloatInput } as const;
const binary = {
  inputs: exactly(2),
  outputs: exactly(1),
  attributes: {},
  elementwise: true,
  infer: broadcastNumericInputs,
} as const;
const variadic = { ...binary, inputs: atLeast(1) } as const;

const addition: BinaryArithmetic = { float: (x, y) => x + y, bigint: (x, y) => x + y };
// Math.min and Math.max propagate NaN and order −0 before 0, as ONNX has it.
// biome-ignore lint/complexity/useMathMinMax: Math.min does not take bigints
const minimum: BinaryArithmetic = { float: Math.min, bigint: (x, y) => (x < y ? x : y) };
// biome-ignore lint/complexity/useMathMinMax: Math.max does not take bigints
const maximum: BinaryArithmetic = { float: Math.max, bigint: (x, y) => (x > y ? x : y) };

/** Arithmetic on elements at the same place; operands broadcast. */
export const elementwise: OpFamily<ElementwiseAttributes> = {
  ...trigonometry,
  StopGradient: {
    ...anyUnary,
    domain: modelwrightDomain,
    gradient: () => [undefined],
    evaluate: ({ input }) => [input(0)],
    decompose: ({ builder, input }) => [builder.op('Identity', [input(0)])],
  },
  Identity: {
    ...anyUnary,
    gradient: ({ outputGradient: dy }) => [dy],
    evaluate: ({ input }) => [input(0)],
  },
  Neg: {
    ...numericUnary,
    gradient: ({ builder, outputGradient: dy }) => [builder.op('Neg', [dy])],
    evaluate: ({ input }) => [arithmeticUnary(input(0), { float: (x) => -x, bigint: (x) => -x })],
  },
  // d|x| = sign(x)·dx, 0 at 0
  Abs: {
    ...numericUnary,
    gradient: ({ builder, input, outputGradient: dy }) => [builder.op('Mul', [dy, builder.op('Sign', [input(0)])])],
    evaluate: ({ input }) => [arithmeticUnary(input(0), { float: Math.abs, bigint: (x) => (x < 0n ? -x : x) })],
  },
  Sign: {
    ...numericUnary,
    gradient: () => [undefined],
    evaluate: ({ input }) => [
      arithmeticUnary(input(0), { float: Math.sign, bigint: (x) => (x > 0n ? 1n : x < 0n ? -1n : 0n) }),
    ],
    // WebGPU has no Sign. Zeros and NaN stand for themselves.
    decompose: ({ builder, input }) => {
      const f = new Algebra(builder);
      const x = input(0);
      return [f.where(f.greater(x, 0), 1, f.where(f.less(x, 0), -1, x))];
    },
  },
  // d(1/x) = −dx/x²
  Reciprocal: {
    ...floatUnary,
    gradient: ({ builder, outputs, outputGradient: dy }) => {
      const f = new Algebra(builder);
      return [f.neg(f.mul(dy, f.square(outputs[0] as Value)))];
    },
    evaluate: (context) => mapUnary(context, (x) => 1 / x),
  },
  // d(eˣ) = eˣ·dx
  Exp: {
    ...floatUnary,
    gradient: ({ builder, outputs, outputGradient: dy }) => [builder.op('Mul', [dy, outputs[0]])],
    evaluate: (context) => mapUnary(context, Math.exp),
  },
  // d(ln x) = dx/x
  Log: {
    ...floatUnary,
    gradient: ({ builder, input, outputGradient: dy }) => [builder.op('Div', [dy, input(0)])],
    evaluate: (context) => mapUnary(context, Math.log),
  },
  // d(√x) = dx / (2·√x)
  Sqrt: {
    ...floatUnary,
    gradient: ({ builder, outputs, outputGradient: dy }) => {
      const f = new Algebra(builder);
      return [f.div(dy, f.mul(outputs[0] as Value, 2))];
    },
    evaluate: (context) => mapUnary(context, Math.sqrt),
  },
  Floor: {
    ...floatUnary,
    gradient: () => [undefined],
    evaluate: (context) => mapUnary(context, Math.floor),
  },
  Ceil: {
    ...floatUnary,
    gradient: () => [undefined],
    evaluate: (context) => mapUnary(context, Math.ceil),
  },
  Round: {
    ...floatUnary,
    gradient: () => [undefined],
    evaluate: (context) => mapUnary(context, roundHalfToEven),
    // WebGPU has no Round: ⌊x + ½⌋, less 1 where x lies halfway below an odd number.
    decompose: ({ builder, input }) => {
      const f = new Algebra(builder);
      const x = input(0);
      const up = builder.op('Floor', [f.add(x, 0.5)]);
      const isOdd = f.greater(f.sub(up, f.mul(builder.op('Floor', [f.mul(up, 0.5)]), 2)), 0.5);
      const isHalf = f.equal(f.sub(up, x), 0.5);
      return [f.where(builder.op('And', [isOdd, isHalf]), f.sub(up, 1), up)];
    },
  },
  Add: {
    ...binary,
    gradient: ({ outputGradient: dy }) => [dy, dy],
    evaluate: ({ input }) => [arithmeticBinary(input(0), input(1), addition)],
  },
  Sub: {
    ...binary,
    gradient: ({ builder, outputGradient: dy, needs }) => [dy, needs(1) ? builder.op('Neg', [dy]) : undefined],
    evaluate: ({ input }) => [
      arithmeticBinary(input(0), input(1), { float: (x, y) => x - y, bigint: (x, y) => x - y }),
    ],
  },
  // d(x·y) = y·dx + x·dy
  Mul: {
    ...binary,
    gradient: ({ builder, input, outputGradient: dy, needs }) => [
      needs(0) ? builder.op('Mul', [dy, input(1)]) : undefined,
      needs(1) ? builder.op('Mul', [dy, input(0)]) : undefined,
    ],
    // A product of two 32-bit integers does not fit a float64; Math.imul keeps its low bits.
    evaluate: ({ input }) => [
      arithmeticBinary(input(0), input(1), { float: (x, y) => x * y, integer: Math.imul, bigint: (x, y) => x * y }),
    ],
  },
  // d(x/y) = dx/y − (x/y)·dy/y
  Div: {
    ...binary,
    gradient: ({ builder, input, outputs, outputGradient: dy, needs }) => {
      const dx = builder.op('Div', [dy, input(1)]);
      return [dx, needs(1) ? builder.op('Neg', [builder.op('Mul', [dx, outputs[0]])]) : undefined];
    },
    // Integers truncate toward zero; a zero divisor, undefined in ONNX, gives 0.
    evaluate: ({ input }) => [
      arithmeticBinary(input(0), input(1), { float: (x, y) => x / y, bigint: (x, y) => (y === 0n ? 0n : x / y) }),
    ],
  },
  // d(xᵖ) = p·xᵖ⁻¹·dx + xᵖ·ln(x)·dp, where p = 0 gives no dx and x = 0 no dp
  Pow: {
    ...binary,
    infer: inferPow,
    gradient: powerGradient,
    evaluate: ({ input }) => [powerTensor(input(0), input(1))],
  },
  Min: {
    ...variadic,
    gradient: shareAmongExtremes,
    evaluate: ({ inputs, input }) => [
      arithmeticFold(
        inputs.map((_, index) => input(index)),
        minimum,
      ),
    ],
  },
  Max: {
    ...variadic,
    gradient: shareAmongExtremes,
    evaluate: ({ inputs, input }) => [
      arithmeticFold(
        inputs.map((_, index) => input(index)),
        maximum,
      ),
    ],
  },
  Sum: {
    ...variadic,
    infer: broadcastFloatInputs,
    gradient: ({ inputs, outputGradient: dy }) => inputs.map(() => dy),
    evaluate: ({ inputs, input }) => [
      arithmeticFold(
        inputs.map((_, index) => input(index)),
        addition,
      ),
    ],
    decompose: ({ builder, inputs }) => [addAll(new Algebra(builder), inputs)],
  },
  Mean: {
    ...variadic,
    infer: broadcastFloatInputs,
    gradient: ({ builder, inputs, outputGradient: dy }) => {
      const share = new Algebra(builder).div(dy, inputs.length);
      return inputs.map(() => share);
    },
    evaluate: ({ inputs, input }) => {
      const sum = arithmeticFold(
        inputs.map((_, index) => input(index)),
        addition,
      );
      return [arithmeticUnary(sum, { float: (x) => x / inputs.length })];
    },
    decompose: ({ builder, inputs }) => {
      const f = new Algebra(builder);
      return [f.div(addAll(f, inputs), inputs.length)];
    },
  },
  // y = min(max(x, low), high); dx passes where low ≤ x ≤ high, a bound takes dy where it is the result
  Clip: {
    ...unary,
    inputs: between(1, 3),
    infer: inferClip,
    gradient: clipGradient,
    evaluate: ({ inputs, input }) => {
      const raised = inputs[1] === undefined ? input(0) : arithmeticBinary(input(0), inputs[1], maximum);
      return [inputs[2] === undefined ? raised : arithmeticBinary(raised, inputs[2], minimum)];
    },
  },
  // x − ⌊x/y⌋·y (sign of y), with fmod x − trunc(x/y)·y (sign of x); d = dx − trunc(x/y)·dy
  Mod: {
    ...binary,
    attributes: { fmod: { kind: 'int', default: 0 } },
    infer: (context) => {
      const types = broadcastNumericInputs(context);
      if (context.attributes.fmod === 0 && isFloat(context.input(0).dtype)) {
        context.fail(`fmod must be 1 for ${context.input(0).dtype}`, { given: 0, allowed: 1 }, 'invalid-attribute');
      }
      return types;
    },
    gradient: ({ builder, input, outputs, outputGradient: dy, needs }) => {
      if (!needs(1)) return [dy];
      const f = new Algebra(builder);
      // (x − y)/divisor is an integer up to rounding.
      const quotient = builder.op('Round', [f.div(f.sub(input(0), outputs[0] as Value), input(1))]);
      return [dy, f.neg(f.mul(dy, quotient))];
    },
    evaluate: ({ input, attributes }) => [
      arithmeticBinary(input(0), input(1), attributes.fmod === 0 ? modulo : remainder),
    ],
  },
};

const remainder: BinaryArithmetic = {
  float: (x, y) => x % y,
  bigint: (x, y) => (y === 0n ? 0n : x % y),
};
const modulo: BinaryArithmetic = {
  float: (x, y) => (y === 0 ? 0 : x - Math.floor(x / y) * y),
  bigint: (x, y) => {
    if (y === 0n) return 0n;
    const rest = x % y;
    return rest !== 0n && rest < 0n !== y < 0n ? rest + y : rest;
  },
};

function roundHalfToEven(x: number): number {
  const floor = Math.floor(x);
  const rest = x - floor;
  if (rest === 0.5) return floor % 2 === 0 ? floor : floor + 1;
  return rest < 0.5 ? floor : floor + 1;
}

function addAll(f: Algebra, inputs: readonly (Value | undefined)[]): Value {
  const [first, ...rest] = inputs as readonly [Value, ...Value[]];
  return rest.reduce((sum, next) => f.add(sum, next), first);
}

function inferPow(context: InferContext<NoAttributes>): ReturnType<typeof broadcastNumericInputs> {
  requireNumeric(context, 0);
  requireNumeric(context, 1);
  const { dtype } = context.input(0);
  // The exponent may be of another dtype; the result is of the base's.
  const inputs = [context.input(0), { ...context.input(1), dtype }];
  return broadcastNumericInputs({ ...context, inputs, input: (index) => inputs[index] as Value });
}

// Every input that equals the extreme gets an equal share, as PyTorch's amax and maximum have it.
function shareAmongExtremes({
  builder,
  inputs,
  input,
  outputs,
  outputGradient: dy,
}: GradientContext<NoAttributes>): readonly Value[] {
  if (inputs.length === 1) return [dy];
  const y = outputs[0] as Value;
  const f = new Algebra(builder);
  const hits = inputs.map((_, index) => builder.op('Cast', [f.equal(input(index), y)], { to: onnxDataType(y.dtype) }));
  const share = f.div(dy, addAll(f, hits));
  return hits.map((hit) => f.mul(hit, share));
}

function inferClip(context: InferContext<NoAttributes>): ReturnType<typeof sameAsNumericInput> {
  for (const bound of [1, 2]) {
    if (context.inputs[bound] === undefined) continue;
    requireSameDType(context, 0, bound);
    requireRank(context, bound, 0, bound === 1 ? 'the lower bound' : 'the upper bound');
  }
  return sameAsNumericInput(context);
}

function clipGradient({
  builder,
  inputs,
  input,
  outputGradient: dy,
  needs,
}: GradientContext<NoAttributes>): readonly (Value | undefined)[] {
  const f = new Algebra(builder);
  const [, low, high] = inputs;
  const raised = low === undefined ? input(0) : f.max(input(0), low);
  const above = high === undefined ? undefined : f.greater(raised, high);
  const below = low === undefined ? undefined : f.less(input(0), low);
  const passed = below === undefined ? dy : f.where(below, 0, dy);
  return [
    above === undefined ? passed : f.where(above, 0, passed),
    below !== undefined && needs(1) ? keepUnless(f, above, f.where(below, dy, 0)) : undefined,
    above !== undefined && needs(2) ? f.where(above, dy, 0) : undefined,
  ];
}

function keepUnless(f: Algebra, condition: Value | undefined, value: Value): Value {
  return condition === undefined ? value : f.where(condition, 0, value);
}

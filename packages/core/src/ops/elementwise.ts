import type { NoAttributes, OpFamily } from './definition.js';
import { pending } from './pending.js';
import { broadcastInputs, exactly, mapBinary, mapUnary, sameAsInput } from './rules.js';

/** Attributes of the elementwise arithmetic ops. */
export interface ElementwiseAttributes {
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
  Sin: NoAttributes;
  Cos: NoAttributes;
  Tan: NoAttributes;
  Asin: NoAttributes;
  Acos: NoAttributes;
  Atan: NoAttributes;
  Sinh: NoAttributes;
  Cosh: NoAttributes;
  Asinh: NoAttributes;
  Acosh: NoAttributes;
  Atanh: NoAttributes;
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

const unary = {
  inputs: exactly(1),
  outputs: exactly(1),
  attributes: {},
  elementwise: true,
  infer: sameAsInput,
} as const;
const binary = {
  inputs: exactly(2),
  outputs: exactly(1),
  attributes: {},
  elementwise: true,
  infer: broadcastInputs,
} as const;

/** Arithmetic on elements at the same place; operands broadcast. */
export const elementwise: OpFamily<ElementwiseAttributes> = {
  ...pending<ElementwiseAttributes>(),
  Identity: {
    ...unary,
    gradient: ({ outputGradient: dy }) => [dy],
    evaluate: (context) => [context.input(0)],
  },
  Neg: {
    ...unary,
    gradient: ({ builder, outputGradient: dy }) => [builder.op('Neg', [dy])],
    evaluate: (context) => mapUnary(context, (x) => -x),
  },
  Add: {
    ...binary,
    gradient: ({ outputGradient: dy }) => [dy, dy],
    evaluate: ({ input }) => [mapBinary(input(0), input(1), (x, y) => x + y)],
  },
  Sub: {
    ...binary,
    gradient: ({ builder, outputGradient: dy, needs }) => [dy, needs(1) ? builder.op('Neg', [dy]) : undefined],
    evaluate: ({ input }) => [mapBinary(input(0), input(1), (x, y) => x - y)],
  },
  // d(x·y) = y·dx + x·dy
  Mul: {
    ...binary,
    gradient: ({ builder, input, outputGradient: dy, needs }) => [
      needs(0) ? builder.op('Mul', [dy, input(1)]) : undefined,
      needs(1) ? builder.op('Mul', [dy, input(0)]) : undefined,
    ],
    evaluate: ({ input }) => [mapBinary(input(0), input(1), (x, y) => x * y)],
  },
  // d(x/y) = dx/y − (x/y)·dy/y
  Div: {
    ...binary,
    gradient: ({ builder, input, outputs, outputGradient: dy, needs }) => {
      const dx = builder.op('Div', [dy, input(1)]);
      return [dx, needs(1) ? builder.op('Neg', [builder.op('Mul', [dx, outputs[0]])]) : undefined];
    },
    evaluate: ({ input }) => [mapBinary(input(0), input(1), (x, y) => x / y)],
  },
  // d(eˣ) = eˣ·dx
  Exp: {
    ...unary,
    gradient: ({ builder, outputs, outputGradient: dy }) => [builder.op('Mul', [dy, outputs[0]])],
    evaluate: (context) => mapUnary(context, Math.exp),
  },
  // d(√x) = dx / (2·√x)
  Sqrt: {
    ...unary,
    gradient: ({ builder, input, outputs, outputGradient: dy }) => [
      builder.op('Div', [dy, builder.op('Mul', [outputs[0], builder.scalar(2, input(0).dtype)])]),
    ],
    evaluate: (context) => mapUnary(context, Math.sqrt),
  },
};

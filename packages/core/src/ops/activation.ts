import { modelwrightDomain, type Value } from '../graph/graph.js';
import { broadcastShapes, formatShape, sameShape } from '../tensor/shape.js';
import { Algebra } from './algebra.js';
import { arithmeticUnary } from './arithmetic.js';
import type { InferContext, NoAttributes, OpFamily } from './definition.js';
import { errorFunction } from './error-function.js';
import { gelu } from './gelu.js';
import {
  broadcastFloatInputs,
  exactly,
  mapBinary,
  mapUnary,
  requireFloat,
  requireSameDType,
  sameAsFloatInput,
  sameAsInput,
  sameAsNumericInput,
} from './rules.js';

/** Attributes of the activation ops, by op. */
export interface ActivationAttributes {
  Relu: NoAttributes;
  Sigmoid: NoAttributes;
  Tanh: NoAttributes;
  Softplus: NoAttributes;
  Softsign: NoAttributes;
  HardSwish: NoAttributes;
  Erf: NoAttributes;
  LeakyRelu: { alpha: number };
  PRelu: NoAttributes;
  Elu: { alpha: number };
  Celu: { alpha: number };
  Selu: { alpha: number; gamma: number };
  HardSigmoid: { alpha: number; beta: number };
  ThresholdedRelu: { alpha: number };
  Shrink: { lambd: number; bias: number };
  Gelu: { approximate: 'none' | 'tanh' };
  Mish: NoAttributes;
  Swish: { alpha: number };
  /** Own domain: `(dy, y)` → `dy` where `y > 0`, else 0. */
  ReluGradient: NoAttributes;
}

const unary = {
  inputs: exactly(1),
  outputs: exactly(1),
  attributes: {},
  elementwise: true,
  infer: sameAsFloatInput,
} as const;

const float = (value: number): { readonly kind: 'float'; readonly default: number } => ({
  kind: 'float',
  default: value,
});

/** Activation ops. */
export const activation: OpFamily<ActivationAttributes> = {
  // max(x, 0)
  Relu: {
    ...unary,
    infer: sameAsNumericInput,
    gradient: ({ builder, outputs, outputGradient: dy }) => [builder.op('ReluGradient', [dy, outputs[0]])],
    evaluate: ({ input }) => [
      arithmeticUnary(input(0), { float: (x) => Math.max(x, 0), bigint: (x) => (x > 0n ? x : 0n) }),
    ],
  },
  ReluGradient: {
    ...unary,
    domain: modelwrightDomain,
    inputs: exactly(2),
    infer: broadcastFloatInputs,
    gradient: ({ builder, input, outputGradient: ddx }) => [builder.op('ReluGradient', [ddx, input(1)]), undefined],
    evaluate: ({ input }) => [mapBinary(input(0), input(1), (dy, y) => (y > 0 ? dy : 0))],
    decompose: ({ builder, input }) => {
      const f = new Algebra(builder);
      return [f.where(f.greater(input(1), 0), input(0), 0)];
    },
  },
  // σ(x) = 1/(1 + e⁻ˣ); σ' = σ·(1 − σ)
  Sigmoid: {
    ...unary,
    gradient: ({ builder, outputs, outputGradient: dy }) => {
      const f = new Algebra(builder);
      const y = outputs[0] as Value;
      return [f.mul(dy, f.mul(y, f.sub(1, y)))];
    },
    evaluate: (context) => mapUnary(context, sigmoid),
  },
  // tanh' = 1 − tanh²
  Tanh: {
    ...unary,
    gradient: ({ builder, outputs, outputGradient: dy }) => {
      const f = new Algebra(builder);
      return [f.mul(dy, f.sub(1, f.square(outputs[0] as Value)))];
    },
    evaluate: (context) => mapUnary(context, Math.tanh),
  },
  // ln(1 + eˣ); its slope is σ(x)
  Softplus: {
    ...unary,
    gradient: ({ builder, input, outputGradient: dy }) => [builder.op('Mul', [dy, builder.op('Sigmoid', [input(0)])])],
    evaluate: (context) => mapUnary(context, softplus),
  },
  // x/(1 + |x|); its slope is 1/(1 + |x|)²
  Softsign: {
    ...unary,
    gradient: ({ builder, input, outputGradient: dy }) => {
      const f = new Algebra(builder);
      return [f.div(dy, f.square(f.add(f.abs(input(0)), 1)))];
    },
    evaluate: (context) => mapUnary(context, (x) => x / (1 + Math.abs(x))),
    decompose: ({ builder, input }) => {
      const f = new Algebra(builder);
      return [f.div(input(0), f.add(f.abs(input(0)), 1))];
    },
  },
  // erf' = 2/√π·e^(−x²)
  Erf: {
    ...unary,
    gradient: ({ builder, input, outputGradient: dy }) => {
      const f = new Algebra(builder);
      return [f.mul(dy, f.mul(f.exp(f.neg(f.square(input(0)))), 2 / Math.sqrt(Math.PI)))];
    },
    evaluate: (context) => mapUnary(context, errorFunction),
  },
  // x for x > 0, else α·x; the slope at 0 is α
  LeakyRelu: {
    ...unary,
    attributes: { alpha: float(0.01) },
    gradient: ({ builder, input, outputGradient: dy, attributes }) => {
      const f = new Algebra(builder);
      return [f.where(f.greater(input(0), 0), dy, f.mul(dy, attributes.alpha))];
    },
    evaluate: (context) => mapUnary(context, (x) => (x < 0 ? context.attributes.alpha * x : x)),
    decompose: ({ builder, input, attributes }) => {
      const f = new Algebra(builder);
      return [f.where(f.less(input(0), 0), f.mul(input(0), attributes.alpha), input(0))];
    },
  },
  // x for x > 0, else s·x; the slope at 0 is s. The slope tensor broadcasts to x, never x to it.
  PRelu: {
    ...unary,
    inputs: exactly(2),
    infer: inferPRelu,
    gradient: ({ builder, input, outputGradient: dy, needs }) => {
      const f = new Algebra(builder);
      const [x, slope] = [input(0), input(1)];
      const isPositive = f.greater(x, 0);
      return [
        needs(0) ? f.where(isPositive, dy, f.mul(dy, slope)) : undefined,
        needs(1) ? f.where(isPositive, 0, f.mul(dy, x)) : undefined,
      ];
    },
    evaluate: ({ input }) => [mapBinary(input(0), input(1), (x, slope) => (x < 0 ? slope * x : x))],
    decompose: ({ builder, input }) => {
      const f = new Algebra(builder);
      return [f.where(f.less(input(0), 0), f.mul(input(0), input(1)), input(0))];
    },
  },
  // x for x > 0, else α·(eˣ − 1); below 0 the slope is y + α
  Elu: {
    ...unary,
    attributes: { alpha: float(1) },
    gradient: ({ builder, input, outputs, outputGradient: dy, attributes }) => {
      const f = new Algebra(builder);
      const slope = f.add(outputs[0] as Value, attributes.alpha);
      return [f.where(f.greater(input(0), 0), dy, f.mul(dy, slope))];
    },
    evaluate: (context) => mapUnary(context, (x) => (x > 0 ? x : context.attributes.alpha * Math.expm1(x))),
  },
  // max(0, x) + min(0, α·(e^(x/α) − 1)); below 0 the slope is e^(x/α)
  Celu: {
    ...unary,
    attributes: { alpha: float(1) },
    gradient: ({ builder, input, outputGradient: dy, attributes }) => {
      const f = new Algebra(builder);
      const slope = f.exp(f.min(f.div(input(0), attributes.alpha), 0));
      return [f.mul(dy, slope)];
    },
    evaluate: (context) => {
      const { alpha } = context.attributes;
      return mapUnary(context, (x) => (x > 0 ? x : alpha * Math.expm1(x / alpha)));
    },
    decompose: ({ builder, input, attributes: { alpha } }) => {
      const f = new Algebra(builder);
      const below = f.sub(f.exp(f.div(f.min(input(0), 0), alpha)), 1);
      return [f.add(f.max(input(0), 0), f.mul(below, alpha))];
    },
  },
  // γ·x for x > 0, else γ·α·(eˣ − 1); below 0 the slope is y + γ·α
  Selu: {
    ...unary,
    attributes: { alpha: float(1.6732631921768188), gamma: float(1.0507010221481323) },
    gradient: ({ builder, input, outputs, outputGradient: dy, attributes: { alpha, gamma } }) => {
      const f = new Algebra(builder);
      const below = f.add(outputs[0] as Value, alpha * gamma);
      return [f.where(f.greater(input(0), 0), f.mul(dy, gamma), f.mul(dy, below))];
    },
    evaluate: (context) => {
      const { alpha, gamma } = context.attributes;
      return mapUnary(context, (x) => gamma * (x > 0 ? x : alpha * Math.expm1(x)));
    },
    decompose: ({ builder, input, attributes: { alpha, gamma } }) => {
      const f = new Algebra(builder);
      return [f.mul(builder.op('Elu', [input(0)], { alpha }), gamma)];
    },
  },
  // min(max(α·x + β, 0), 1); the slope is α strictly inside
  HardSigmoid: {
    ...unary,
    attributes: { alpha: float(0.2), beta: float(0.5) },
    gradient: ({ builder, outputs, outputGradient: dy, attributes }) => {
      const f = new Algebra(builder);
      const y = outputs[0] as Value;
      const inside = builder.op('And', [f.greater(y, 0), f.less(y, 1)]);
      return [f.where(inside, f.mul(dy, attributes.alpha), 0)];
    },
    evaluate: (context) => {
      const { alpha, beta } = context.attributes;
      return mapUnary(context, (x) => Math.min(Math.max(alpha * x + beta, 0), 1));
    },
    decompose: ({ builder, input, attributes: { alpha, beta } }) => {
      const f = new Algebra(builder);
      return [f.min(f.max(f.add(f.mul(input(0), alpha), beta), 0), 1)];
    },
  },
  // x·min(max(x/6 + ½, 0), 1); the slope is 0 below −3, 1 above 3, x/3 + ½ between
  HardSwish: {
    ...unary,
    gradient: ({ builder, input, outputGradient: dy }) => {
      const f = new Algebra(builder);
      const x = input(0);
      const slope = f.where(f.greater(x, 3), 1, f.add(f.div(x, 3), 0.5));
      return [f.mul(dy, f.where(f.less(x, -3), 0, slope))];
    },
    evaluate: (context) => mapUnary(context, (x) => x * Math.min(Math.max(x / 6 + 0.5, 0), 1)),
    decompose: ({ builder, input }) => [
      builder.op('Mul', [input(0), builder.op('HardSigmoid', [input(0)], { alpha: 1 / 6, beta: 0.5 })]),
    ],
  },
  // x for x > α, else 0
  ThresholdedRelu: {
    ...unary,
    attributes: { alpha: float(1) },
    gradient: ({ builder, input, outputGradient: dy, attributes }) => {
      const f = new Algebra(builder);
      return [f.where(f.greater(input(0), attributes.alpha), dy, 0)];
    },
    evaluate: (context) => mapUnary(context, (x) => (x > context.attributes.alpha ? x : 0)),
    decompose: ({ builder, input, attributes }) => {
      const f = new Algebra(builder);
      return [f.where(f.greater(input(0), attributes.alpha), input(0), 0)];
    },
  },
  // x + bias for x < −λ, x − bias for x > λ, else 0
  Shrink: {
    ...unary,
    attributes: { lambd: float(0.5), bias: float(0) },
    infer: sameAsNumericInput,
    gradient: ({ builder, input, outputGradient: dy, attributes: { lambd } }) => {
      const f = new Algebra(builder);
      const outside = builder.op('Or', [f.less(input(0), -lambd), f.greater(input(0), lambd)]);
      return [f.where(outside, dy, 0)];
    },
    evaluate: (context) => {
      const { lambd, bias } = context.attributes;
      return mapUnary(context, (x) => (x < -lambd ? x + bias : x > lambd ? x - bias : 0));
    },
    decompose: ({ builder, input, attributes: { lambd, bias } }) => {
      const f = new Algebra(builder);
      const x = input(0);
      const above = f.where(f.greater(x, lambd), f.sub(x, bias), 0);
      return [f.where(f.less(x, -lambd), f.add(x, bias), above)];
    },
  },
  Gelu: gelu,
  // x·tanh(softplus(x)); with t = tanh(softplus(x)) the slope is t + x·(1 − t²)·σ(x)
  Mish: {
    ...unary,
    gradient: ({ builder, input, outputGradient: dy }) => {
      const f = new Algebra(builder);
      const x = input(0);
      const t = f.tanh(builder.op('Softplus', [x]));
      const bend = f.mul(f.mul(x, f.sigmoid(x)), f.sub(1, f.square(t)));
      return [f.mul(dy, f.add(t, bend))];
    },
    evaluate: (context) => mapUnary(context, (x) => x * Math.tanh(softplus(x))),
    decompose: ({ builder, input }) => {
      const f = new Algebra(builder);
      return [f.mul(input(0), f.tanh(builder.op('Softplus', [input(0)])))];
    },
  },
  // x·σ(α·x); with s = σ(α·x) the slope is s + α·y·(1 − s)
  Swish: {
    ...unary,
    attributes: { alpha: float(1) },
    gradient: ({ builder, input, outputs, outputGradient: dy, attributes: { alpha } }) => {
      const f = new Algebra(builder);
      const s = f.sigmoid(scaled(f, input(0), alpha));
      const bend = scaled(f, f.mul(outputs[0] as Value, f.sub(1, s)), alpha);
      return [f.mul(dy, f.add(s, bend))];
    },
    evaluate: (context) => mapUnary(context, (x) => x * sigmoid(context.attributes.alpha * x)),
    decompose: ({ builder, input, attributes: { alpha } }) => {
      const f = new Algebra(builder);
      return [f.mul(input(0), f.sigmoid(scaled(f, input(0), alpha)))];
    },
  },
};

function scaled(f: Algebra, x: Value, factor: number): Value {
  return factor === 1 ? x : f.mul(x, factor);
}

function sigmoid(x: number): number {
  // The form whose exponential cannot overflow.
  if (x >= 0) return 1 / (1 + Math.exp(-x));
  const e = Math.exp(x);
  return e / (1 + e);
}

function softplus(x: number): number {
  return Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
}

function inferPRelu(context: InferContext<NoAttributes>): ReturnType<typeof sameAsInput> {
  requireFloat(context, 0);
  requireSameDType(context, 0, 1);
  const [x, slope] = [context.input(0).shape, context.input(1).shape];
  const common = broadcastShapes(x, slope);
  if (common === undefined || !sameShape(common, x)) {
    context.fail(`slope ${formatShape(slope)} does not broadcast to the input ${formatShape(x)}`, { given: slope });
  }
  return sameAsInput(context);
}

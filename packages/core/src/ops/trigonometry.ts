import type { Value } from '../graph/graph.js';
import { Algebra } from './algebra.js';
import type { GradientRule, NoAttributes, OpDefinition, OpFamily } from './definition.js';
import { exactly, mapUnary, sameAsFloatInput } from './rules.js';

/** Attributes of the trigonometric and hyperbolic ops. */
export interface TrigonometryAttributes {
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
}

/** An op of one float, given its slope as a formula of `(x, y)`. */
function smooth(
  apply: (x: number) => number,
  slope: (f: Algebra, x: Value, y: Value) => Value,
): OpDefinition<NoAttributes> {
  const gradient: GradientRule<NoAttributes> = ({ builder, input, outputs, outputGradient: dy }) => {
    const f = new Algebra(builder);
    return [f.mul(dy, slope(f, input(0), outputs[0] as Value))];
  };
  return {
    inputs: exactly(1),
    outputs: exactly(1),
    attributes: {},
    elementwise: true,
    infer: sameAsFloatInput,
    gradient,
    evaluate: (context) => mapUnary(context, apply),
  };
}

/** Trigonometric and hyperbolic functions and their inverses. */
export const trigonometry: OpFamily<TrigonometryAttributes> = {
  // sin' = cos
  Sin: smooth(Math.sin, (f, x) => f.builder.op('Cos', [x])),
  // cos' = −sin
  Cos: smooth(Math.cos, (f, x) => f.neg(f.builder.op('Sin', [x]))),
  // tan' = 1 + tan²
  Tan: smooth(Math.tan, (f, _, y) => f.add(f.square(y), 1)),
  // asin' = 1/√(1 − x²)
  Asin: smooth(Math.asin, (f, x) => f.div(1, f.sqrt(f.sub(1, f.square(x))))),
  // acos' = −1/√(1 − x²)
  Acos: smooth(Math.acos, (f, x) => f.div(-1, f.sqrt(f.sub(1, f.square(x))))),
  // atan' = 1/(1 + x²)
  Atan: smooth(Math.atan, (f, x) => f.div(1, f.add(f.square(x), 1))),
  // sinh' = cosh
  Sinh: smooth(Math.sinh, (f, x) => f.builder.op('Cosh', [x])),
  // cosh' = sinh
  Cosh: smooth(Math.cosh, (f, x) => f.builder.op('Sinh', [x])),
  // asinh' = 1/√(x² + 1)
  Asinh: smooth(Math.asinh, (f, x) => f.div(1, f.sqrt(f.add(f.square(x), 1)))),
  // acosh' = 1/√(x² − 1)
  Acosh: smooth(Math.acosh, (f, x) => f.div(1, f.sqrt(f.sub(f.square(x), 1)))),
  // atanh' = 1/(1 − x²)
  Atanh: smooth(Math.atanh, (f, x) => f.div(1, f.sub(1, f.square(x)))),
};

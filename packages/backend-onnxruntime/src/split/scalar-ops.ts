import type { OpName } from '@modelwright/core';

/** Computes one op on numbers; `undefined` stands for an optional input that is left out. Truth is 1 or 0. */
export type ScalarRule = (operands: readonly (number | undefined)[], isInteger: boolean) => number;

type Unary = (x: number) => number;
type Binary = (x: number, y: number) => number;

const unary =
  (compute: Unary): ScalarRule =>
  ([x]) =>
    compute(x as number);
const binary =
  (compute: Binary): ScalarRule =>
  ([x, y]) =>
    compute(x as number, y as number);
const fold =
  (compute: Binary): ScalarRule =>
  (operands) =>
    // Named operands: reduce passes an index too, which Math.max would take for a number.
    (operands as readonly number[]).reduce((x, y) => compute(x, y));

const truth = (condition: boolean): number => (condition ? 1 : 0);
// Math.min and Math.max carry NaN along, as ONNX asks.
const sum: ScalarRule = fold((x, y) => x + y);

/**
 * Ops on single numbers, computed once a step in float64. What is not here stays in the graph.
 */
export const scalarRules: { readonly [N in OpName]?: ScalarRule } = {
  Identity: unary((x) => x),
  StopGradient: unary((x) => x),
  Reshape: unary((x) => x),
  Flatten: unary((x) => x),
  Squeeze: unary((x) => x),
  Unsqueeze: unary((x) => x),
  Neg: unary((x) => -x),
  Abs: unary(Math.abs),
  Sign: unary((x) => truth(x > 0) - truth(x < 0)),
  Reciprocal: unary((x) => 1 / x),
  Exp: unary(Math.exp),
  Log: unary(Math.log),
  Sqrt: unary(Math.sqrt),
  Floor: unary(Math.floor),
  Ceil: unary(Math.ceil),
  Sin: unary(Math.sin),
  Cos: unary(Math.cos),
  Tanh: unary(Math.tanh),
  Relu: unary((x) => Math.max(x, 0)),
  Not: unary((x) => 1 - x),
  IsNaN: unary((x) => truth(Number.isNaN(x))),
  Add: sum,
  Sub: binary((x, y) => x - y),
  Mul: binary((x, y) => x * y),
  Div: ([x, y], isInteger) => {
    const quotient = (x as number) / (y as number);
    return isInteger ? Math.trunc(quotient) : quotient;
  },
  Pow: binary((x, y) => x ** y),
  Min: fold(Math.min),
  Max: fold(Math.max),
  Sum: sum,
  Mean: (operands, isInteger) => sum(operands, isInteger) / operands.length,
  Clip: ([x, low = Number.NEGATIVE_INFINITY, high = Number.POSITIVE_INFINITY]) =>
    Math.min(Math.max(x as number, low), high),
  Equal: binary((x, y) => truth(x === y)),
  Greater: binary((x, y) => truth(x > y)),
  GreaterOrEqual: binary((x, y) => truth(x >= y)),
  Less: binary((x, y) => truth(x < y)),
  LessOrEqual: binary((x, y) => truth(x <= y)),
  And: binary((x, y) => x * y),
  Or: binary((x, y) => Math.max(x, y)),
  Xor: binary((x, y) => truth(x !== y)),
  Where: ([condition, x, y]) => (condition === 1 ? x : y) as number,
};

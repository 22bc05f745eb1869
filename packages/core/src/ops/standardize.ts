import type { Value } from '../graph/graph.js';
import type { GraphBuilder } from '../graph/graph-builder.js';

/** Rows of `span` elements each, brought to mean 0 and variance 1. */
export interface StandardizedRows {
  readonly values: Float64Array;
  readonly means: Float64Array;
  /** `1 / √(variance + ε)` of each row. */
  readonly inverseDeviations: Float64Array;
}

/** `x̂ = (x − mean)/√(variance + ε)` on each row; without `centre` the mean counts as 0. */
export function standardizeRows(
  x: Float64Array,
  span: number,
  { epsilon, centre }: { readonly epsilon: number; readonly centre: boolean },
): StandardizedRows {
  const rows = span === 0 ? 0 : x.length / span;
  const values = new Float64Array(x.length);
  const [means, inverseDeviations] = [new Float64Array(rows), new Float64Array(rows)];
  for (let row = 0; row < rows; row++) {
    const [begin, end] = [row * span, (row + 1) * span];
    let sum = 0;
    if (centre) for (let at = begin; at < end; at++) sum += x[at] as number;
    const mean = sum / span;
    let squares = 0;
    for (let at = begin; at < end; at++) squares += ((x[at] as number) - mean) ** 2;
    const r = 1 / Math.sqrt(squares / span + epsilon);
    for (let at = begin; at < end; at++) values[at] = ((x[at] as number) - mean) * r;
    means[row] = mean;
    inverseDeviations[row] = r;
  }
  return { values, means, inverseDeviations };
}

export interface Standardization {
  readonly axes: readonly number[];
  readonly epsilon: number;
  readonly centre: boolean;
}

/** Values of a standardization as nodes; statistics keep their axes as 1. */
export interface StandardizedNodes {
  readonly mean: Value | undefined;
  readonly centred: Value;
  readonly inverseDeviation: Value;
  readonly values: Value;
}

/** Builds `x̂ = (x − mean)·r`, `r = 1/√(mean((x − mean)²) + ε)` over `axes`. */
export function buildStandardization(
  builder: GraphBuilder,
  x: Value,
  { axes, epsilon, centre }: Standardization,
): StandardizedNodes {
  const over = builder.integers(axes);
  const mean = centre ? builder.op('ReduceMean', [x, over], { keepdims: 1 }) : undefined;
  const centred = mean === undefined ? x : builder.op('Sub', [x, mean]);
  const variance = builder.op('ReduceMean', [builder.op('Mul', [centred, centred]), over], { keepdims: 1 });
  const deviation = builder.op('Sqrt', [builder.op('Add', [variance, builder.scalar(epsilon, x.dtype)])]);
  const inverseDeviation = builder.op('Reciprocal', [deviation]);
  return { mean, centred, inverseDeviation, values: builder.op('Mul', [centred, inverseDeviation]) };
}

/** With cotangent `g` of `x̂`: `dx = r·(g − mean(g) − x̂·mean(g·x̂))`; without centring `mean(g)` is left out. */
export function standardizationGradient(
  builder: GraphBuilder,
  g: Value,
  nodes: StandardizedNodes,
  { axes, centre }: Pick<Standardization, 'axes' | 'centre'>,
): Value {
  const over = builder.integers(axes);
  const mean = (value: Value): Value => builder.op('ReduceMean', [value, over], { keepdims: 1 });
  const slope = builder.op('Mul', [nodes.values, mean(builder.op('Mul', [g, nodes.values]))]);
  const centred = centre ? builder.op('Sub', [g, mean(g)]) : g;
  return builder.op('Mul', [builder.op('Sub', [centred, slope]), nodes.inverseDeviation]);
}

import type { Regularizer, Value } from '@modelwright/core';
import { type Arithmetic, extents } from '../symbolic/arithmetic.js';

/** What a regularizer adds to the loss: the terms of `l1·Σ|w| + l2·Σw² + orthogonal·mean|cos|`. */
export interface Penalty {
  /** Terms whose gradient {@link penaltyGradient} gives. */
  readonly closed: readonly Value[];
  /** Terms that have to be differentiated. */
  readonly open: readonly Value[];
}

/** The terms that `regularizer` adds to the loss for a weight. */
export function penaltyOf(arithmetic: Arithmetic, weight: Value, regularizer: Regularizer): Penalty {
  const { l1 = 0, l2 = 0, orthogonal = 0 } = regularizer;
  const closed: Value[] = [];
  if (l1 !== 0) closed.push(arithmetic.multiply(arithmetic.sum(arithmetic.absolute(weight)), l1));
  if (l2 !== 0) closed.push(arithmetic.multiply(arithmetic.sum(arithmetic.square(weight)), l2));
  const open = orthogonal === 0 ? [] : [arithmetic.multiply(rowAlignment(arithmetic, weight), orthogonal)];
  return { closed, open };
}

/** `gradient + 2·l2·w + l1·sign(w)`: elementwise, so that it becomes part of the fused update. */
export function penaltyGradient(
  arithmetic: Arithmetic,
  { weight, gradient }: { readonly weight: Value; readonly gradient: Value },
  { l1 = 0, l2 = 0 }: Regularizer,
): Value {
  const shrunk = l2 === 0 ? gradient : arithmetic.add(gradient, arithmetic.multiply(weight, 2 * l2));
  return l1 === 0 ? shrunk : arithmetic.add(shrunk, arithmetic.multiply(arithmetic.sign(weight), l1));
}

// Mean |cosine| between different rows: 0 when all are orthogonal.
function rowAlignment(a: Arithmetic, weight: Value): Value {
  const [rows = 1, ...rest] = extents(weight.shape);
  const flat = a.reshape(weight, [rows, rest.reduce((product, extent) => product * extent, 1)]);
  const norms = a.squareRoot(a.maximum(a.sum(a.square(flat), [1], true), 1e-12));
  const unit = a.divide(flat, norms);
  const cosines = a.builder.op('MatMul', [unit, a.builder.op('Transpose', [unit], { perm: [1, 0] })]);
  const others = Array.from({ length: rows }, (_, row) =>
    Array.from({ length: rows }, (_unused, column) => (row === column ? 0 : 1)),
  );
  const between = a.absolute(a.multiply(cosines, a.builder.constant(others, { dtype: weight.dtype })));
  const pairs = (rows * (rows - 1)) / 2;
  return a.multiply(a.sum(between), pairs === 0 ? 0 : 0.5 / pairs);
}

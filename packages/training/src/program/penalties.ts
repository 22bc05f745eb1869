import type { Regularizer, Value } from '@modelwright/core';
import { type Arithmetic, extents } from '../symbolic/arithmetic.js';

/** What a regularizer adds to the loss: `l1·Σ|w| + l2·Σw² + orthogonal·(…)`; undefined when nothing. */
export function penaltyOf(arithmetic: Arithmetic, weight: Value, regularizer: Regularizer): Value | undefined {
  const { l1 = 0, l2 = 0, orthogonal = 0 } = regularizer;
  const terms: Value[] = [];
  if (l1 !== 0) terms.push(arithmetic.multiply(arithmetic.sum(arithmetic.absolute(weight)), l1));
  if (l2 !== 0) terms.push(arithmetic.multiply(arithmetic.sum(arithmetic.square(weight)), l2));
  if (orthogonal !== 0) terms.push(arithmetic.multiply(rowAlignment(arithmetic, weight), orthogonal));
  return terms.reduce<Value | undefined>(
    (sum, term) => (sum === undefined ? term : arithmetic.add(sum, term)),
    undefined,
  );
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

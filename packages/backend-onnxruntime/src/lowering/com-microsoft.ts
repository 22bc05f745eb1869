import type { GraphBuilder, Value } from '@modelwright/core';

/** Domain of ONNX Runtime's own ops. */
export const microsoftDomain = 'com.microsoft';

/** `a · bᵀ` over the last two axes of `[batch, m, k]` and `[batch, n, k]`, without a transpose in memory. */
export function matMulTransposed(builder: GraphBuilder, a: Value, b: Value): Value {
  const shape = [...a.shape.slice(0, -1), b.shape.at(-2) as number];
  const [product] = builder.foreign({
    op: 'FusedMatMul',
    domain: microsoftDomain,
    inputs: [a, b],
    attributes: { transB: 1 },
    attributeKinds: { transB: 'int' },
    outputs: [{ dtype: a.dtype, shape }],
  });
  return product as Value;
}

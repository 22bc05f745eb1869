import type { NoAttributes, OpFamily } from './definition.js';
import { pending } from './pending.js';

/** Attributes of the linear algebra ops, by op. */
export interface LinearAlgebraAttributes {
  MatMul: NoAttributes;
  Gemm: { alpha: number; beta: number; transA: number; transB: number };
  Einsum: { equation: string };
  Det: NoAttributes;
}

/** Linear algebra ops. */
export const linearAlgebra: OpFamily<LinearAlgebraAttributes> = pending<LinearAlgebraAttributes>();

import { type CaseInput, floats, given, type OpCase, random } from './case.js';

function matMul(what: string, left: readonly number[], right: readonly number[]): OpCase {
  const inputs = [floats(left), floats(right)];
  return {
    id: `linear-algebra/MatMul/${what}`,
    op: 'MatMul',
    inputs,
    differentiable: [0, 1],
    accumulation: left.at(-1) ?? 1,
  };
}

function gemm(transA: 0 | 1, transB: 0 | 1): OpCase {
  return {
    id: `linear-algebra/Gemm/transA ${transA}, transB ${transB}`,
    op: 'Gemm',
    attributes: { transA, transB, alpha: 0.5, beta: 2 },
    inputs: [floats(transA ? [4, 3] : [3, 4]), floats(transB ? [2, 4] : [4, 2]), floats([2])],
    differentiable: [0, 1, 2],
    accumulation: 4,
  };
}

function einsum(
  equation: string,
  shapes: readonly (readonly number[])[],
  differentiable: readonly number[] = shapes.map((_, at) => at),
): OpCase {
  const inputs: readonly CaseInput[] = shapes.map((shape) => floats(shape));
  return {
    id: `linear-algebra/Einsum/${equation} ${shapes.map((shape) => `[${shape}]`).join('')}`,
    op: 'Einsum',
    attributes: { equation },
    inputs,
    differentiable,
    accumulation: 8,
  };
}

const integers = ['int32', 'int64', 'uint32', 'uint64'] as const;

/** Cases of products of matrices and tensors. */
export const linearAlgebraCases: readonly OpCase[] = [
  matMul('matrices', [3, 4], [4, 2]),
  matMul('vector by matrix', [4], [4, 3]),
  matMul('matrix by vector', [3, 4], [4]),
  matMul('vectors', [4], [4]),
  matMul('batches', [2, 3, 4], [2, 4, 2]),
  matMul('one matrix for all batches', [2, 3, 4], [4, 2]),
  matMul('one matrix for two batch axes', [2, 2, 3, 2], [2, 2]),
  matMul('one matrix before all batches', [3, 4], [2, 4, 2]),
  matMul('both broadcast', [2, 1, 3, 2], [3, 2, 2]),
  matMul('batches by vector', [2, 3, 4], [4]),
  matMul('vector by batches', [4], [2, 4, 3]),
  matMul('extent 1', [1, 1], [1, 1]),
  { id: 'linear-algebra/MatMul/inner extent 0', op: 'MatMul', inputs: [floats([3, 0]), floats([0, 2])] },
  { id: 'linear-algebra/MatMul/empty', op: 'MatMul', inputs: [floats([0, 3]), floats([3, 2])] },
  {
    id: 'linear-algebra/MatMul/large',
    op: 'MatMul',
    inputs: [floats([67, 131]), floats([131, 45])],
    accumulation: 131,
  },
  {
    id: 'linear-algebra/MatMul/float16',
    op: 'MatMul',
    inputs: [random('float16', [3, 4]), random('float16', [4, 2])],
    accumulation: 4,
  },
  {
    id: 'linear-algebra/MatMul/float64',
    op: 'MatMul',
    inputs: [random('float64', [3, 4]), random('float64', [4, 2])],
    accumulation: 4,
  },
  ...integers.map(
    (dtype): OpCase => ({
      id: `linear-algebra/MatMul/${dtype}`,
      op: 'MatMul',
      inputs: [random(dtype, [3, 4]), random(dtype, [4, 2])],
    }),
  ),
  {
    id: 'linear-algebra/MatMul/int32 wraps',
    op: 'MatMul',
    inputs: [given('int32', [2147483647, 3], [1, 2]), given('int32', [3, 7], [2, 1])],
  },
  {
    id: 'linear-algebra/MatMul/NaN',
    op: 'MatMul',
    inputs: [
      given('float32', [0, 1, 2, 0], [2, 2]),
      given('float32', [Number.NaN, 1, 1, Number.POSITIVE_INFINITY], [2, 2]),
    ],
  },
  gemm(0, 0),
  gemm(1, 0),
  gemm(0, 1),
  gemm(1, 1),
  {
    id: 'linear-algebra/Gemm/no addend',
    op: 'Gemm',
    inputs: [floats([3, 4]), floats([4, 2])],
    differentiable: [0, 1],
    accumulation: 4,
  },
  {
    id: 'linear-algebra/Gemm/whole addend',
    op: 'Gemm',
    inputs: [floats([3, 4]), floats([4, 2]), floats([3, 2])],
    differentiable: [0, 1, 2],
    accumulation: 4,
  },
  {
    id: 'linear-algebra/Gemm/column addend',
    op: 'Gemm',
    inputs: [floats([3, 4]), floats([4, 2]), floats([3, 1])],
    differentiable: [0, 1, 2],
    accumulation: 4,
  },
  {
    id: 'linear-algebra/Gemm/scalar addend',
    op: 'Gemm',
    inputs: [floats([3, 4]), floats([4, 2]), floats([])],
    differentiable: [0, 1, 2],
    accumulation: 4,
  },
  {
    id: 'linear-algebra/Gemm/addend without weight',
    op: 'Gemm',
    attributes: { beta: 0 },
    inputs: [floats([3, 4]), floats([4, 2]), floats([2])],
    differentiable: [0, 1, 2],
    accumulation: 4,
  },
  { id: 'linear-algebra/Gemm/inner extent 0', op: 'Gemm', inputs: [floats([3, 0]), floats([0, 2]), floats([2])] },
  { id: 'linear-algebra/Gemm/empty', op: 'Gemm', inputs: [floats([0, 4]), floats([4, 2]), floats([2])] },
  {
    id: 'linear-algebra/Gemm/large',
    op: 'Gemm',
    inputs: [floats([67, 131]), floats([131, 45]), floats([45])],
    accumulation: 131,
  },
  {
    id: 'linear-algebra/Gemm/float16',
    op: 'Gemm',
    inputs: [random('float16', [3, 4]), random('float16', [4, 2]), random('float16', [2])],
    accumulation: 4,
  },
  {
    id: 'linear-algebra/Gemm/float64',
    op: 'Gemm',
    inputs: [random('float64', [3, 4]), random('float64', [4, 2])],
    accumulation: 4,
  },
  einsum('ij,jk->ik', [
    [3, 4],
    [4, 2],
  ]),
  einsum('ij,jk', [
    [3, 4],
    [4, 2],
  ]),
  einsum('bij,bjk->bik', [
    [2, 3, 2],
    [2, 2, 3],
  ]),
  einsum('ij->ji', [[3, 2]]),
  einsum('ij->', [[3, 2]]),
  einsum('ij->j', [[3, 2]]),
  einsum('ii->i', [[3, 3]]),
  einsum('ii', [[3, 3]]),
  einsum('iij->j', [[2, 2, 3]]),
  einsum('i,j->ij', [[3], [2]]),
  einsum('i,i', [[4], [4]]),
  einsum('...ij,...jk->...ik', [
    [2, 1, 3, 2],
    [3, 2, 2],
  ]),
  einsum('...i->...', [[2, 3, 2]]),
  einsum('...', [[2, 3]]),
  einsum('ij,j->ij', [[3, 4], [1]]),
  einsum('ij,ij->j', [
    [1, 4],
    [3, 4],
  ]),
  einsum('i,ij,j->', [[3], [3, 4], [4]]),
  einsum('bhqd,bhkd->bhqk', [
    [1, 2, 3, 2],
    [1, 2, 2, 2],
  ]),
  einsum('ia,ja,ka->ijk', [
    [2, 3],
    [2, 3],
    [2, 3],
  ]),
  {
    id: 'linear-algebra/Einsum/empty',
    op: 'Einsum',
    attributes: { equation: 'ij,jk->ik' },
    inputs: [floats([2, 0]), floats([0, 3])],
  },
  {
    id: 'linear-algebra/Einsum/large',
    op: 'Einsum',
    attributes: { equation: 'bij,bkj->bik' },
    inputs: [floats([5, 23, 31]), floats([5, 17, 31])],
    accumulation: 31,
  },
  {
    id: 'linear-algebra/Einsum/float64',
    op: 'Einsum',
    attributes: { equation: 'ij,jk->ik' },
    inputs: [random('float64', [2, 3]), random('float64', [3, 2])],
  },
  {
    id: 'linear-algebra/Einsum/int64',
    op: 'Einsum',
    attributes: { equation: 'ij,jk->ik' },
    inputs: [random('int64', [2, 3]), random('int64', [3, 2])],
  },
  { id: 'linear-algebra/Det/3×3', op: 'Det', inputs: [floats([3, 3])] },
  { id: 'linear-algebra/Det/batches', op: 'Det', inputs: [floats([2, 2, 4, 4])] },
  { id: 'linear-algebra/Det/singular', op: 'Det', inputs: [given('float32', [1, 2, 2, 4], [2, 2])] },
  { id: 'linear-algebra/Det/needs pivots', op: 'Det', inputs: [given('float32', [0, 1, 1, 0], [2, 2])] },
  { id: 'linear-algebra/Det/1×1', op: 'Det', inputs: [floats([5, 1, 1])] },
  { id: 'linear-algebra/Det/float64', op: 'Det', inputs: [random('float64', [3, 3])] },
];

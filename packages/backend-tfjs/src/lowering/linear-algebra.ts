import { broadcastShapes } from '@modelwright/core';
import type { TensorInfo } from '../device/tfjs-core.js';
import { expand } from './elementwise.js';
import {
  countOf,
  host,
  type KernelLowering,
  kernel,
  type LoweringFamily,
  type ScopeMemory,
  type StepScope,
  takes,
} from './lowering.js';

/** Multiplications from which on a product of its own pays for the copies. */
const worthSingle = 2 ** 14;

const plain = { transposeA: false, transposeB: false } as const;

/** A matrix product of any ranks, as ONNX and NumPy have it. Never transposes inside the kernel, which would be 10 to 20 times slower. */
export function matrixProduct(scope: StepScope, a: TensorInfo, b: TensorInfo): TensorInfo {
  const left = a.shape.length === 1 ? scope.reshape(a, [1, ...a.shape]) : a;
  const right = b.shape.length === 1 ? scope.reshape(b, [...b.shape, 1]) : b;
  const batch = broadcastShapes(left.shape.slice(0, -2), right.shape.slice(0, -2)) as readonly number[];
  const rows = left.shape.at(-2) as number;
  const columns = right.shape.at(-1) as number;
  const product = batchedProduct(scope, { left, right, batch });
  const tail = [...(a.shape.length === 1 ? [] : [rows]), ...(b.shape.length === 1 ? [] : [columns])];
  return scope.reshape(product, [...batch, ...tail]);
}

interface Factors {
  readonly left: TensorInfo;
  readonly right: TensorInfo;
  readonly batch: readonly number[];
}

function batchedProduct(scope: StepScope, { left, right, batch }: Factors): TensorInfo {
  const [rows, inner] = left.shape.slice(-2) as [number, number];
  const columns = right.shape.at(-1) as number;
  // One matrix for the whole batch: its rows are rows of one product.
  if (countOf(right.shape.slice(0, -2)) === 1) {
    const tall = scope.reshape(left, [countOf(left.shape) / inner, inner]);
    return scope.run('BatchMatMul', { a: tall, b: scope.reshape(right, [inner, columns]) }, plain);
  }
  const count = countOf(batch);
  const a = scope.reshape(expand(scope, left, [...batch, rows, inner]), [count, rows, inner]);
  const b = scope.reshape(expand(scope, right, [...batch, inner, columns]), [count, inner, columns]);
  if (scope.backendName !== 'wasm' || scope.memory === undefined || rows * inner * columns < worthSingle)
    return scope.run('BatchMatMul', { a, b }, plain);
  return productByProduct(scope, a, b);
}

// The wasm kernel is fast for single products only: each is copied out, multiplied and copied in.
function productByProduct(scope: StepScope, a: TensorInfo, b: TensorInfo): TensorInfo {
  const memory = scope.memory as ScopeMemory;
  const [count, rows, inner] = a.shape as [number, number, number];
  const columns = b.shape[2] as number;
  const result = memory.allocate([count, rows, columns]);
  for (let index = 0; index < count; index++) {
    const left = partOf(memory, a, { index, shape: [rows, inner] });
    const right = partOf(memory, b, { index, shape: [inner, columns] });
    const product = scope.run('BatchMatMul', { a: left, b: right }, plain);
    const elements = memory.view(product);
    memory.view(result).set(elements, index * rows * columns);
    for (const done of [left, right, product]) scope.free(done);
  }
  return result;
}

function partOf(
  memory: ScopeMemory,
  tensor: TensorInfo,
  { index, shape }: { readonly index: number; readonly shape: readonly number[] },
): TensorInfo {
  const part = memory.allocate(shape);
  const count = countOf(shape);
  memory.view(part).set(memory.view(tensor).subarray(index * count, (index + 1) * count));
  return part;
}

/** Matrix products. */
export const linearAlgebraLowerings: LoweringFamily<'MatMul' | 'Gemm' | 'Einsum' | 'Det'> = {
  MatMul: kernel((node) =>
    takes(node, 'float32') ? (scope) => matrixProduct(scope, scope.device(0), scope.device(1)) : undefined,
  ),
  Gemm: gemm(),
  Einsum: host('the wasm backend has no Einsum'),
  Det: host('tfjs has no determinant'),
};

// y = α·op(A)·op(B) + β·C. What is left of it after preparing a graph: transposes stand before it.
function gemm(): KernelLowering<'Gemm'> {
  return kernel((node) => {
    const { alpha, beta, transA, transB } = node.attributes;
    if (!takes(node, 'float32')) return undefined;
    return (scope) => {
      const turned = (tensor: TensorInfo, turn: number): TensorInfo =>
        turn === 0 ? tensor : scope.run('Transpose', { x: tensor }, { perm: [1, 0] });
      const scaled = (tensor: TensorInfo, factor: number): TensorInfo =>
        factor === 1 ? tensor : scope.run('Multiply', { a: tensor, b: scope.scalar(factor) });
      const product = matrixProduct(scope, turned(scope.device(0), transA), turned(scope.device(1), transB));
      const scaledProduct = scaled(product, alpha);
      if (scope.inputs[2] === undefined) return scaledProduct;
      return scope.run('Add', { a: scaledProduct, b: scaled(scope.device(2), beta) });
    };
  });
}

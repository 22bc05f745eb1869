import type { OpName } from '@modelwright/core';
import type { TensorInfo } from '../device/tfjs-core.js';
import {
  countOf,
  type KernelLowering,
  kernel,
  type LoweringFamily,
  type NodeOf,
  type StepScope,
  takesAt,
} from './lowering.js';
import { axesFrom, fromFront, optionalNumbers } from './shapes.js';

type Reduction = 'ReduceSum' | 'ReduceMean' | 'ReduceMax' | 'ReduceMin' | 'ReduceProd';

interface Reduced {
  readonly x: TensorInfo;
  readonly axes: readonly number[];
}

function reduction<N extends Reduction>(reduce: (scope: StepScope, reduced: Reduced) => TensorInfo): KernelLowering<N> {
  return kernel<N>((node: NodeOf<N>) => {
    if (!takesAt(node, 0, 'float32')) return undefined;
    const { keepdims, noop_with_empty_axes: noop } = node.attributes as {
      keepdims: number;
      noop_with_empty_axes: number;
    };
    return (scope) => {
      const given = optionalNumbers(scope, 1);
      if (noop === 1 && (given?.length ?? 0) === 0) return scope.held(0);
      const x = scope.device(0);
      const axes = axesFrom(given, x.shape.length);
      if (x.shape.length === 0) return scope.held(0);
      const result = reduce(scope, { x, axes });
      return scope.reshape(result, reducedShape(x.shape, axes, keepdims !== 0));
    };
  });
}

function reducedShape(shape: readonly number[], axes: readonly number[], keeps: boolean): readonly number[] {
  return shape.flatMap((extent, axis) => (axes.includes(axis) ? (keeps ? [1] : []) : [extent]));
}

/** `Σ` over axes. Over leading axes the kernel would transpose first; the rows are added up here instead. */
export function sumOver(scope: StepScope, { x, axes }: Reduced): TensorInfo {
  const leads = axes.length < x.shape.length && axes.every((axis) => axis < axes.length);
  if (!leads || scope.memory === undefined) return scope.run('Sum', { x }, { axis: [...axes], keepDims: false });
  const columns = countOf(x.shape.slice(axes.length));
  const result = scope.memory.allocate([columns]);
  const source = scope.memory.view(x) as Float32Array;
  (scope.memory.view(result) as Float32Array).set(sumOfRows(source, columns));
  return result;
}

function sumOfRows(source: Float32Array, columns: number): Float64Array {
  const sums = new Float64Array(columns);
  for (let row = 0; row < source.length; row += columns) {
    for (let column = 0; column < columns; column++) {
      sums[column] = (sums[column] as number) + (source[row + column] as number);
    }
  }
  return sums;
}

function argExtreme<N extends 'ArgMax' | 'ArgMin'>(name: N): KernelLowering<N> {
  return kernel<N>((node: NodeOf<N>) => {
    const {
      axis,
      keepdims,
      select_last_index: last,
    } = node.attributes as {
      axis: number;
      keepdims: number;
      select_last_index: number;
    };
    if (last !== 0 || !takesAt(node, 0, 'float32')) return undefined;
    return (scope) => {
      const x = scope.device(0);
      const at = fromFront(axis, x.shape.length);
      if (x.shape.length === 0) return scope.run('Fill', {}, { shape: [], value: 0, dtype: 'int32' });
      const places = scope.run(name, { x }, { axis: at });
      return scope.reshape(places, reducedShape(x.shape, [at], keepdims !== 0));
    };
  });
}

const topK: KernelLowering<'TopK'> = kernel((node) => {
  const { axis, largest } = node.attributes;
  const rank = node.inputs[0]?.shape.length ?? 0;
  if (largest !== 1 || fromFront(axis, rank) !== rank - 1 || !takesAt(node, 0, 'float32')) return undefined;
  return (scope) => {
    const k = scope.held(1).numbers()[0] as number;
    return scope.runAll('TopK', { x: scope.device(0) }, { k, sorted: true });
  };
});

const cumSum: KernelLowering<'CumSum'> = kernel((node) => {
  const { exclusive, reverse } = node.attributes;
  if (!takesAt(node, 0, 'float32', 'int32')) return undefined;
  return (scope) => {
    const x = scope.device(0);
    const axis = fromFront(scope.held(1).numbers()[0] as number, x.shape.length);
    return scope.run('Cumsum', { x }, { axis, exclusive: exclusive !== 0, reverse: reverse !== 0 });
  };
});

/** Reductions. */
export const reductionLowerings: LoweringFamily<
  Extract<
    OpName,
    | Reduction
    | 'ReduceL1'
    | 'ReduceL2'
    | 'ReduceLogSum'
    | 'ReduceLogSumExp'
    | 'ReduceSumSquare'
    | 'ArgMax'
    | 'ArgMin'
    | 'TopK'
    | 'CumSum'
  >
> = {
  ReduceSum: reduction(sumOver),
  ReduceMean: reduction((scope, reduced) => {
    const count = countOf(reduced.axes.map((axis) => reduced.x.shape[axis] as number));
    return scope.run('RealDiv', { a: sumOver(scope, reduced), b: scope.scalar(count) });
  }),
  ReduceMax: reduction((scope, { x, axes }) =>
    scope.run('Max', { x }, { reductionIndices: [...axes], keepDims: false }),
  ),
  ReduceMin: reduction((scope, { x, axes }) => scope.run('Min', { x }, { axis: [...axes], keepDims: false })),
  ReduceProd: reduction((scope, { x, axes }) => scope.run('Prod', { x }, { axis: [...axes], keepDims: false })),
  ReduceL1: 'decompose',
  ReduceL2: 'decompose',
  ReduceLogSum: 'decompose',
  ReduceLogSumExp: 'decompose',
  ReduceSumSquare: 'decompose',
  ArgMax: argExtreme('ArgMax'),
  ArgMin: argExtreme('ArgMin'),
  TopK: topK,
  CumSum: cumSum,
};

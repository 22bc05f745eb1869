import type { ReductionAttributes } from '../ops/reduction.js';
import type { DType } from '../tensor/dtype.js';
import { type CaseInput, floats, given, type OpCase, random, scalar, specialFloats, vector } from './case.js';

type ReduceName = Extract<keyof ReductionAttributes, `Reduce${string}`>;

/** Ranges in which each reduction is smooth; extremes need elements that keep their order. */
const ranges: { readonly [N in ReduceName]: Pick<CaseInput, 'low' | 'high' | 'avoid' | 'distinct'> } = {
  ReduceSum: {},
  ReduceMean: {},
  ReduceMax: { distinct: true },
  ReduceMin: { distinct: true },
  ReduceProd: {},
  ReduceL1: { avoid: [0] },
  ReduceL2: {},
  ReduceLogSum: { low: 0.2, high: 3 },
  ReduceLogSumExp: {},
  ReduceSumSquare: {},
};

/** Integer dtypes each takes in ONNX. */
const wide: readonly DType[] = ['int32', 'int64'];
const narrow: readonly DType[] = ['int8', 'uint8'];

function casesOfReduction(op: ReduceName): readonly OpCase[] {
  const name = `reduction/${op}`;
  const x = floats([2, 3, 4], ranges[op]);
  const keep = { keepdims: 1 };
  const drop = { keepdims: 0 };
  return [
    { id: `${name}/last axis`, op, inputs: [x, vector([2])], attributes: keep, differentiable: [0] },
    { id: `${name}/middle axis dropped`, op, inputs: [x, vector([1])], attributes: drop, differentiable: [0] },
    { id: `${name}/two axes`, op, inputs: [x, vector([0, -1])], attributes: drop, differentiable: [0] },
    { id: `${name}/all axes`, op, inputs: [x], attributes: drop, differentiable: [0] },
    {
      id: `${name}/all axes kept`,
      op,
      inputs: [floats([3, 2], ranges[op]), vector([])],
      attributes: keep,
      differentiable: [0],
    },
    {
      id: `${name}/no axes`,
      op,
      inputs: [floats([3, 2], { ...ranges[op], low: 0.5 }), vector([])],
      attributes: { noop_with_empty_axes: 1 },
      differentiable: [0],
    },
    {
      id: `${name}/extent 1`,
      op,
      inputs: [floats([3, 1, 2], ranges[op]), vector([1])],
      attributes: drop,
      differentiable: [0],
    },
    { id: `${name}/scalar`, op, inputs: [floats([], { low: 0.5 })], attributes: keep },
    { id: `${name}/over nothing`, op, inputs: [floats([2, 0, 3]), vector([1])], attributes: keep },
    { id: `${name}/to nothing`, op, inputs: [floats([2, 0, 3]), vector([0])], attributes: drop },
    {
      id: `${name}/large`,
      op,
      inputs: [floats([37, 271], ranges[op]), vector([1])],
      attributes: drop,
      accumulation: 271,
    },
    {
      id: `${name}/large columns`,
      op,
      inputs: [floats([37, 271], ranges[op]), vector([0])],
      attributes: drop,
      accumulation: 37,
    },
    {
      id: `${name}/float16`,
      op,
      inputs: [random('float16', [3, 4], ranges[op]), vector([1])],
      attributes: keep,
      accumulation: 4,
    },
    {
      id: `${name}/float64`,
      op,
      inputs: [random('float64', [3, 4], ranges[op]), vector([0])],
      attributes: keep,
      accumulation: 3,
    },
    { id: `${name}/NaN`, op, inputs: [specialFloats], attributes: drop },
    {
      id: `${name}/infinite`,
      op,
      inputs: [given('float32', [1, Number.POSITIVE_INFINITY, 2, Number.NEGATIVE_INFINITY], [2, 2]), vector([1])],
      attributes: drop,
    },
  ];
}

function integerCases(op: ReduceName, dtypes: readonly DType[]): readonly OpCase[] {
  return dtypes.map((dtype) => ({
    id: `reduction/${op}/${dtype}`,
    op,
    inputs: [random(dtype, [3, 4], { low: 1, high: 5 }), vector([1])],
    attributes: { keepdims: 0 },
  }));
}

const names = Object.keys(ranges) as ReduceName[];
const tied = given('float32', [3, 1, 3, 2, 2, -1, 5, 5, 5, 0, -2, 5], [3, 4]);
const withNaN = given('float32', [1, Number.NaN, 3, Number.NaN, 2, 2], [2, 3]);

function argCases(op: 'ArgMax' | 'ArgMin'): readonly OpCase[] {
  const name = `reduction/${op}`;
  return [
    { id: `${name}/first axis`, op, inputs: [floats([3, 4])] },
    { id: `${name}/last axis dropped`, op, inputs: [floats([2, 3, 4])], attributes: { axis: -1, keepdims: 0 } },
    { id: `${name}/ties`, op, inputs: [tied], attributes: { axis: 1 } },
    { id: `${name}/last of ties`, op, inputs: [tied], attributes: { axis: 1, select_last_index: 1 } },
    { id: `${name}/NaN`, op, inputs: [withNaN], attributes: { axis: 1 } },
    { id: `${name}/large`, op, inputs: [floats([37, 271])], attributes: { axis: 1, keepdims: 0 } },
    { id: `${name}/extent 1`, op, inputs: [floats([3, 1])], attributes: { axis: 1 } },
    { id: `${name}/to nothing`, op, inputs: [floats([0, 3])], attributes: { axis: 1 } },
    { id: `${name}/float16`, op, inputs: [random('float16', [3, 4])] },
    ...(['int32', 'int8', 'uint8'] as const).map(
      (dtype): OpCase => ({ id: `${name}/${dtype}`, op, inputs: [random(dtype, [4, 5])] }),
    ),
    {
      id: `${name}/int64 beyond 2⁵³`,
      op,
      inputs: [given('int64', [9007199254740992n, 9007199254740993n, 9007199254740992n])],
    },
  ];
}

const k = (count: number): CaseInput => vector([count]);
const spread = floats([3, 7], { distinct: true });

function topKCases(): readonly OpCase[] {
  const op = 'TopK';
  return [
    { id: 'reduction/TopK/largest', op, inputs: [spread, k(3)], differentiable: [0] },
    { id: 'reduction/TopK/smallest', op, inputs: [spread, k(2)], attributes: { largest: 0 }, differentiable: [0] },
    { id: 'reduction/TopK/first axis', op, inputs: [spread, k(2)], attributes: { axis: 0 }, differentiable: [0] },
    {
      id: 'reduction/TopK/middle axis',
      op,
      inputs: [floats([2, 5, 3], { distinct: true }), k(4)],
      attributes: { axis: 1 },
      differentiable: [0],
    },
    { id: 'reduction/TopK/all', op, inputs: [spread, k(7)] },
    { id: 'reduction/TopK/none', op, inputs: [spread, k(0)] },
    { id: 'reduction/TopK/ties', op, inputs: [tied, k(3)] },
    { id: 'reduction/TopK/smallest ties', op, inputs: [tied, k(3)], attributes: { largest: 0 } },
    { id: 'reduction/TopK/NaN', op, inputs: [withNaN, k(2)] },
    { id: 'reduction/TopK/large', op, inputs: [floats([37, 271], { distinct: true }), k(5)] },
    { id: 'reduction/TopK/float64', op, inputs: [random('float64', [2, 9], { distinct: true }), k(4)] },
    { id: 'reduction/TopK/int64', op, inputs: [given('int64', [9007199254740992n, 9007199254740993n, 3n]), k(2)] },
    { id: 'reduction/TopK/int32', op, inputs: [given('int32', [5, -3, 9, 0]), k(2)] },
  ];
}

function cumSumCases(): readonly OpCase[] {
  const op = 'CumSum';
  const axis = (at: number): CaseInput => scalar('int64', at);
  return [
    { id: 'reduction/CumSum/forward', op, inputs: [floats([3, 4]), axis(1)], differentiable: [0] },
    {
      id: 'reduction/CumSum/exclusive',
      op,
      inputs: [floats([3, 4]), axis(1)],
      attributes: { exclusive: 1 },
      differentiable: [0],
    },
    {
      id: 'reduction/CumSum/reverse',
      op,
      inputs: [floats([3, 4]), axis(0)],
      attributes: { reverse: 1 },
      differentiable: [0],
    },
    {
      id: 'reduction/CumSum/reverse exclusive',
      op,
      inputs: [floats([2, 4, 3]), axis(-2)],
      attributes: { reverse: 1, exclusive: 1 },
      differentiable: [0],
    },
    { id: 'reduction/CumSum/axis fed', op, inputs: [floats([3, 4]), given('int32', [1], [])] },
    { id: 'reduction/CumSum/empty', op, inputs: [floats([2, 0]), axis(1)] },
    { id: 'reduction/CumSum/large', op, inputs: [floats([37, 271]), axis(1)], accumulation: 271 },
    { id: 'reduction/CumSum/float64', op, inputs: [random('float64', [5]), axis(0)] },
    { id: 'reduction/CumSum/int32', op, inputs: [random('int32', [5]), axis(0)] },
    { id: 'reduction/CumSum/int64', op, inputs: [given('int64', [9007199254740992n, 1n, 1n]), axis(0)] },
  ];
}

/** Cases of the reductions. */
export const reductionCases: readonly OpCase[] = [
  ...names.flatMap(casesOfReduction),
  ...names
    .filter((op) => op !== 'ReduceL2' && op !== 'ReduceLogSum' && op !== 'ReduceLogSumExp')
    .flatMap((op) => integerCases(op, wide)),
  ...(['ReduceMax', 'ReduceMin'] as const).flatMap((op) => integerCases(op, narrow)),
  { id: 'reduction/ReduceMax/bool', op: 'ReduceMax', inputs: [random('bool', [3, 4]), vector([1])] },
  { id: 'reduction/ReduceMin/bool', op: 'ReduceMin', inputs: [random('bool', [3, 4]), vector([1])] },
  { id: 'reduction/ReduceMax/int64 over nothing', op: 'ReduceMax', inputs: [random('int64', [2, 0]), vector([1])] },
  {
    id: 'reduction/ReduceSum/int64 beyond 2⁵³',
    op: 'ReduceSum',
    inputs: [given('int64', [9007199254740992n, 1n, 1n])],
  },
  {
    id: 'reduction/ReduceMean/int32 truncates',
    op: 'ReduceMean',
    inputs: [given('int32', [-2, -3, 2, 3], [2, 2]), vector([1])],
  },
  {
    id: 'reduction/ReduceProd/zeros',
    op: 'ReduceProd',
    inputs: [given('float32', [1.5, 2, -3, 0, 2, -1, 0, 0, 1.5], [3, 3]), vector([1])],
    differentiable: [0],
  },
  {
    id: 'reduction/ReduceLogSumExp/huge',
    op: 'ReduceLogSumExp',
    inputs: [given('float32', [1000, 1001, -1000, -1001], [2, 2]), vector([1])],
    tolerance: { relative: 1e-3, absolute: 1e-3, reason: 'a float32 near 1000 is known to 6e-5, and so is the slope' },
    differentiable: [0],
  },
  { id: 'reduction/ReduceSum/axes fed', op: 'ReduceSum', inputs: [floats([2, 3]), given('int64', [1])] },
  ...(['ArgMax', 'ArgMin'] as const).flatMap(argCases),
  ...topKCases(),
  ...cumSumCases(),
];

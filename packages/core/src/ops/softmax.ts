import type { Value, ValueType } from '../graph/graph.js';
import { castTo } from '../graph/shape-ops.js';
import { isFloat } from '../tensor/dtype.js';
import { normalizeAxis } from '../tensor/shape.js';
import { elementCountOf, fromNumbers, type Tensor, tensor, toNumbers } from '../tensor/tensor.js';
import type { DecomposeContext, EvaluateContext, GradientContext, InferContext, OpFamily } from './definition.js';
import type { NormalizationAttributes } from './normalization.js';
import { exactly, sameAsFloatInput } from './rules.js';

type AxisAttributes = NormalizationAttributes['Softmax'];

function inferAlongAxis(context: InferContext<AxisAttributes>): readonly ValueType[] {
  checkAxis(context);
  return sameAsFloatInput(context);
}

function checkAxis(context: InferContext<AxisAttributes>): void {
  const { axis } = context.attributes;
  const rank = context.input(0).shape.length;
  if (Number.isInteger(axis) && axis >= -rank && axis < rank) return;
  context.fail(
    `axis ${axis} is out of range for rank ${rank}; allowed is ${-rank}…${rank - 1}`,
    { given: axis },
    'invalid-attribute',
  );
}

/** Runs `apply` on each line along `axis`: elements `begin + i·stride`, `i < length`, of both arrays. */
export function forEachLine(
  shape: readonly number[],
  axis: number,
  apply: (begin: number, stride: number, length: number) => void,
): void {
  const at = normalizeAxis(axis, shape.length);
  const length = shape[at] as number;
  const stride = elementCountOf(shape.slice(at + 1));
  const outer = elementCountOf(shape.slice(0, at));
  for (let block = 0; block < outer; block++) {
    for (let inner = 0; inner < stride; inner++) apply(block * length * stride + inner, stride, length);
  }
}

interface Line {
  readonly x: Float64Array;
  readonly begin: number;
  readonly stride: number;
  readonly end: number;
}

function largestOf({ x, begin, stride, end }: Line): number {
  let largest = Number.NEGATIVE_INFINITY;
  for (let at = begin; at < end; at += stride) largest = Math.max(largest, x[at] as number);
  return largest;
}

function sumOfExponentials({ x, begin, stride, end }: Line, largest: number): number {
  let sum = 0;
  for (let at = begin; at < end; at += stride) sum += Math.exp((x[at] as number) - largest);
  return sum;
}

function evaluateAlongAxis(
  context: EvaluateContext<AxisAttributes>,
  write: (line: Line, y: Float64Array) => void,
): readonly Tensor[] {
  const input = context.input(0);
  const x = toNumbers(input);
  const y = new Float64Array(x.length);
  forEachLine(input.shape, context.attributes.axis, (begin, stride, length) => {
    write({ x, begin, stride, end: begin + length * stride }, y);
  });
  return [fromNumbers(input.dtype, input.shape, y)];
}

function writeSoftmax(line: Line, y: Float64Array): void {
  const largest = largestOf(line);
  const sum = sumOfExponentials(line, largest);
  for (let at = line.begin; at < line.end; at += line.stride) {
    y[at] = Math.exp((line.x[at] as number) - largest) / sum;
  }
}

function writeLogSoftmax(line: Line, y: Float64Array): void {
  const largest = largestOf(line);
  const logSum = Math.log(sumOfExponentials(line, largest));
  for (let at = line.begin; at < line.end; at += line.stride) y[at] = (line.x[at] as number) - largest - logSum;
}

function writeHardmax(line: Line, y: Float64Array): void {
  let best = line.begin;
  for (let at = line.begin; at < line.end; at += line.stride) {
    if ((line.x[at] as number) > (line.x[best] as number)) best = at;
  }
  if (line.end > line.begin) y[best] = 1;
}

function sumAlong(context: GradientContext<AxisAttributes>, value: Value): Value {
  const { builder, attributes } = context;
  return builder.op('ReduceSum', [value, builder.integers([attributes.axis])], { keepdims: 1 });
}

// dx = y·(dy − Σ y·dy)
function softmaxGradient(context: GradientContext<AxisAttributes>): readonly Value[] {
  const { builder, outputs, outputGradient: dy } = context;
  const y = outputs[0] as Value;
  const mean = sumAlong(context, builder.op('Mul', [y, dy]));
  return [builder.op('Mul', [y, builder.op('Sub', [dy, mean])])];
}

// dx = dy − e^y·Σ dy
function logSoftmaxGradient(context: GradientContext<AxisAttributes>): readonly Value[] {
  const { builder, outputs, outputGradient: dy } = context;
  const share = builder.op('Mul', [builder.op('Exp', [outputs[0]]), sumAlong(context, dy)]);
  return [builder.op('Sub', [dy, share])];
}

/** `x − max x` along the axis and its exponentials' sum. */
function shiftedExponentials({ builder, input, attributes }: DecomposeContext<AxisAttributes>) {
  const axes = builder.integers([attributes.axis]);
  const largest = builder.op('ReduceMax', [input(0), axes], { keepdims: 1 });
  const shifted = builder.op('Sub', [input(0), largest]);
  const exponentials = builder.op('Exp', [shifted]);
  return { shifted, exponentials, sum: builder.op('ReduceSum', [exponentials, axes], { keepdims: 1 }) };
}

function decomposeSoftmax(context: DecomposeContext<AxisAttributes>): readonly Value[] {
  const { exponentials, sum } = shiftedExponentials(context);
  return [context.builder.op('Div', [exponentials, sum])];
}

function decomposeLogSoftmax(context: DecomposeContext<AxisAttributes>): readonly Value[] {
  const { shifted, sum } = shiftedExponentials(context);
  return [context.builder.op('Sub', [shifted, context.builder.op('Log', [sum])])];
}

// 1 where the position along the axis is that of the first maximum
function decomposeHardmax(context: DecomposeContext<AxisAttributes>): readonly Value[] | undefined {
  const { builder, input } = context;
  const { dtype, shape } = input(0);
  const axis = normalizeAxis(context.attributes.axis, shape.length);
  const extent = shape[axis];
  if (typeof extent !== 'number' || !isFloat(dtype)) return undefined;
  const best = builder.op('ArgMax', [input(0)], { axis, keepdims: 1 });
  const positions = builder.constant(
    tensor(
      Array.from({ length: extent }, (_, at) => at),
      { dtype: 'int64', shape: shape.map((_, at) => (at === axis ? extent : 1)) },
    ),
    { name: 'positions' },
  );
  return [castTo(builder, builder.op('Equal', [positions, best]), dtype)];
}

const common = {
  inputs: exactly(1),
  outputs: exactly(1),
  attributes: { axis: { kind: 'int', default: -1 } },
  infer: inferAlongAxis,
} as const;

/** Normalizations along one axis by exponentials. */
export const softmax: Pick<OpFamily<NormalizationAttributes>, 'Softmax' | 'LogSoftmax' | 'Hardmax'> = {
  /** `y = e^x / Σ e^x` */
  Softmax: {
    ...common,
    gradient: softmaxGradient,
    evaluate: (context) => evaluateAlongAxis(context, writeSoftmax),
    decompose: decomposeSoftmax,
  },
  /** `y = x − log Σ e^x` */
  LogSoftmax: {
    ...common,
    gradient: logSoftmaxGradient,
    evaluate: (context) => evaluateAlongAxis(context, writeLogSoftmax),
    decompose: decomposeLogSoftmax,
  },
  /** 1 at the first maximum, 0 elsewhere. */
  Hardmax: {
    ...common,
    gradient: 'not-differentiable',
    evaluate: (context) => evaluateAlongAxis(context, writeHardmax),
    decompose: decomposeHardmax,
  },
};

import type { ValueType } from '../graph/graph.js';
import { allocateData } from '../tensor/dtype.js';
import { concreteShape, normalizeAxis } from '../tensor/shape.js';
import { Tensor, toNumbers, zeros } from '../tensor/tensor.js';
import type { EvaluateContext, GradientContext, InferContext, OpDefinition } from './definition.js';
import { forEachLine } from './reduction-kernels.js';
import { exactly, requireAxis, requireDType, requireNumeric } from './rules.js';

interface TopKAttributes {
  axis: number;
  largest: number;
  sorted: number;
}

/**
 * `TopK`: the `k` largest (or smallest) elements along an axis and where they were; of equal ones the lower index comes
 * first, and NaN counts as largest. Results are sorted whether asked for or not.
 *
 * `dx` is `dy` scattered to where the elements were.
 */
export const topK: OpDefinition<TopKAttributes> = {
  inputs: exactly(2),
  outputs: exactly(2),
  attributes: {
    axis: { kind: 'int', default: -1 },
    largest: { kind: 'int', default: 1 },
    sorted: { kind: 'int', default: 1 },
  },
  infer: inferTopK,
  gradient: scatterGradient,
  evaluate: selectExtremes,
};

function inferTopK(context: InferContext<TopKAttributes>): readonly ValueType[] {
  requireNumeric(context, 0);
  requireDType(context, 1, 'int64');
  const { dtype, shape } = context.input(0);
  const axis = requireAxis(context, context.attributes.axis, shape.length);
  const k = context.dimensions(1)?.[0] ?? context.unknownDimension('k');
  const extent = shape[axis];
  if (typeof k === 'number' && typeof extent === 'number' && (k < 0 || k > extent)) {
    context.fail(`k is ${k}, but axis ${axis} has ${extent} elements`, { given: k, allowed: extent });
  }
  const result = shape.map((own, at) => (at === axis ? k : own));
  return [
    { dtype, shape: result },
    { dtype: 'int64', shape: result },
  ];
}

function scatterGradient(context: GradientContext<TopKAttributes>) {
  const { builder, input, outputs, outputGradient: dy, attributes } = context;
  const x = input(0);
  const target = builder.constant(zeros(x.dtype, concreteShape(x.shape, `'${x.name}'`)), { name: 'zeros' });
  return [builder.op('ScatterElements', [target, outputs[1], dy], { axis: attributes.axis }), undefined];
}

function selectExtremes(context: EvaluateContext<TopKAttributes>): readonly Tensor[] {
  const { attributes } = context;
  const x = context.input(0);
  const axis = normalizeAxis(attributes.axis, x.rank, 'axis of TopK');
  const k = toNumbers(context.input(1))[0] as number;
  if (k < 0 || k > (x.shape[axis] as number)) {
    context.fail(`k is ${k}, but axis ${axis} has ${x.shape[axis]} elements`, { given: k, allowed: x.shape[axis] });
  }
  const shape = x.shape.map((extent, at) => (at === axis ? k : extent));
  const count = shape.reduce((product, extent) => product * extent, 1);
  const values = allocateData(x.dtype, count) as unknown as unknown[];
  const indices = allocateData('int64', count);
  const source = x.data as ArrayLike<number>;
  const bases: number[] = [];
  forEachLine(shape, axis, (base) => bases.push(base));
  let line = 0;
  forEachLine(x.shape, axis, (base, stride, extent) => {
    const target = bases[line++] as number;
    orderedIndices({ source, base, stride, extent, largest: attributes.largest !== 0 })
      .slice(0, k)
      .forEach((index, rank) => {
        values[target + rank * stride] = source[base + index * stride];
        indices[target + rank * stride] = BigInt(index);
      });
  });
  return [new Tensor(x.dtype, shape, values as never), new Tensor('int64', shape, indices)];
}

interface Line {
  readonly source: ArrayLike<number>;
  readonly base: number;
  readonly stride: number;
  readonly extent: number;
  readonly largest: boolean;
}

// The sort is stable, so equal elements keep their order.
function orderedIndices({ source, base, stride, extent, largest }: Line): number[] {
  const sign = largest ? -1 : 1;
  return Array.from({ length: extent }, (_, index) => index).sort((left, right) => {
    return sign * compareElements(source[base + left * stride] as number, source[base + right * stride] as number);
  });
}

function compareElements(a: number, b: number): number {
  if (a < b) return -1;
  if (a > b) return 1;
  return a === b ? 0 : Number(Number.isNaN(a)) - Number(Number.isNaN(b));
}

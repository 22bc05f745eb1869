import type { Value } from '../graph/graph.js';
import type { GraphBuilder } from '../graph/graph-builder.js';
import { castTo, inversePermutation, reshapeTo, transposed, zerosOf } from '../graph/shape-ops.js';
import { concreteShape, type Dimension, formatShape, type Shape, stridesOf } from '../tensor/shape.js';
import { elementCountOf, Tensor, toNumbers } from '../tensor/tensor.js';
import type { EvaluateContext, GradientContext, InferContext, OpFamily } from './definition.js';
import type { IndexingAttributes } from './indexing.js';
import { exactly } from './rules.js';
import { checkedAxis, requireDType } from './shape-inputs.js';
import { pickElements } from './strided-copy.js';

type Names = 'Gather' | 'GatherElements' | 'GatherND';

const indexDTypes = ['int64', 'int32'];

/** Ops that take elements from computed places. Indices may count from the end. */
export const gathering: OpFamily<Pick<IndexingAttributes, Names>> = {
  // y[…, i…, …] = x[…, index[i…], …]
  Gather: {
    inputs: exactly(2),
    outputs: exactly(1),
    attributes: { axis: { kind: 'int', default: 0 } },
    infer: (context) => {
      const { dtype, shape } = context.input(0);
      const axis = checkedAxis(context.attributes.axis, shape.length, context.fail);
      requireDType(context, 1, indexDTypes, 'the indices');
      checkConstantIndices(context, shape[axis] as Dimension, axis);
      return [{ dtype, shape: [...shape.slice(0, axis), ...context.input(1).shape, ...shape.slice(axis + 1)] }];
    },
    gradient: gatherGradient,
    evaluate: (context) => {
      const data = context.input(0);
      return [gatherTensor(context, data, checkedAxis(context.attributes.axis, data.rank, context.fail))];
    },
  },
  // y[i] = x[i with i[axis] replaced by index[i]]
  GatherElements: {
    inputs: exactly(2),
    outputs: exactly(1),
    attributes: { axis: { kind: 'int', default: 0 } },
    infer: (context) => {
      const { dtype, shape } = context.input(0);
      const axis = checkedAxis(context.attributes.axis, shape.length, context.fail);
      requireDType(context, 1, indexDTypes, 'the indices');
      checkElementIndices(context, shape, axis);
      checkConstantIndices(context, shape[axis] as Dimension, axis);
      return [{ dtype, shape: context.input(1).shape }];
    },
    gradient: ({ builder, input, attributes, outputGradient: dy }) => {
      const empty = zerosOf(builder, dy.dtype, concreteShape(input(0).shape, `'${input(0).name}'`));
      const { axis } = attributes;
      return [builder.op('ScatterElements', [empty, input(1), dy], { axis, reduction: 'add' }), undefined];
    },
    evaluate: (context) => {
      const [data, indices] = [context.input(0), context.input(1)];
      const axis = checkedAxis(context.attributes.axis, data.rank, context.fail);
      return [pickElements(data, indices.shape, elementPlaces(context, { shape: data.shape, indices, axis }))];
    },
  },
  // y[b…, i…] = x[b…, index[b…, i…, :], …]
  GatherND: {
    inputs: exactly(2),
    outputs: exactly(1),
    attributes: { batch_dims: { kind: 'int', default: 0 } },
    infer: (context) => {
      const { dtype } = context.input(0);
      requireDType(context, 1, ['int64'], 'the indices');
      return [{ dtype, shape: gatheredShape(context) }];
    },
    gradient: gatherNDGradient,
    evaluate: (context) => [gatherNDTensor(context)],
  },
};

/** Indices that are constants are checked as the graph is built. */
export function checkConstantIndices(context: InferContext<object>, extent: Dimension, axis: number): void {
  const held = context.constant(1);
  if (held === undefined || typeof extent !== 'number') return;
  for (const index of toNumbers(held)) requireInside(context, index, extent, axis);
}

function requireInside(context: Pick<InferContext<object>, 'fail'>, index: number, extent: number, axis: number): void {
  if (index >= -extent && index < extent) return;
  const allowed = extent === 0 ? 'the axis is empty' : `allowed is ${-extent}…${extent - 1}`;
  context.fail(
    `index ${index} is out of range for axis ${axis} of extent ${extent}; ${allowed}`,
    { given: index },
    'value-out-of-range',
  );
}

/** `index` counted from the front; throws `value-out-of-range`. */
export function placeAlong(
  context: Pick<InferContext<object>, 'fail'>,
  index: number,
  extent: number,
  axis: number,
): number {
  requireInside(context, index, extent, axis);
  return index < 0 ? index + extent : index;
}

/** The rule that `GatherElements` and `ScatterElements` share for their indices. */
export function checkElementIndices(context: InferContext<object>, shape: Shape, axis: number): void {
  const indices = context.input(1).shape;
  const fits = indices.every((extent, at) => {
    const whole = shape[at];
    return at === axis || typeof extent === 'string' || typeof whole === 'string' || extent <= (whole as number);
  });
  if (indices.length === shape.length && fits) return;
  context.fail(
    `indices of shape ${formatShape(indices)} do not fit data of shape ${formatShape(shape)}: ranks must be equal, and no axis but ${axis} longer`,
    { given: indices, allowed: shape },
  );
}

interface ElementIndices {
  readonly shape: readonly number[];
  readonly indices: Tensor;
  readonly axis: number;
}

/** Flat place in the data that each element of the indices means. */
export function elementPlaces(
  context: Pick<EvaluateContext<object>, 'fail'>,
  { shape, indices, axis }: ElementIndices,
): Float64Array {
  const strides = stridesOf(shape);
  const own = stridesOf(indices.shape);
  const [extent, stride] = [shape[axis] as number, strides[axis] as number];
  return toNumbers(indices).map((index, at) => {
    let place = placeAlong(context, index, extent, axis) * stride;
    for (const [other, ownStride] of own.entries()) {
      if (other !== axis)
        place += (Math.floor(at / ownStride) % (indices.shape[other] as number)) * (strides[other] as number);
    }
    return place;
  });
}

function gatherTensor(context: EvaluateContext<object>, data: Tensor, axis: number): Tensor {
  const indices = context.input(1);
  const extent = data.shape[axis] as number;
  const places = Array.from(toNumbers(indices), (index) => placeAlong(context, index, extent, axis));
  const shape = [...data.shape.slice(0, axis), ...indices.shape, ...data.shape.slice(axis + 1)];
  const inner = elementCountOf(data.shape.slice(axis + 1));
  const count = places.length;
  const from = new Float64Array(elementCountOf(shape));
  for (let at = 0; at < from.length; at++) {
    const row = Math.floor(at / inner);
    const place = places[row % count] as number;
    from[at] = (Math.floor(row / count) * extent + place) * inner + (at % inner);
  }
  return pickElements(data, shape, from);
}

/** dx = zeros with dy's slices added where they came from; the gathered axis goes first, which is a plain `ScatterND`. */
function gatherGradient(context: GradientContext<IndexingAttributes['Gather']>): readonly (Value | undefined)[] {
  const { builder, input, attributes, outputGradient: dy } = context;
  const shape = concreteShape(input(0).shape, `'${input(0).name}'`);
  const axis = attributes.axis < 0 ? attributes.axis + shape.length : attributes.axis;
  const indexShape = concreteShape(input(1).shape, `'${input(1).name}'`);
  const [lead, width] = [axis, indexShape.length];
  const axes = [...dy.shape.keys()];
  const perm = [...axes.slice(lead, lead + width), ...axes.slice(0, lead), ...axes.slice(lead + width)];
  const whole = [...shape.keys()];
  const front = [axis, ...whole.slice(0, axis), ...whole.slice(axis + 1)];
  const empty = zerosOf(
    builder,
    dy.dtype,
    front.map((at) => shape[at] as number),
  );
  const indices = reshapeTo(builder, castTo(builder, input(1), 'int64'), [...indexShape, 1]);
  const sum = builder.op('ScatterND', [empty, indices, transposed(builder, dy, perm)], { reduction: 'add' });
  return [transposed(builder, sum, inversePermutation(front)), undefined];
}

function gatheredShape(context: InferContext<IndexingAttributes['GatherND']>): Shape {
  const [data, indices] = [context.input(0).shape, context.input(1).shape];
  const batch = context.attributes.batch_dims;
  const depth = indices.at(-1);
  if (typeof depth !== 'number') {
    const problem = indices.length === 0 ? 'is a scalar' : 'has a symbolic last extent, which decides the rank';
    return context.fail(
      `the indices' shape ${formatShape(indices)} ${problem}`,
      { given: indices },
      'unsupported-shape',
    );
  }
  if (batch < 0 || batch >= indices.length || batch + depth > data.length) {
    context.fail(
      `indices ${formatShape(indices)} with batch_dims ${batch} address ${batch + depth} axes; the data ${formatShape(data)} has ${data.length}`,
      { given: indices, allowed: data },
    );
  }
  return [...indices.slice(0, -1), ...data.slice(batch + depth)];
}

/** Flat places of the slices that `…ND` indices mean, in units of single elements. */
export function slicePlaces(
  context: Pick<EvaluateContext<object>, 'fail'>,
  shape: readonly number[],
  indices: Tensor,
  batch = 0,
): Float64Array {
  const strides = stridesOf(shape);
  const depth = indices.shape.at(-1) as number;
  const rows = elementCountOf(indices.shape.slice(0, -1));
  const batchCount = elementCountOf(shape.slice(0, batch));
  const values = toNumbers(indices);
  return Float64Array.from({ length: rows }, (_, row) => {
    let place = batch === 0 ? 0 : Math.floor((row * batchCount) / rows) * (strides[batch - 1] as number);
    for (let level = 0; level < depth; level++) {
      const axis = batch + level;
      place +=
        placeAlong(context, values[row * depth + level] as number, shape[axis] as number, axis) *
        (strides[axis] as number);
    }
    return place;
  });
}

function gatherNDTensor(context: EvaluateContext<IndexingAttributes['GatherND']>): Tensor {
  const [data, indices] = [context.input(0), context.input(1)];
  const batch = context.attributes.batch_dims;
  const inner = data.shape.slice(batch + (indices.shape.at(-1) as number));
  const run = elementCountOf(inner);
  const places = slicePlaces(context, data.shape, indices, batch);
  const from = Float64Array.from(
    { length: places.length * run },
    (_, at) => (places[Math.floor(at / run)] as number) + (at % run),
  );
  return pickElements(data, [...indices.shape.slice(0, -1), ...inner], from);
}

function gatherNDGradient(context: GradientContext<IndexingAttributes['GatherND']>): readonly (Value | undefined)[] {
  const { builder, input, attributes, outputGradient: dy } = context;
  const empty = zerosOf(builder, dy.dtype, concreteShape(input(0).shape, `'${input(0).name}'`));
  const indices = withBatchIndices(builder, input(1), attributes.batch_dims);
  return [builder.op('ScatterND', [empty, indices, dy], { reduction: 'add' }), undefined];
}

/** Puts each row's place in the batch axes in front of its index, since `ScatterND` has no batch axes. */
function withBatchIndices(builder: GraphBuilder, indices: Value, batch: number): Value {
  if (batch === 0) return indices;
  const shape = concreteShape(indices.shape, `'${indices.name}'`);
  const lead = shape.slice(0, -1);
  const strides = stridesOf(lead);
  const places = new BigInt64Array(elementCountOf(lead) * batch);
  for (let at = 0; at < places.length; at++) {
    const axis = at % batch;
    places[at] = BigInt(Math.floor(Math.floor(at / batch) / (strides[axis] as number)) % (lead[axis] as number));
  }
  const batches = builder.constant(new Tensor('int64', [...lead, batch], places), { name: 'batchIndices' });
  return builder.op('Concat', [batches, indices], { axis: shape.length - 1 });
}

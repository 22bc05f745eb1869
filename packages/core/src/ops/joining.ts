import type { Value } from '../graph/graph.js';
import type { GraphBuilder } from '../graph/graph-builder.js';
import { sliceOf, zerosOf } from '../graph/shape-ops.js';
import { allocateData } from '../tensor/dtype.js';
import {
  addDimensions,
  compatibleDimension,
  concreteShape,
  type Dimension,
  floorDivideDimensions,
  formatShape,
  type Shape,
  stridesOf,
} from '../tensor/shape.js';
import { Tensor } from '../tensor/tensor.js';
import type { GradientContext, InferContext, OpFamily } from './definition.js';
import type { MovementAttributes } from './movement.js';
import { atLeast, between } from './rules.js';
import { checkedAxis, integersAt } from './shape-inputs.js';
import { slice } from './slicing.js';
import { stridedCopy } from './strided-copy.js';

type Fail = InferContext<object>['fail'];

/** Ops that put tensors together and take them apart. */
export const joining: OpFamily<Pick<MovementAttributes, 'Concat' | 'Split' | 'Slice'>> = {
  Concat: {
    inputs: atLeast(1),
    outputs: { min: 1, max: 1 },
    attributes: { axis: { kind: 'int', required: true } },
    infer: (context) => {
      const inputs = context.inputs.map((_, index) => context.input(index));
      const { dtype } = context.input(0);
      const other = inputs.find((input) => input.dtype !== dtype);
      if (other !== undefined) {
        context.fail(
          `inputs have different dtypes: ${inputs.map((input) => input.dtype).join(', ')}`,
          { given: other.dtype, allowed: dtype },
          'dtype-mismatch',
        );
      }
      const shapes = inputs.map((input) => input.shape);
      return [{ dtype, shape: joinedShape(shapes, context.attributes.axis, context.fail) }];
    },
    // Each input gets its stretch of dy.
    gradient: concatGradient,
    evaluate: (context) => {
      const parts = context.inputs.map((_, index) => context.input(index));
      const shapes = parts.map((part) => part.shape);
      const shape = joinedShape(shapes, context.attributes.axis, context.fail) as readonly number[];
      return [concatTensors(parts, shape, checkedAxis(context.attributes.axis, shape.length, context.fail))];
    },
  },
  Split: {
    inputs: between(1, 2),
    outputs: atLeast(1),
    attributes: { axis: { kind: 'int', default: 0 }, num_outputs: { kind: 'int' } },
    infer: (context) => {
      const { dtype, shape } = context.input(0);
      const axis = checkedAxis(context.attributes.axis, shape.length, context.fail);
      const sizes = inferredSizes(context, shape[axis] as Dimension);
      return sizes.map((extent) => ({ dtype, shape: shape.map((old, at) => (at === axis ? extent : old)) }));
    },
    // Pieces nobody used count as zeros.
    gradient: splitGradient,
    evaluate: (context) => {
      const data = context.input(0);
      const axis = checkedAxis(context.attributes.axis, data.rank, context.fail);
      const extent = data.shape[axis] as number;
      const pieces = context.attributes.num_outputs ?? context.outputCount;
      const even = context.attributes.num_outputs === undefined;
      const sizes = integersAt(context, 1) ?? dividedSizes(extent, pieces, even, context.fail);
      checkSizes(sizes, extent, context.fail);
      return splitTensor(data, axis, sizes);
    },
  },
  Slice: slice,
};

function joinedShape(shapes: readonly Shape[], axisAttribute: number, fail: Fail): Shape {
  const first = shapes[0] as Shape;
  const axis = checkedAxis(axisAttribute, first.length, fail);
  return first.map((_, at) => {
    const extents = shapes.map((shape) => shape[at] as Dimension);
    if (at === axis) return extents.reduce(addDimensions);
    const known = extents.find((extent) => typeof extent === 'number') ?? (extents[0] as Dimension);
    if (shapes.some((shape) => shape.length !== first.length) || !extents.every((e) => compatibleDimension(e, known))) {
      fail(`${shapes.map(formatShape).join(' and ')} cannot be joined along axis ${axis}: all other axes must agree`, {
        given: shapes,
      });
    }
    return known;
  });
}

function concatTensors(parts: readonly Tensor[], shape: readonly number[], axis: number): Tensor {
  const dtype = (parts[0] as Tensor).dtype;
  const outer = shape.slice(0, axis).reduce((product, extent) => product * extent, 1);
  const inner = shape.slice(axis + 1).reduce((product, extent) => product * extent, 1);
  const data = allocateData(dtype, outer * inner * (shape[axis] as number));
  const target = data as unknown as unknown[];
  let at = 0;
  for (let row = 0; row < outer; row++) {
    for (const part of parts) {
      const run = (part.shape[axis] as number) * inner;
      for (let index = 0; index < run; index++) target[at++] = part.data[row * run + index];
    }
  }
  return new Tensor(dtype, shape, data);
}

function concatGradient(context: GradientContext<MovementAttributes['Concat']>): readonly (Value | undefined)[] {
  const { builder, inputs, attributes, needs, outputGradient: dy } = context;
  const axis = attributes.axis < 0 ? attributes.axis + dy.shape.length : attributes.axis;
  const sizes = inputs.map((input) => concreteShape((input as Value).shape, 'an input of Concat')[axis] as number);
  const needed = inputs.map((_, index) => needs(index));
  if (needed.filter(Boolean).length > 1) {
    return builder.node('Split', [dy, builder.integers(sizes)], { axis }, { outputs: sizes.length });
  }
  let start = 0;
  return sizes.map((extent, index) => {
    const range = { axis, start, end: start + extent };
    start += extent;
    return needed[index] ? sliceOf(builder, dy, [range]) : undefined;
  });
}

function inferredSizes(context: InferContext<MovementAttributes['Split']>, extent: Dimension): readonly Dimension[] {
  const { attributes, fail, outputCount } = context;
  if (context.inputs[1] === undefined) {
    const pieces = attributes.num_outputs ?? outputCount;
    const even = attributes.num_outputs === undefined;
    checkPieces(pieces, fail);
    if (typeof extent === 'number') return dividedSizes(extent, pieces, even, fail);
    const piece = floorDivideDimensions(extent, pieces);
    const exact = even || !String(piece).startsWith('floor(');
    return Array.from({ length: pieces }, () => (exact ? piece : context.unknownDimension('split')));
  }
  if (attributes.num_outputs !== undefined) {
    fail("gives both the sizes (input 1) and 'num_outputs'; only one of them is allowed", {}, 'invalid-attribute');
  }
  const sizes = context.dimensions(1);
  if (sizes === undefined) return Array.from({ length: outputCount }, () => context.unknownDimension('split'));
  if (sizes.every((part): part is number => typeof part === 'number')) checkSizes(sizes, extent, fail);
  return sizes;
}

function checkSizes(sizes: readonly number[], extent: Dimension, fail: Fail): void {
  const total = sizes.reduce((sum, size) => sum + size, 0);
  if (sizes.some((size) => size < 0) || (typeof extent === 'number' && total !== extent)) {
    fail(`sizes [${sizes}] add up to ${total}, but the axis has extent ${extent}`, { given: sizes, allowed: extent });
  }
}

/** More outputs than any graph has: a file may ask for billions. */
const mostPieces = 2 ** 16;

function checkPieces(pieces: number, fail: Fail): void {
  if (pieces >= 1 && pieces <= mostPieces) return;
  fail(`num_outputs is ${pieces}; allowed is 1…${mostPieces}`, { given: pieces }, 'invalid-attribute');
}

/** Equal pieces; with `num_outputs` the last one may be smaller. */
function dividedSizes(extent: number, pieces: number, even: boolean, fail: Fail): number[] {
  checkPieces(pieces, fail);
  if (even && extent % pieces !== 0) {
    fail(`extent ${extent} does not divide into ${pieces} equal pieces; give their sizes as input 1`, {
      given: pieces,
      allowed: extent,
    });
  }
  const size = Math.ceil(extent / pieces);
  return Array.from({ length: pieces }, (_, index) => Math.max(0, Math.min(size, extent - index * size)));
}

function splitTensor(data: Tensor, axis: number, sizes: readonly number[]): readonly Tensor[] {
  const strides = stridesOf(data.shape);
  let start = 0;
  return sizes.map((size) => {
    const offset = start * (strides[axis] as number);
    start += size;
    return stridedCopy(data, { shape: data.shape.map((extent, at) => (at === axis ? size : extent)), strides, offset });
  });
}

function splitGradient(context: GradientContext<MovementAttributes['Split']>): readonly (Value | undefined)[] {
  const { builder, attributes, outputs, outputGradients, input } = context;
  const rank = input(0).shape.length;
  const axis = attributes.axis < 0 ? attributes.axis + rank : attributes.axis;
  const pieces = outputGradients.map(
    (gradient, index) => gradient ?? zerosLikeOutput(builder, outputs[index] as Value),
  );
  return [builder.op('Concat', pieces, { axis }), undefined];
}

function zerosLikeOutput(builder: GraphBuilder, output: Value): Value {
  return zerosOf(builder, output.dtype, concreteShape(output.shape, `'${output.name}'`));
}

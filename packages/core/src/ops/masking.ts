import type { Value } from '../graph/graph.js';
import { reshapeTo } from '../graph/shape-ops.js';
import { allocateData, type DType } from '../tensor/dtype.js';
import { dtypeOfOnnx } from '../tensor/onnx-data-type.js';
import { compatibleShape, concreteShape, type Dimension, formatShape, stridesOf } from '../tensor/shape.js';
import { elementCountOf, fromNumbers, fullTensor, Tensor, tensor, toNumbers } from '../tensor/tensor.js';
import type { EvaluateContext, GradientContext, InferContext, OpFamily } from './definition.js';
import type { IndexingAttributes } from './indexing.js';
import { between, exactly, requireRank } from './rules.js';
import { checkedAxis, requireDType } from './shape-inputs.js';
import { pickElements } from './strided-copy.js';

type Names = 'OneHot' | 'Trilu' | 'NonZero' | 'Compress' | 'EyeLike';

/** Ops that mark or select elements. */
export const masking: OpFamily<Pick<IndexingAttributes, Names>> = {
  // y[…, k, …] = on if k = index (counted from the end when negative), else off
  OneHot: {
    inputs: exactly(3),
    outputs: exactly(1),
    attributes: { axis: { kind: 'int', default: -1 } },
    infer: (context) => {
      const { shape } = context.input(0);
      const axis = checkedAxis(context.attributes.axis, shape.length + 1, context.fail);
      if (!compatibleShape(context.input(2).shape, [2])) {
        const given = formatShape(context.input(2).shape);
        context.fail(`values have shape ${given}; [off, on] is needed`, { given: context.input(2).shape });
      }
      const depth = depthOf(context) ?? context.unknownDimension('depth');
      return [{ dtype: context.input(2).dtype, shape: [...shape.slice(0, axis), depth, ...shape.slice(axis)] }];
    },
    // d(on) = Σ dy over the marked places, d(off) = Σ dy over the others
    gradient: ({ builder, input, attributes, outputGradient: dy }) => {
      const marks = builder.op(
        'OneHot',
        [input(0), input(1), builder.constant(fromNumbers(dy.dtype, [2], [0, 1]), { name: 'marks' })],
        attributes,
      );
      const sum = (value: Value): Value => reshapeTo(builder, builder.op('ReduceSum', [value], { keepdims: 0 }), [1]);
      const on = sum(builder.op('Mul', [dy, marks]));
      const off = builder.op('Sub', [sum(dy), on]);
      return [undefined, undefined, builder.op('Concat', [off, on], { axis: 0 })];
    },
    evaluate: (context) => [oneHotTensor(context)],
  },
  // Keeps the triangle above (or below) diagonal k; the rest is 0
  Trilu: {
    inputs: between(1, 2),
    outputs: exactly(1),
    attributes: { upper: { kind: 'int', default: 1 } },
    infer: (context) => {
      const { dtype, shape } = context.input(0);
      if (shape.length < 2) {
        context.fail(`input has shape ${formatShape(shape)}; at least 2 axes are needed`, { given: shape });
      }
      if (context.inputs[1] !== undefined) requireDType(context, 1, ['int64'], 'k');
      return [{ dtype, shape }];
    },
    gradient: ({ builder, inputs, attributes, outputGradient: dy }) => [
      builder.op('Trilu', [dy, inputs[1]], attributes),
      undefined,
    ],
    evaluate: (context) => [triangle(context)],
  },
  // Coordinates of the elements that are not zero, [rank, count]
  NonZero: {
    inputs: exactly(1),
    outputs: exactly(1),
    attributes: {},
    infer: (context) => [
      { dtype: 'int64', shape: [Math.max(1, context.input(0).shape.length), context.unknownDimension('nonzero')] },
    ],
    gradient: () => [undefined],
    evaluate: (context) => [nonZeroPlaces(context.input(0))],
  },
  // The slices along an axis (or the elements of the flat data) whose condition holds
  Compress: {
    inputs: exactly(2),
    outputs: exactly(1),
    attributes: { axis: { kind: 'int' } },
    infer: (context) => {
      requireDType(context, 1, ['bool'], 'the condition');
      requireRank(context, 1, 1, 'the condition');
      const { dtype, shape } = context.input(0);
      const held = context.constant(1);
      const count = held === undefined ? context.unknownDimension('compress') : chosenPlaces(held).length;
      const { axis } = context.attributes;
      if (axis === undefined) return [{ dtype, shape: [count] }];
      const at = checkedAxis(axis, shape.length, context.fail);
      return [{ dtype, shape: shape.map((extent, index) => (index === at ? count : extent)) }];
    },
    gradient: compressGradient,
    evaluate: (context) => [compressed(context)],
  },
  EyeLike: {
    inputs: exactly(1),
    outputs: exactly(1),
    attributes: { k: { kind: 'int', default: 0 }, dtype: { kind: 'int' } },
    infer: (context) => {
      requireRank(context, 0, 2, 'the input');
      const { dtype } = context.attributes;
      const { dtype: own, shape } = context.input(0);
      return [{ dtype: dtype === undefined ? own : dtypeOfOnnx(dtype), shape }];
    },
    gradient: () => [undefined],
    evaluate: (context) => {
      const [rows, columns] = context.input(0).shape as [number, number];
      const { k } = context.attributes;
      const values = Float64Array.from({ length: rows * columns }, (_, at) =>
        (at % columns) - Math.floor(at / columns) === k ? 1 : 0,
      );
      return [fromNumbers((context.outputTypes[0] as { dtype: DType }).dtype, [rows, columns], values)];
    },
  },
};

function depthOf(context: InferContext<object>): Dimension | undefined {
  const { shape } = context.input(1);
  if (shape.some((extent) => extent !== 1)) {
    context.fail(`depth has shape ${formatShape(shape)}; a scalar is needed`, { given: shape });
  }
  const held = context.constant(1);
  return held === undefined ? context.dimensions(1)?.[0] : Math.trunc(toNumbers(held)[0] as number);
}

function oneHotTensor(context: EvaluateContext<IndexingAttributes['OneHot']>): Tensor {
  const indices = context.input(0);
  const depth = Math.trunc(toNumbers(context.input(1))[0] as number);
  const values = context.input(2);
  const axis = checkedAxis(context.attributes.axis, indices.rank + 1, context.fail);
  const shape = [...indices.shape.slice(0, axis), depth, ...indices.shape.slice(axis)];
  const inner = elementCountOf(indices.shape.slice(axis));
  const marked = toNumbers(indices).map((index) => (index < 0 ? index + depth : index));
  const places = Float64Array.from({ length: elementCountOf(shape) }, (_, at) => {
    const level = Math.floor(at / inner) % depth;
    const index = marked[Math.floor(at / (inner * depth)) * inner + (at % inner)];
    return level === index ? 1 : 0;
  });
  return pickElements(values, shape, places);
}

function triangle(context: EvaluateContext<IndexingAttributes['Trilu']>): Tensor {
  const data = context.input(0);
  const diagonal = context.inputs[1] === undefined ? 0 : (toNumbers(context.inputs[1])[0] as number);
  const [rows, columns] = data.shape.slice(-2) as [number, number];
  const result = allocateData(data.dtype, data.elementCount) as unknown as unknown[];
  for (let at = 0; at < result.length; at++) {
    const distance = (at % columns) - (Math.floor(at / columns) % rows);
    const kept = context.attributes.upper === 0 ? distance <= diagonal : distance >= diagonal;
    if (kept) result[at] = data.data[at];
  }
  return new Tensor(data.dtype, data.shape, result as never);
}

function nonZeroPlaces(data: Tensor): Tensor {
  const strides = data.rank === 0 ? [1] : stridesOf(data.shape);
  const extents = data.rank === 0 ? [1] : data.shape;
  const found: number[] = [];
  for (let at = 0; at < data.elementCount; at++) if (isNonZero(data.data[at])) found.push(at);
  const coordinates = extents.flatMap((extent, axis) =>
    found.map((at) => Math.floor(at / (strides[axis] as number)) % extent),
  );
  return tensor(coordinates, { dtype: 'int64', shape: [extents.length, found.length] });
}

function isNonZero(element: unknown): boolean {
  return element !== 0 && element !== 0n && element !== '';
}

function chosenPlaces(condition: Tensor): number[] {
  return [...toNumbers(condition)].flatMap((holds, index) => (holds === 0 ? [] : [index]));
}

function compressed(context: EvaluateContext<IndexingAttributes['Compress']>): Tensor {
  const data = context.input(0);
  const chosen = chosenPlaces(context.input(1));
  const axis =
    context.attributes.axis === undefined ? undefined : checkedAxis(context.attributes.axis, data.rank, context.fail);
  const extent = axis === undefined ? data.elementCount : (data.shape[axis] as number);
  if (context.input(1).elementCount > extent) {
    context.fail(`the condition has ${context.input(1).elementCount} elements for an extent of ${extent}`, {
      given: extent,
    });
  }
  if (axis === undefined) return pickElements(data, [chosen.length], chosen);
  const inner = elementCountOf(data.shape.slice(axis + 1));
  const shape = data.shape.with(axis, chosen.length);
  const places = Float64Array.from({ length: elementCountOf(shape) }, (_, at) => {
    const row = Math.floor(at / inner);
    const place = chosen[row % chosen.length] as number;
    return (Math.floor(row / chosen.length) * extent + place) * inner + (at % inner);
  });
  return pickElements(data, shape, places);
}

/** As the gradient of a `Gather` of the places whose condition holds; their number must be known when the graph is built. */
function compressGradient(context: GradientContext<IndexingAttributes['Compress']>): readonly (Value | undefined)[] {
  const { builder, input, attributes, outputGradient: dy } = context;
  const shape = concreteShape(input(0).shape, `'${input(0).name}'`);
  concreteShape(dy.shape, 'the output of Compress');
  const axis =
    attributes.axis === undefined ? 0 : attributes.axis < 0 ? attributes.axis + shape.length : attributes.axis;
  const extent = attributes.axis === undefined ? elementCountOf(shape) : (shape[axis] as number);
  const flat = attributes.axis === undefined ? [extent] : shape;
  const condition = builder.constantOf(input(1)) ?? fullTensor('bool', [0], 0);
  const chosen = chosenPlaces(condition);
  const places = new Float64Array(extent).fill(chosen.length);
  for (const [at, place] of chosen.entries()) places[place] = at;
  // A row of zeros after the last stands for every place that was not chosen.
  const nothing = builder.constant(fullTensor(dy.dtype, flat.with(axis, 1), 0), { name: 'zeros' });
  const padded = builder.op('Concat', [dy, nothing], { axis });
  const spread = builder.op('Gather', [padded, builder.integers([...places])], { axis });
  return [reshapeTo(builder, spread, shape), undefined];
}

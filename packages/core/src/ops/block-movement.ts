import type { Value } from '../graph/graph.js';
import type { GraphBuilder } from '../graph/graph-builder.js';
import { reshapeTo, transposed } from '../graph/shape-ops.js';
import {
  concreteShape,
  type Dimension,
  floorDivideDimensions,
  formatShape,
  multiplyDimensions,
  stridesOf,
} from '../tensor/shape.js';
import { elementCountOf, reshapeTensor, type Tensor, toNumbers } from '../tensor/tensor.js';
import type { InferContext, OpFamily } from './definition.js';
import type { MovementAttributes } from './movement.js';
import { exactly, requireRank, sameAsInput } from './rules.js';
import { checkedAxis, requireDType } from './shape-inputs.js';
import { pickElements, transposeTensor } from './strided-copy.js';

/** Moving blocks is to see the data with more axes, reorder them, and see the result with fewer. */
interface BlockMove {
  readonly split: readonly number[];
  readonly perm: readonly number[];
  readonly merged: readonly number[];
}

/** Ops that move whole blocks of elements. */
export const blockMovement: OpFamily<Pick<MovementAttributes, 'DepthToSpace' | 'SpaceToDepth' | 'ReverseSequence'>> = {
  DepthToSpace: {
    inputs: exactly(1),
    outputs: exactly(1),
    attributes: { blocksize: { kind: 'int', required: true }, mode: { kind: 'string', default: 'DCR' } },
    infer: (context) => {
      const { blocksize } = context.attributes;
      const [batch, channels, height, width] = imageShape(context, blocksize);
      requireMultiple(context, channels, blocksize * blocksize, 'channels');
      return [
        {
          dtype: context.input(0).dtype,
          shape: [
            batch,
            floorDivideDimensions(channels, blocksize * blocksize),
            multiplyDimensions(height, blocksize),
            multiplyDimensions(width, blocksize),
          ],
        },
      ];
    },
    gradient: ({ builder, input, attributes, outputGradient: dy }) => {
      const move = depthToSpaceMove(concreteShape(input(0).shape, 'the input of DepthToSpace'), attributes);
      return [moveValue(builder, dy, inverseMove(move, input(0).shape as readonly number[]))];
    },
    evaluate: (context) => [moveTensor(context.input(0), depthToSpaceMove(context.input(0).shape, context.attributes))],
    decompose: ({ builder, input, attributes }) => {
      const { shape } = input(0);
      if (shape.some((extent) => typeof extent === 'string')) return undefined;
      return [moveValue(builder, input(0), depthToSpaceMove(shape as readonly number[], attributes))];
    },
  },
  SpaceToDepth: {
    inputs: exactly(1),
    outputs: exactly(1),
    attributes: { blocksize: { kind: 'int', required: true } },
    infer: (context) => {
      const { blocksize } = context.attributes;
      const [batch, channels, height, width] = imageShape(context, blocksize);
      requireMultiple(context, height, blocksize, 'height');
      requireMultiple(context, width, blocksize, 'width');
      return [
        {
          dtype: context.input(0).dtype,
          shape: [
            batch,
            multiplyDimensions(channels, blocksize * blocksize),
            floorDivideDimensions(height, blocksize),
            floorDivideDimensions(width, blocksize),
          ],
        },
      ];
    },
    gradient: ({ builder, attributes, outputGradient: dy }) => [
      builder.op('DepthToSpace', [dy], { blocksize: attributes.blocksize, mode: 'DCR' }),
    ],
    evaluate: (context) => [
      moveTensor(context.input(0), spaceToDepthMove(context.input(0).shape, context.attributes.blocksize)),
    ],
    decompose: ({ builder, input, attributes }) => {
      const { shape } = input(0);
      if (shape.some((extent) => typeof extent === 'string')) return undefined;
      return [moveValue(builder, input(0), spaceToDepthMove(shape as readonly number[], attributes.blocksize))];
    },
  },
  // Its own inverse, so dx is dy reversed the same way.
  ReverseSequence: {
    inputs: exactly(2),
    outputs: exactly(1),
    attributes: { batch_axis: { kind: 'int', default: 1 }, time_axis: { kind: 'int', default: 0 } },
    infer: (context) => {
      const { shape } = context.input(0);
      const batch = checkedAxis(context.attributes.batch_axis, shape.length, context.fail, 'batch_axis');
      const time = checkedAxis(context.attributes.time_axis, shape.length, context.fail, 'time_axis');
      requireDType(context, 1, ['int64'], 'the lengths');
      requireRank(context, 1, 1, 'the lengths');
      if (batch === time) context.fail('batch_axis and time_axis are the same', { given: batch }, 'invalid-attribute');
      return sameAsInput(context);
    },
    gradient: ({ builder, input, attributes, outputGradient: dy }) => [
      builder.op('ReverseSequence', [dy, input(1)], attributes),
      undefined,
    ],
    evaluate: (context) => {
      const { batch_axis, time_axis } = context.attributes;
      const data = context.input(0);
      const lengths = toNumbers(context.input(1));
      const time = data.shape[time_axis] as number;
      const wrong = lengths.find((length) => length < 0 || length > time);
      if (wrong !== undefined || lengths.length !== data.shape[batch_axis]) {
        context.fail(
          `lengths [${lengths}] must be ${data.shape[batch_axis]} numbers within 0…${time}`,
          { given: [...lengths] },
          'value-out-of-range',
        );
      }
      return [reverseSequences(data, lengths, { batch: batch_axis, time: time_axis })];
    },
  },
};

function imageShape(
  context: InferContext<object>,
  blocksize: number,
): readonly [Dimension, Dimension, Dimension, Dimension] {
  requireRank(context, 0, 4, 'the input');
  if (!(blocksize >= 1))
    context.fail(`blocksize is ${blocksize}; it must be ≥ 1`, { given: blocksize }, 'invalid-attribute');
  return context.input(0).shape as unknown as readonly [Dimension, Dimension, Dimension, Dimension];
}

function requireMultiple(context: InferContext<object>, extent: Dimension, divisor: number, what: string): void {
  if (typeof extent !== 'number' || extent % divisor === 0) return;
  const shape = formatShape(context.input(0).shape);
  context.fail(`${what} ${extent} of ${shape} is not a multiple of ${divisor}`, { given: extent, allowed: divisor });
}

function depthToSpaceMove(
  shape: readonly number[],
  { blocksize: block, mode }: MovementAttributes['DepthToSpace'],
): BlockMove {
  const [batch, channels, height, width] = shape as [number, number, number, number];
  const depth = channels / (block * block);
  const merged = [batch, depth, height * block, width * block];
  return mode === 'DCR'
    ? { split: [batch, block, block, depth, height, width], perm: [0, 3, 4, 1, 5, 2], merged }
    : { split: [batch, depth, block, block, height, width], perm: [0, 1, 4, 2, 5, 3], merged };
}

function spaceToDepthMove(shape: readonly number[], block: number): BlockMove {
  const [batch, channels, height, width] = shape as [number, number, number, number];
  return {
    split: [batch, channels, height / block, block, width / block, block],
    perm: [0, 3, 5, 1, 2, 4],
    merged: [batch, channels * block * block, height / block, width / block],
  };
}

function inverseMove({ split, perm }: BlockMove, shape: readonly number[]): BlockMove {
  const inverse = perm.map((_, axis) => perm.indexOf(axis));
  return { split: perm.map((axis) => split[axis] as number), perm: inverse, merged: shape };
}

function moveTensor(t: Tensor, { split, perm, merged }: BlockMove): Tensor {
  return reshapeTensor(transposeTensor(reshapeTensor(t, split), perm), merged);
}

function moveValue(builder: GraphBuilder, value: Value, { split, perm, merged }: BlockMove): Value {
  return reshapeTo(builder, transposed(builder, reshapeTo(builder, value, split), perm), merged);
}

function reverseSequences(
  data: Tensor,
  lengths: ArrayLike<number>,
  axes: { readonly batch: number; readonly time: number },
): Tensor {
  const strides = stridesOf(data.shape);
  const [batchStride, timeStride] = [strides[axes.batch] as number, strides[axes.time] as number];
  const [batch, time] = [data.shape[axes.batch] as number, data.shape[axes.time] as number];
  const places = Array.from({ length: elementCountOf(data.shape) }, (_, place) => {
    const step = Math.floor(place / timeStride) % time;
    const length = lengths[Math.floor(place / batchStride) % batch] as number;
    return step < length ? place + (length - 1 - 2 * step) * timeStride : place;
  });
  return pickElements(data, data.shape, places);
}

import { inversePermutation, reshapeTo, transposed } from '../graph/shape-ops.js';
import {
  broadcastShapes,
  concreteShape,
  type Dimension,
  elementCountOfShape,
  floorDivideDimensions,
  formatShape,
  multiplyDimensions,
  type Shape,
} from '../tensor/shape.js';
import { reshapeTensor, type Tensor } from '../tensor/tensor.js';
import type { GradientContext, InferContext, OpFamily } from './definition.js';
import type { MovementAttributes } from './movement.js';
import { between, broadcastStrides, exactly } from './rules.js';
import { checkedAxis, integersAt, knownIntegers, vectorLength, wantedDimensions } from './shape-inputs.js';
import { stridedCopy, transposeTensor } from './strided-copy.js';

type Names = 'Reshape' | 'Flatten' | 'Squeeze' | 'Unsqueeze' | 'Transpose' | 'Expand' | 'Tile';
type Fail = InferContext<object>['fail'];

/** Ops that only rename, reorder or repeat axes. */
export const reshaping: OpFamily<Pick<MovementAttributes, Names>> = {
  Reshape: {
    inputs: exactly(2),
    outputs: exactly(1),
    attributes: { allowzero: { kind: 'int', default: 0 } },
    infer: (context) => {
      const { dtype, shape } = context.input(0);
      const wanted = wantedDimensions(context, 1, 'the shape');
      return [{ dtype, shape: reshapedShape(shape, wanted, context.attributes.allowzero !== 0, context.fail) }];
    },
    gradient: reshapeBack,
    evaluate: (context) => {
      const data = context.input(0);
      const wanted = integersAt(context, 1) as number[];
      const shape = reshapedShape(data.shape, wanted, context.attributes.allowzero !== 0, context.fail);
      return [reshapeTensor(data, shape as readonly number[])];
    },
  },
  Flatten: {
    inputs: exactly(1),
    outputs: exactly(1),
    attributes: { axis: { kind: 'int', default: 1 } },
    infer: (context) => {
      const { dtype, shape } = context.input(0);
      return [{ dtype, shape: flattenedShape(shape, context.attributes.axis, context.fail) }];
    },
    gradient: reshapeBack,
    evaluate: (context) => {
      const data = context.input(0);
      const shape = flattenedShape(data.shape, context.attributes.axis, context.fail);
      return [reshapeTensor(data, shape as readonly number[])];
    },
  },
  Squeeze: {
    inputs: between(1, 2),
    outputs: exactly(1),
    attributes: {},
    infer: (context) => {
      const { dtype, shape } = context.input(0);
      if (context.inputs[1] === undefined) return [{ dtype, shape: squeezedShape(shape, undefined, context.fail) }];
      const axes = knownIntegers(context, 1, 'axes');
      if (axes === undefined)
        return [{ dtype, shape: unknownShape(context, shape.length - vectorLength(context, 1, 'axes')) }];
      return [{ dtype, shape: squeezedShape(shape, axes, context.fail) }];
    },
    gradient: reshapeBack,
    evaluate: (context) => {
      const data = context.input(0);
      const shape = squeezedShape(data.shape, integersAt(context, 1), context.fail);
      return [reshapeTensor(data, shape as readonly number[])];
    },
  },
  Unsqueeze: {
    inputs: exactly(2),
    outputs: exactly(1),
    attributes: {},
    infer: (context) => {
      const { dtype, shape } = context.input(0);
      const axes = knownIntegers(context, 1, 'axes');
      if (axes === undefined)
        return [{ dtype, shape: unknownShape(context, shape.length + vectorLength(context, 1, 'axes')) }];
      return [{ dtype, shape: unsqueezedShape(shape, axes, context.fail) }];
    },
    gradient: reshapeBack,
    evaluate: (context) => {
      const data = context.input(0);
      const shape = unsqueezedShape(data.shape, integersAt(context, 1) ?? [], context.fail);
      return [reshapeTensor(data, shape as readonly number[])];
    },
  },
  // y[i_perm] = x[i], so dx is dy under the inverse permutation
  Transpose: {
    inputs: exactly(1),
    outputs: exactly(1),
    attributes: { perm: { kind: 'ints' } },
    infer: (context) => {
      const { dtype, shape } = context.input(0);
      const perm = permutationOf(context.attributes.perm, shape.length, context.fail);
      return [{ dtype, shape: perm.map((axis) => shape[axis] as Dimension) }];
    },
    gradient: ({ builder, input, attributes, outputGradient: dy }) => {
      const perm = attributes.perm ?? reversedAxes(input(0).shape.length);
      return [transposed(builder, dy, inversePermutation(perm))];
    },
    evaluate: (context) => {
      const data = context.input(0);
      return [transposeTensor(data, permutationOf(context.attributes.perm, data.rank, context.fail))];
    },
  },
  // The walker sums dy over the broadcast axes.
  Expand: {
    inputs: exactly(2),
    outputs: exactly(1),
    attributes: {},
    infer: (context) => {
      const { dtype, shape } = context.input(0);
      return [{ dtype, shape: expandedShape(shape, wantedDimensions(context, 1, 'the shape'), context.fail) }];
    },
    gradient: ({ outputGradient: dy }) => [dy, undefined],
    evaluate: (context) => {
      const data = context.input(0);
      const wanted = integersAt(context, 1) as number[];
      const shape = expandedShape(data.shape, wanted, context.fail) as readonly number[];
      return [stridedCopy(data, { shape, strides: broadcastStrides(data.shape, shape) })];
    },
  },
  // dx = Σ over the copies: dy seen as [r0, d0, r1, d1, …] summed over the r axes
  Tile: {
    inputs: exactly(2),
    outputs: exactly(1),
    attributes: {},
    infer: (context) => {
      const { dtype, shape } = context.input(0);
      const repeats = checkedRepeats(shape, wantedDimensions(context, 1, 'the repeats'), context.fail);
      return [{ dtype, shape: shape.map((extent, axis) => multiplyDimensions(extent, repeats[axis] as Dimension)) }];
    },
    gradient: tileGradient,
    evaluate: (context) => {
      const repeats = checkedRepeats(context.input(0).shape, integersAt(context, 1) ?? [], context.fail);
      return [tileTensor(context.input(0), repeats as readonly number[])];
    },
  },
};

function reshapeBack({
  builder,
  input,
  inputs,
  outputGradient,
}: GradientContext<object>): (ReturnType<typeof input> | undefined)[] {
  const shape = concreteShape(input(0).shape, `'${input(0).name}'`);
  return [reshapeTo(builder, outputGradient, shape), ...inputs.slice(1).map(() => undefined)];
}

/** Shape that `Reshape` gives: 0 copies the extent at its place (unless `allowZero`), −1 takes what is left. */
function reshapedShape(from: Shape, to: readonly Dimension[], allowZero: boolean, fail: Fail): Shape {
  let open = -1;
  const shape = to.map((extent, axis): Dimension => {
    if (extent === -1) {
      if (open >= 0) fail(`the shape ${formatShape(to)} has more than one -1`, { given: to }, 'value-out-of-range');
      open = axis;
      return 1;
    }
    if (extent === 0 && !allowZero) return from[axis] ?? noSuchAxis(from, to, axis, fail);
    if (typeof extent === 'number' && extent < 0) {
      fail(`the shape ${formatShape(to)} has the negative extent ${extent}`, { given: to }, 'value-out-of-range');
    }
    return extent;
  });
  const rest = openExtent(
    from,
    shape.filter((_, axis) => axis !== open),
  );
  const fits = open < 0 ? sameCount(from, shape, rest) : rest !== undefined;
  if (!fits) {
    fail(
      `${describe(from)} cannot be reshaped to ${formatShape(open < 0 ? shape : to)}${open < 0 ? describeCount(shape) : ''}`,
      {
        given: from,
        allowed: to,
      },
    );
  }
  return open < 0 ? shape : shape.map((extent, axis) => (axis === open ? (rest as Dimension) : extent));
}

function noSuchAxis(from: Shape, to: readonly Dimension[], axis: number, fail: Fail): never {
  return fail(`the shape ${formatShape(to)} copies axis ${axis}, which ${formatShape(from)} does not have`, {
    given: to,
  });
}

function describe(shape: Shape): string {
  return `${formatShape(shape)}${describeCount(shape)}`;
}

function describeCount(shape: Shape): string {
  return ` (${elementCountOfShape(shape)} elements)`;
}

function sameCount(from: Shape, to: Shape, rest: Dimension | undefined): boolean {
  const [given, asked] = [elementCountOfShape(from), elementCountOfShape(to)];
  if (typeof given === 'number' && typeof asked === 'number') return given === asked;
  return rest !== undefined && (typeof rest === 'string' || rest === 1);
}

/** `∏ from / ∏ to` after cancelling equal extents; undefined when it surely is no integer. */
function openExtent(from: Shape, to: readonly Dimension[]): Dimension | undefined {
  const left = [...from];
  const right = to.filter((extent) => {
    const at = left.indexOf(extent);
    if (at >= 0) left.splice(at, 1);
    return at < 0;
  });
  const [total, known] = [elementCountOfShape(left), elementCountOfShape(right)];
  if (typeof known === 'number' && typeof total === 'number') {
    if (known === 0) return total === 0 ? 1 : undefined;
    return total % known === 0 ? total / known : undefined;
  }
  return floorDivideDimensions(total, known);
}

function flattenedShape(shape: Shape, axis: number, fail: Fail): Shape {
  const rank = shape.length;
  if (!Number.isInteger(axis) || axis < -rank || axis > rank) {
    fail(
      `axis ${axis} is out of range for rank ${rank}; allowed is ${-rank}…${rank}`,
      { given: axis },
      'invalid-attribute',
    );
  }
  const at = axis < 0 ? axis + rank : axis;
  return [elementCountOfShape(shape.slice(0, at)), elementCountOfShape(shape.slice(at))];
}

/** Which axes an op moves only the run can tell; how many, the graph does. */
function unknownShape(context: InferContext<object>, rank: number): Shape {
  return Array.from({ length: Math.max(0, rank) }, () => context.unknownDimension(context.op.toLowerCase()));
}

function squeezedShape(shape: Shape, axes: readonly number[] | undefined, fail: Fail): Shape {
  if (axes === undefined) return shape.filter((extent) => extent !== 1);
  const dropped = new Set(axes.map((axis) => checkedAxis(axis, shape.length, fail)));
  return shape.filter((extent, axis) => {
    if (!dropped.has(axis)) return true;
    if (typeof extent === 'number' && extent !== 1) {
      fail(`axis ${axis} of ${formatShape(shape)} has extent ${extent}; only an axis of extent 1 can be squeezed`, {
        given: axes,
      });
    }
    return false;
  });
}

function unsqueezedShape(shape: Shape, axes: readonly number[], fail: Fail): Shape {
  const rank = shape.length + axes.length;
  const added = new Set(axes.map((axis) => checkedAxis(axis, rank, fail)));
  if (added.size !== axes.length) fail(`axes [${axes}] name an axis twice`, { given: axes }, 'value-out-of-range');
  const rest = [...shape];
  return Array.from({ length: rank }, (_, axis) => (added.has(axis) ? 1 : (rest.shift() as Dimension)));
}

function reversedAxes(rank: number): number[] {
  return Array.from({ length: rank }, (_, axis) => rank - 1 - axis);
}

function permutationOf(perm: readonly number[] | undefined, rank: number, fail: Fail): readonly number[] {
  if (perm === undefined) return reversedAxes(rank);
  const sorted = [...perm].sort((a, b) => a - b);
  if (perm.length === rank && sorted.every((axis, index) => axis === index)) return perm;
  return fail(`perm [${perm}] is not a permutation of the ${rank} axes`, { given: perm }, 'invalid-attribute');
}

function expandedShape(shape: Shape, wanted: readonly Dimension[], fail: Fail): Shape {
  const negative = wanted.find((extent) => typeof extent === 'number' && extent < 0);
  if (negative !== undefined) {
    fail(
      `the shape ${formatShape(wanted)} has the negative extent ${negative}`,
      { given: wanted },
      'value-out-of-range',
    );
  }
  return (
    broadcastShapes(shape, wanted) ??
    fail(`${formatShape(shape)} cannot be expanded to ${formatShape(wanted)}`, { given: shape, allowed: wanted })
  );
}

function checkedRepeats(shape: Shape, repeats: readonly Dimension[], fail: Fail): readonly Dimension[] {
  if (repeats.length !== shape.length) {
    fail(`${repeats.length} repeats for the ${shape.length} axes of ${formatShape(shape)}`, { given: repeats });
  }
  if (repeats.some((extent) => typeof extent === 'number' && extent < 0)) {
    fail(`repeats ${formatShape(repeats)} must be ≥ 0`, { given: repeats }, 'value-out-of-range');
  }
  return repeats;
}

function tileTensor(t: Tensor, repeats: readonly number[]): Tensor {
  // Seen as [1, d0, 1, d1, …] and broadcast to [r0, d0, r1, d1, …], a tile is an expand.
  const own = t.shape.flatMap((extent) => [1, extent]);
  const shape = t.shape.flatMap((extent, axis) => [repeats[axis] as number, extent]);
  const tiled = stridedCopy(t, { shape, strides: broadcastStrides(own, shape) });
  return reshapeTensor(
    tiled,
    t.shape.map((extent, axis) => extent * (repeats[axis] as number)),
  );
}

function tileGradient({
  builder,
  input,
  outputGradient,
}: GradientContext<object>): readonly (typeof outputGradient | undefined)[] {
  const shape = concreteShape(input(0).shape, `'${input(0).name}'`);
  const whole = concreteShape(outputGradient.shape, 'the gradient of a Tile');
  const split = shape.flatMap((extent, axis) => [extent === 0 ? 0 : (whole[axis] as number) / extent, extent]);
  const copies = shape.map((_, axis) => 2 * axis);
  if (copies.length === 0) return [outputGradient, undefined];
  const parts = reshapeTo(builder, outputGradient, split);
  return [builder.op('ReduceSum', [parts, builder.integers(copies)], { keepdims: 0 }), undefined];
}

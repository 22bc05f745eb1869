import { elementCountOf, ModelwrightError, reshapeTensor, sameShape, Tensor, type TensorData } from '@modelwright/core';

/**
 * How a weight of Keras's layout is stored: its axes reordered by `perm` (stored axis `i` is Keras's axis `perm[i]`), then
 * seen under `shape`. Kernels of convolutions are `[…window, in, out]` in Keras and `[out, in, …window]` in ONNX.
 */
export interface KerasLayout {
  /** Shape in Keras. */
  readonly keras: readonly number[];
  readonly perm: readonly number[];
  /** Shape in the graph. */
  readonly stored: readonly number[];
  /**
   * Order of equal blocks of the last axis, before anything else is done: stored block `i` is Keras's block `blocks[i]`. The
   * gates of an LSTM are i, f, c, o in Keras and i, o, f, c in ONNX. Default as they are.
   */
  readonly blocks?: readonly number[];
}

/** A weight that is stored as Keras has it. */
export function sameLayout(shape: readonly number[]): KerasLayout {
  return { keras: shape, perm: shape.map((_, axis) => axis), stored: shape };
}

/** A weight whose axes are reordered, and merged or split by `stored`. */
export function permutedLayout(
  keras: readonly number[],
  perm: readonly number[],
  stored: readonly number[] = perm.map((axis) => keras[axis] as number),
  blocks?: readonly number[],
): KerasLayout {
  return { keras, perm, stored, ...(blocks === undefined ? {} : { blocks }) };
}

/** The stored form of a weight given in Keras's layout; shape `[…]` must be the layout's. */
export function toStored(tensor: Tensor, { perm, stored, blocks }: KerasLayout): Tensor {
  return reshapeTensor(transposeTensor(orderBlocks(tensor, blocks), perm), stored);
}

/** A stored weight in Keras's layout. */
export function toKeras(tensor: Tensor, { keras, perm, blocks }: KerasLayout): Tensor {
  const permuted = perm.map((axis) => keras[axis] as number);
  const inverse = perm.map((_, axis) => perm.indexOf(axis));
  const back = blocks?.map((_, block) => blocks.indexOf(block));
  return orderBlocks(transposeTensor(reshapeTensor(tensor, permuted), inverse), back);
}

/** The blocks of the last axis in another order: block `i` of the result is block `order[i]`. */
function orderBlocks(tensor: Tensor, order: readonly number[] | undefined): Tensor {
  if (order === undefined) return tensor;
  const { dtype, shape } = tensor;
  const size = (shape.at(-1) as number) / order.length;
  const axis = shape.length;
  const blocked = reshapeTensor(tensor, [...shape.slice(0, -1), order.length, size]);
  const first = [axis - 1, ...shape.slice(0, -1).keys(), axis];
  const moved = transposeTensor(blocked, first);
  const source = moved.data as Float32Array;
  const length = source.length / order.length;
  const target = source.slice();
  for (const [to, from] of order.entries())
    target.set(source.subarray(from * length, (from + 1) * length), to * length);
  const ordered = new Tensor(dtype, moved.shape, target as TensorData as never);
  return reshapeTensor(
    transposeTensor(
      ordered,
      first.map((_, index) => first.indexOf(index)),
    ),
    shape,
  );
}

/**
 * Axes of Keras's layout as axes of the stored weight.
 *
 * @throws {@link ModelwrightError} `invalid-argument` for an axis that storing has merged with another.
 */
export function storedAxes(axes: readonly number[], layout: KerasLayout): readonly number[] {
  const { keras, perm, stored } = layout;
  const permuted = perm.map((axis) => keras[axis] as number);
  const mapped = axes.map((axis) => {
    const at = perm.indexOf(axis < 0 ? axis + keras.length : axis);
    const target = sameShape(permuted, stored) ? at : correspondingAxis(permuted, stored, at);
    if (target !== undefined && target >= 0) return target;
    throw new ModelwrightError(
      'invalid-argument',
      `axis ${axis} of a weight of shape [${keras}] cannot be constrained on its own`,
      {
        given: axis,
      },
    );
  });
  return mapped.sort((a, b) => a - b);
}

/** Axes of the stored weight as axes of Keras's layout: undoes {@link storedAxes}. */
export function kerasAxes(axes: readonly number[], { keras, perm, stored }: KerasLayout): readonly number[] {
  const permuted = perm.map((axis) => keras[axis] as number);
  const undone = axes.map((axis) =>
    sameShape(permuted, stored) ? axis : (correspondingAxis(stored, permuted, axis) ?? axis),
  );
  return undone.map((axis) => perm[axis] as number);
}

// The axis of `to` that covers exactly what axis `at` of `from` covers: equal extent, equal stride.
function correspondingAxis(from: readonly number[], to: readonly number[], at: number): number | undefined {
  const extent = from[at] as number;
  const stride = elementCountOf(from.slice(at + 1));
  const found = to.findIndex((other, axis) => other === extent && elementCountOf(to.slice(axis + 1)) === stride);
  return found < 0 ? undefined : found;
}

/** The tensor with its axes reordered: axis `i` of the result is axis `perm[i]`. */
export function transposeTensor(tensor: Tensor, perm: readonly number[]): Tensor {
  if (perm.every((axis, index) => axis === index)) return tensor;
  const shape = perm.map((axis) => tensor.shape[axis] as number);
  const sourceStrides = tensor.shape.map((_, axis) => elementCountOf(tensor.shape.slice(axis + 1)));
  const strides = perm.map((axis) => sourceStrides[axis] as number);
  const source = tensor.data as Float32Array;
  const target = source.slice();
  const index = new Array<number>(shape.length).fill(0);
  let from = 0;
  for (let to = 0; to < target.length; to++) {
    target[to] = source[from] as number;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      index[axis] = (index[axis] as number) + 1;
      from += strides[axis] as number;
      if ((index[axis] as number) < (shape[axis] as number)) break;
      from -= (shape[axis] as number) * (strides[axis] as number);
      index[axis] = 0;
    }
  }
  return new Tensor(tensor.dtype, shape, target as TensorData as never);
}

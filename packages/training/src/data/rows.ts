import { allocateData, ModelwrightError, Tensor, type TensorData } from '@modelwright/core';
import { mapTensors, type Sample, tensorsOf } from './sample.js';

/** Tensors whose first axis counts examples, any of which can be fetched: what makes array data fast. */
export interface Rows {
  readonly count: number;
  /** A batch of the rows at `indices`, in that order; freshly allocated. */
  gather(indices: Uint32Array): Sample;
  /** One row, without the batch axis. */
  row(index: number): Sample;
}

export interface ColumnOptions {
  /** Fields stored as integers that are handed out as float32, times this: `{ inputs: 1 / 255 }`. */
  readonly scale?: { readonly [place: string]: number };
}

/**
 * Rows over tensors held in memory.
 *
 * @throws {@link ModelwrightError} `invalid-data` when there is no row, `shape-mismatch` when the counts differ.
 */
export function createRows(data: Sample, { scale = {} }: ColumnOptions = {}): Rows {
  const count = commonCount(data);
  const gather = (indices: Uint32Array): Sample =>
    mapTensors(data, (tensor, place) => gatherRows(tensor, indices, scale[place]));
  return {
    count,
    gather,
    row: (index) =>
      mapTensors(
        gather(Uint32Array.of(index)),
        (tensor) => new Tensor(tensor.dtype, tensor.shape.slice(1), tensor.data),
      ),
  };
}

function commonCount(data: Sample): number {
  const columns = tensorsOf(data);
  for (const { place, tensor } of columns) {
    if (tensor.rank === 0)
      throw new ModelwrightError('shape-mismatch', `${place} is a single number; it needs an axis of examples`);
  }
  const counts = columns.map(({ place, tensor }) => ({ place, count: tensor.shape[0] as number }));
  const first = counts[0];
  const odd = counts.find(({ count }) => count !== first?.count);
  if (first === undefined || first.count === 0) {
    throw new ModelwrightError('invalid-data', 'the data set is empty: it has no examples', { given: 0 });
  }
  if (odd !== undefined) {
    throw new ModelwrightError(
      'shape-mismatch',
      `${first.place} has ${first.count} examples, but ${odd.place} has ${odd.count}`,
      { given: odd.count, allowed: first.count },
    );
  }
  return first.count;
}

function gatherRows(source: Tensor, indices: Uint32Array, scale: number | undefined): Tensor {
  const rowShape = source.shape.slice(1);
  const rowElements = rowShape.reduce((product, extent) => product * extent, 1);
  const shape = [indices.length, ...rowShape];
  if (scale !== undefined) {
    return new Tensor('float32', shape, gatherScaled({ data: source.data as Uint8Array, indices, rowElements, scale }));
  }
  return new Tensor(source.dtype, shape, gatherPlain(source, indices, rowElements) as never);
}

function gatherPlain(source: Tensor, indices: Uint32Array, rowElements: number): TensorData {
  const { data, dtype } = source;
  const first = indices[0] ?? 0;
  if (isRun(indices)) return data.slice(first * rowElements, (first + indices.length) * rowElements) as TensorData;
  const target = allocateData(dtype, indices.length * rowElements) as unknown[];
  if (rowElements === 1 || Array.isArray(data)) {
    copyElements(data as never, target, { indices, rowElements });
    return target as unknown as TensorData;
  }
  const from = data as Float32Array;
  for (let k = 0; k < indices.length; k++) {
    const start = (indices[k] as number) * rowElements;
    (target as unknown as Float32Array).set(from.subarray(start, start + rowElements), k * rowElements);
  }
  return target as unknown as TensorData;
}

function copyElements(
  source: ArrayLike<unknown>,
  target: unknown[],
  { indices, rowElements }: { indices: Uint32Array; rowElements: number },
): void {
  for (let k = 0; k < indices.length; k++) {
    const start = (indices[k] as number) * rowElements;
    for (let i = 0; i < rowElements; i++) target[k * rowElements + i] = source[start + i];
  }
}

function gatherScaled(request: {
  data: Uint8Array;
  indices: Uint32Array;
  rowElements: number;
  scale: number;
}): Float32Array {
  const { data, indices, rowElements, scale } = request;
  const target = new Float32Array(indices.length * rowElements);
  for (let k = 0; k < indices.length; k++) {
    const start = (indices[k] as number) * rowElements;
    target.set(data.subarray(start, start + rowElements), k * rowElements);
  }
  for (let index = 0; index < target.length; index++) target[index] = (target[index] as number) * scale;
  return target;
}

function isRun(indices: Uint32Array): boolean {
  const first = indices[0] ?? 0;
  for (let k = 1; k < indices.length; k++) if (indices[k] !== first + k) return false;
  return true;
}

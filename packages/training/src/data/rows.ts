import { allocateData, ModelwrightError, Tensor, type TensorData } from '@modelwright/core';
import { mapTensors, type Sample, tensorsOf } from './sample.js';

/** Tensors whose first axis counts examples, any of which can be fetched: what makes array data fast. */
export interface Rows {
  readonly count: number;
  /** A batch of the rows at `indices`, in that order: freshly allocated, or in the memory of `into`, a batch as large. */
  gather(indices: Uint32Array, into?: Sample): Sample;
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
  const gather = (indices: Uint32Array, into?: Sample): Sample => {
    const old = into === undefined ? undefined : new Map(tensorsOf(into).map((each) => [each.place, each.tensor.data]));
    return mapTensors(data, (tensor, place) =>
      gatherRows(tensor, { indices, scale: scale[place], into: old?.get(place) }),
    );
  };
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

interface GatherRequest {
  readonly indices: Uint32Array;
  readonly scale: number | undefined;
  /** Memory to write to. */
  readonly into: TensorData | undefined;
}

function gatherRows(source: Tensor, { indices, scale, into }: GatherRequest): Tensor {
  const rowShape = source.shape.slice(1);
  const rowElements = rowShape.reduce((product, extent) => product * extent, 1);
  const dtype = scale === undefined ? source.dtype : 'float32';
  const target = into ?? allocateData(dtype, indices.length * rowElements);
  if (rowElements === 1 || Array.isArray(source.data)) copyElements(source.data as never, target as never, indices);
  else copyRows(source.data as Float32Array, target as Float32Array, { indices, rowElements });
  if (scale !== undefined) multiplyBy(target as Float32Array, scale);
  return new Tensor(dtype, [indices.length, ...rowShape], target as never);
}

interface RowCopy {
  readonly indices: Uint32Array;
  readonly rowElements: number;
}

function copyRows(source: Float32Array, target: Float32Array, { indices, rowElements }: RowCopy): void {
  const first = indices[0] ?? 0;
  if (isRun(indices)) {
    target.set(source.subarray(first * rowElements, (first + indices.length) * rowElements));
    return;
  }
  for (let k = 0; k < indices.length; k++) {
    const start = (indices[k] as number) * rowElements;
    target.set(source.subarray(start, start + rowElements), k * rowElements);
  }
}

// Rows of one number, or of texts.
function copyElements(source: ArrayLike<unknown>, target: unknown[], indices: Uint32Array): void {
  const rowElements = indices.length === 0 ? 0 : target.length / indices.length;
  for (let k = 0; k < indices.length; k++) {
    const start = (indices[k] as number) * rowElements;
    for (let i = 0; i < rowElements; i++) target[k * rowElements + i] = source[start + i];
  }
}

function multiplyBy(values: Float32Array, factor: number): void {
  for (let index = 0; index < values.length; index++) values[index] = (values[index] as number) * factor;
}

function isRun(indices: Uint32Array): boolean {
  const first = indices[0] ?? 0;
  for (let k = 1; k < indices.length; k++) if (indices[k] !== first + k) return false;
  return true;
}

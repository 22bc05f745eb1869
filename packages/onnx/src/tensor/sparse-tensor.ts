import { allocateData, dtypeFacts, ModelwrightError, Tensor, type TensorData } from '@modelwright/core';
import type { SparseTensorProto } from '../generated/onnx.generated.js';
import { decodeDims, decodeTensor, type TensorContext } from './decode-tensor.js';

/** Counts bytes that are made out of nothing. */
export interface ExpansionBudget {
  addExpandedBytes(bytes: number): void;
}

/**
 * Spreads a sparse tensor into a dense one.
 *
 * @throws {@link ModelwrightError} `limit-exceeded` if it would take too many bytes, `invalid-model` if an index lies
 * outside of the shape.
 */
export function decodeSparseTensor(
  proto: SparseTensorProto,
  name: string,
  context: TensorContext & { readonly budget: ExpansionBudget },
): Tensor {
  const what = `sparse tensor '${name}'`;
  if (proto.values === undefined || proto.indices === undefined) {
    throw new ModelwrightError('invalid-model', `${what} lacks values or indices`);
  }
  const shape = decodeDims(proto.dims, what, context.limits);
  const values = decodeTensor(proto.values, `${what}, values`, context);
  const indices = decodeTensor(proto.indices, `${what}, indices`, context);
  const count = shape.reduce((product, extent) => product * extent, 1);
  context.budget.addExpandedBytes(count * Math.max(1, dtypeFacts[values.dtype].bytes));
  const dense = allocateData(values.dtype, count) as unknown as unknown[];
  flatIndices(indices, shape, values.elementCount, what).forEach((at, index) => {
    if (at >= count) throw new ModelwrightError('invalid-model', `${what} has the index ${at} outside of [${shape}]`);
    dense[at] = values.data[index];
  });
  return new Tensor(values.dtype, shape, dense as unknown as TensorData);
}

/** Indices as offsets into the dense data: they are given so, or as one row of coordinates for each value. */
function flatIndices(indices: Tensor, shape: readonly number[], count: number, what: string): readonly number[] {
  const { data } = indices;
  const width = indices.rank === 2 ? shape.length : 1;
  if (!(data instanceof BigInt64Array) || indices.rank > 2 || data.length !== count * width) {
    throw new ModelwrightError('invalid-model', `${what} has indices of shape [${indices.shape}] for ${count} values`);
  }
  const extents = indices.rank === 2 ? shape : [Number.MAX_SAFE_INTEGER];
  return Array.from({ length: count }, (_, row) =>
    extents.reduce((offset, extent, column) => {
      const index = Number(data[row * width + column]);
      if (index >= 0 && index < extent) return offset * extent + index;
      throw new ModelwrightError('invalid-model', `${what} has the index ${index} on an axis of ${extent}`);
    }, 0),
  );
}

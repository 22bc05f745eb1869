import { Tensor } from '@modelwright/core';
import { type BlockedWeight, blockCount } from './blocks.js';

/** A blocked weight as `MatMulNBits` and `GatherBlockQuantized` of ONNX Runtime read it. */
export interface PackedWeight {
  /** uint8 `[rows, blocks, blockSize·bits/8]`; of two 4-bit codes the first in the lower half. */
  readonly codes: Tensor;
  /** float32 or float16 `[rows, blocks]` */
  readonly scales: Tensor;
  /** uint8 `[rows, ⌈blocks·bits/8⌉]`; absent when symmetric, where zero is the middle code. */
  readonly zeroPoints?: Tensor;
}

/** Packs a weight for the runtime's own ops. */
export function packForRuntime(weight: BlockedWeight): PackedWeight {
  const { rows, columns, bits, blockSize, codes, zeroPoints, symmetric } = weight;
  const blocks = blockCount(weight);
  const padded = padRows(codes, { rows, columns, paddedColumns: blocks * blockSize });
  return {
    codes: new Tensor('uint8', [rows, blocks, (blockSize * bits) / 8], packRows(padded, rows, bits)),
    scales: new Tensor('float32', [rows, blocks], weight.scales),
    ...(symmetric
      ? {}
      : { zeroPoints: new Tensor('uint8', [rows, Math.ceil((blocks * bits) / 8)], packRows(zeroPoints, rows, bits)) }),
  };
}

function padRows(
  codes: Uint8Array,
  { rows, columns, paddedColumns }: { readonly rows: number; readonly columns: number; readonly paddedColumns: number },
): Uint8Array {
  if (columns === paddedColumns) return codes;
  const padded = new Uint8Array(rows * paddedColumns);
  for (let row = 0; row < rows; row++)
    padded.set(codes.subarray(row * columns, (row + 1) * columns), row * paddedColumns);
  return padded;
}

/** Each row begins at a byte of its own. */
function packRows(codes: Uint8Array, rows: number, bits: 4 | 8): Uint8Array {
  if (bits === 8) return codes;
  const columns = codes.length / rows;
  const width = Math.ceil(columns / 2);
  const packed = new Uint8Array(rows * width);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const at = row * width + (column >> 1);
      packed[at] = (packed[at] as number) | ((codes[row * columns + column] as number) << (column % 2 === 0 ? 0 : 4));
    }
  }
  return packed;
}

/** A blocked weight as `DequantizeLinear` with `block_size` reads it: codes of ONNX's own 4- and 8-bit types. */
export interface LinearWeight {
  readonly codes: Tensor;
  readonly scales: Tensor;
  readonly zeroPoints?: Tensor;
  /** The axis that blocks run along. */
  readonly axis: 0 | 1;
}

/**
 * Brings a weight into the form of `DequantizeLinear`.
 *
 * @param axis - The axis of the weight as it stands in the graph that blocks run along: with 0 all is transposed.
 */
export function toLinear(weight: BlockedWeight, axis: 0 | 1): LinearWeight {
  const { rows, columns, bits, codes, scales, zeroPoints, symmetric } = weight;
  const blocks = blockCount(weight);
  const turned = <T extends Uint8Array | Float32Array>(data: T, width: number): T =>
    axis === 1 ? data : transposed(data, rows, width);
  const shape = (width: number): readonly number[] => (axis === 1 ? [rows, width] : [width, rows]);
  const middle = 2 ** (bits - 1);
  const signed = Int8Array.from(turned(codes, columns), (code) => code - middle);
  return {
    axis,
    codes: symmetric
      ? new Tensor(bits === 4 ? 'int4' : 'int8', shape(columns), signed)
      : new Tensor(bits === 4 ? 'uint4' : 'uint8', shape(columns), turned(codes, columns)),
    scales: new Tensor('float32', shape(blocks), turned(scales, blocks)),
    ...(symmetric
      ? {}
      : { zeroPoints: new Tensor(bits === 4 ? 'uint4' : 'uint8', shape(blocks), turned(zeroPoints, blocks)) }),
  };
}

function transposed<T extends Uint8Array | Float32Array>(data: T, rows: number, columns: number): T {
  const result = data.slice() as T;
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++)
      result[column * rows + row] = data[row * columns + column] as number;
  return result;
}

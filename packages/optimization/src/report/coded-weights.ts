import type { Tensor } from '@modelwright/core';

/** How 4- and 8-bit codes of a weight lie in bytes, as ONNX Runtime's ops on blocks have them. */
export interface PackedLayout {
  readonly rows: number;
  readonly columns: number;
  readonly bits: number;
  readonly blockSize: number;
  /** uint8, packed as the codes are; absent where zero is the middle code. */
  readonly zeroPoints: Tensor | undefined;
}

/** Codes that stand for another number than zero; what fills up the last block does not count. */
export function countPackedNonZero(codes: Tensor, layout: PackedLayout): number {
  const { rows, columns, bits, blockSize, zeroPoints } = layout;
  const codeAt = readerOf(codes, rows, bits);
  const zeroAt = zeroPoints === undefined ? undefined : readerOf(zeroPoints, rows, bits);
  let found = 0;
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++) {
      const zero = zeroAt?.(row, Math.floor(column / blockSize)) ?? 2 ** (bits - 1);
      if (codeAt(row, column) !== zero) found++;
    }
  return found;
}

/** Each row begins at a byte of its own; of two codes the first is in the lower half. */
function readerOf({ data }: Tensor, rows: number, bits: number): (row: number, column: number) => number {
  const width = data.length / rows;
  return (row, column) => {
    const byte = Number(data[row * width + Math.floor((column * bits) / 8)]);
    return bits === 4 ? (byte >> (column % 2 === 0 ? 0 : 4)) & 15 : byte;
  };
}

/** Places among shared values whose value is not zero; values of `[channels, clusters]` are those of each row. */
export function countCodedNonZero(places: Tensor, { shape, data: values }: Tensor): number {
  const clusters = shape.at(-1) ?? 1;
  const perRow = shape.length > 1 ? places.elementCount / (shape[0] as number) : places.elementCount;
  let found = 0;
  places.data.forEach((place: unknown, at: number) => {
    // Bits of float16 are zero where it is, but for −0.
    if (Number(values[Math.floor(at / perRow) * clusters + Number(place)]) !== 0) found++;
  });
  return found;
}

/** Spreads 4-bit elements, the lower half of each byte first, to one element a byte. */
export function unpackNibbles(packed: Uint8Array, dtype: 'int4' | 'uint4', count: number): Int8Array | Uint8Array {
  const data = dtype === 'int4' ? new Int8Array(count) : new Uint8Array(count);
  for (let index = 0; index < count; index++) {
    const nibble = ((packed[index >> 1] as number) >> (index % 2 === 0 ? 0 : 4)) & 0xf;
    data[index] = dtype === 'int4' && nibble > 7 ? nibble - 16 : nibble;
  }
  return data;
}

/** The inverse of {@link unpackNibbles}; an odd count leaves the last upper half zero. */
export function packNibbles(data: Int8Array | Uint8Array): Uint8Array {
  const packed = new Uint8Array(Math.ceil(data.length / 2));
  for (let index = 0; index < data.length; index++) {
    const at = index >> 1;
    packed[at] = (packed[at] as number) | (((data[index] as number) & 0xf) << (index % 2 === 0 ? 0 : 4));
  }
  return packed;
}

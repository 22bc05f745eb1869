/**
 * Decodes packed varints into the low 32 bits of each.
 *
 * @param chunks - Encoded lists, read one after the other. A number cut off at the end of one counts as it stands.
 * @returns As many values as there were, at most `limit` of them plus one, so that the caller sees an excess.
 */
export function decodeVarint32(chunks: readonly Uint8Array[], limit: number): Int32Array {
  const values = new Int32Array(Math.min(limit + 1, totalBytes(chunks)));
  let count = 0;
  for (const chunk of chunks) {
    for (let at = 0; at < chunk.length && count < values.length; count++) {
      let low = 0;
      let byte = 0x80;
      for (let shift = 0; byte >= 0x80; shift += 7) {
        byte = chunk[at++] ?? 0;
        if (shift < 32) low |= (byte & 0x7f) << shift;
      }
      values[count] = low;
    }
  }
  return values.subarray(0, count);
}

/** As {@link decodeVarint32}, with all 64 bits of each value. */
export function decodeVarint64(chunks: readonly Uint8Array[], limit: number): BigInt64Array {
  const values = new BigInt64Array(Math.min(limit + 1, totalBytes(chunks)));
  // Pairs of 32-bit halves over the same memory: no bigint is made for any element.
  const halves = new Uint32Array(values.buffer);
  let count = 0;
  for (const chunk of chunks) {
    for (let at = 0; at < chunk.length && count < values.length; count++) {
      let low = 0;
      let high = 0;
      let byte = 0x80;
      for (let shift = 0; byte >= 0x80; shift += 7) {
        byte = chunk[at++] ?? 0;
        const bits = byte & 0x7f;
        if (shift < 32) low |= bits << shift;
        if (shift === 28) high = bits >>> 4;
        else if (shift > 28) high |= bits << (shift - 32);
      }
      halves[2 * count] = low;
      halves[2 * count + 1] = high;
    }
  }
  return values.subarray(0, count);
}

/** The chunks as one run of bytes; no copy if there is one. */
export function joinChunks(chunks: readonly Uint8Array[]): Uint8Array {
  if (chunks.length === 1) return chunks[0] as Uint8Array;
  const joined = new Uint8Array(totalBytes(chunks));
  let at = 0;
  for (const chunk of chunks) {
    joined.set(chunk, at);
    at += chunk.length;
  }
  return joined;
}

function totalBytes(chunks: readonly Uint8Array[]): number {
  return chunks.reduce((sum, chunk) => sum + chunk.length, 0);
}

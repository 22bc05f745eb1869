const scratchFloat = new Float32Array(1);
const scratchBits = new Uint32Array(scratchFloat.buffer);

/** Bits of the binary16 number nearest to `value` (ties to even). */
export function toFloat16Bits(value: number): number {
  scratchFloat[0] = value;
  const bits = scratchBits[0] as number;
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00;
  // 65520 is the first value that rounds to infinity.
  if (magnitude >= 0x477ff000) return sign | 0x7c00;
  // Double rounding float64→float32→float16 is avoided for subnormals and normals by working on the exact value.
  return sign | roundMagnitude(Math.abs(value));
}

function roundMagnitude(magnitude: number): number {
  const exponent = Math.max(Math.floor(Math.log2(magnitude)), -14);
  if (magnitude === 0 || exponent === Number.NEGATIVE_INFINITY) return 0;
  const scaled = magnitude * 2 ** (10 - exponent);
  const rounded = roundTiesToEven(scaled);
  // A normal number carries its implicit bit in `rounded`; adding lets a carry move into the exponent.
  return rounded + (exponent + 14) * 1024;
}

function roundTiesToEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest > 0.5 || (rest === 0.5 && floor % 2 === 1)) return floor + 1;
  return floor;
}

/** The number whose binary16 representation is `bits`. */
export function fromFloat16Bits(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >>> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** Bits of the bfloat16 number nearest to `value` (ties to even). */
export function toBfloat16Bits(value: number): number {
  scratchFloat[0] = value;
  const bits = scratchBits[0] as number;
  if ((bits & 0x7fffffff) > 0x7f800000) return ((bits >>> 16) | 0x40) & 0xffff;
  return ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16) & 0xffff;
}

/** The number whose bfloat16 representation is `bits`. */
export function fromBfloat16Bits(bits: number): number {
  scratchBits[0] = bits << 16;
  return scratchFloat[0] as number;
}

import { signed, unsigned, type WasmFunction } from './encode-module.js';

/** `⌊2³² / φ⌋`: the distance of two elements' keys. */
const keyStride = 0x9e3779b9;
const mixShifts = [16, 15, 15] as const;
const mixFactors = [0x21f0aaad, 0x735a2d97] as const;

/**
 * The key of a run: `mix((mix(seed) + low) ⊕ …)` of the seed and the counter's two halves.
 *
 * @param counter - an integer; its low 64 bits count.
 */
export function counterKey(seed: number, counter: number): number {
  const bits = BigInt.asUintN(64, BigInt(Math.trunc(counter)));
  const low = Number(bits & 0xffffffffn);
  const high = Number(bits >> 32n);
  return mix((mix((mix(seed >>> 0) + low) >>> 0) ^ high) >>> 0);
}

/** An integer hash of 32 bits with low bias. */
export function mix(value: number): number {
  let x = value >>> 0;
  x = Math.imul(x ^ (x >>> mixShifts[0]), mixFactors[0]);
  x = Math.imul(x ^ (x >>> mixShifts[1]), mixFactors[1]);
  return (x ^ (x >>> mixShifts[2])) >>> 0;
}

const op = {
  get: (local: number): number[] => [0x20, ...unsigned(local)],
  set: (local: number): number[] => [0x21, ...unsigned(local)],
  i32: (value: number): number[] => [0x41, ...signed(value | 0)],
  simd: (code: number): number[] => [0xfd, ...unsigned(code)],
} as const;
const simd = {
  store: 11,
  constant: 12,
  splat: 17,
  xor: 81,
  shiftRight: 173,
  add: 174,
  multiply: 181,
  multiplyFloat: 230,
  convertUnsigned: 251,
} as const;

const parameter = { target: 0, key: 1, count: 2 } as const;
const local = { position: 3, keys: 4, value: 5 } as const;

/**
 * A function `(target, key, count)` that writes `(mix(key + i·stride) ≫ 8) · 2⁻²⁴` for every element; `target` has room for a whole
 * vector at the end.
 */
export function counterUniformFunction(name: string): WasmFunction {
  const body = [
    // keys = key + [0, 1, 2, 3]·stride
    ...[...op.get(parameter.key), ...op.simd(simd.splat)],
    ...[
      ...constant([0, 1, 2, 3].map((lane) => Math.imul(lane, keyStride))),
      ...op.simd(simd.add),
      ...op.set(local.keys),
    ],
    ...[0x02, 0x40, 0x03, 0x40],
    ...[...op.get(local.position), ...op.get(parameter.count), 0x4f, 0x0d, 1],
    ...[...op.get(local.keys), ...op.set(local.value)],
    ...mixVector(),
    ...op.get(parameter.target),
    ...[...op.get(local.value), ...op.i32(8), ...op.simd(simd.shiftRight), ...op.simd(simd.convertUnsigned)],
    ...[...floatConstant(2 ** -24), ...op.simd(simd.multiplyFloat)],
    ...[...op.simd(simd.store), 2, 0],
    ...[
      ...op.get(local.keys),
      ...constant(Array(4).fill(Math.imul(4, keyStride))),
      ...op.simd(simd.add),
      ...op.set(local.keys),
    ],
    ...advance(parameter.target, 16),
    ...advance(local.position, 4),
    ...[0x0c, 0, 0x0b, 0x0b],
  ];
  return { name, parameters: ['i32', 'i32', 'i32'], locals: ['i32', 'v128', 'v128'], body };
}

function mixVector(): number[] {
  return mixShifts.flatMap((shift, round) => {
    const shifted = [...op.get(local.value), ...op.i32(shift), ...op.simd(simd.shiftRight)];
    const mixed = [...op.get(local.value), ...shifted, ...op.simd(simd.xor)];
    const factor = mixFactors[round];
    const scaled = factor === undefined ? [] : [...constant(Array(4).fill(factor)), ...op.simd(simd.multiply)];
    return [...mixed, ...scaled, ...op.set(local.value)];
  });
}

function advance(index: number, step: number): number[] {
  return [...op.get(index), ...op.i32(step), 0x6a, ...op.set(index)];
}

function constant(lanes: readonly number[]): number[] {
  return [...op.simd(simd.constant), ...new Uint8Array(Int32Array.from(lanes).buffer)];
}

function floatConstant(value: number): number[] {
  return [...op.simd(simd.constant), ...new Uint8Array(new Float32Array(4).fill(value).buffer)];
}

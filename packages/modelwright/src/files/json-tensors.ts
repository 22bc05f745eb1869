import {
  castTensor,
  type DType,
  isBigInt,
  isFloat,
  ModelwrightError,
  type Tensor,
  tensor,
  toNumbers,
} from '@modelwright/core';

/** Nested arrays as JSON can hold them; numbers that JSON lacks are the texts `NaN`, `Infinity` and `-Infinity`. */
export type JsonValues = number | string | boolean | null | readonly JsonValues[];

/**
 * Makes a tensor from nested JSON arrays.
 *
 * @param values - Nested numbers; int64 beyond 2⁵³ as decimal text.
 * @param dtype - What the model's input holds.
 * @param where - What the values are for, in error messages: `input 'image' in 'a.json'`.
 * @throws {@link ModelwrightError} `invalid-data` for ragged nesting or values that are no numbers.
 */
export function tensorFromJson(values: unknown, dtype: DType, where: string): Tensor {
  try {
    if (dtype === 'string') return tensor(values as string[], { dtype });
    if (isBigInt(dtype)) return tensor(mapLeaves(values, toBigInt) as bigint[], { dtype });
    return castTensor(tensor(mapLeaves(values, toNumber) as number[], { dtype: 'float64' }), dtype);
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    throw new ModelwrightError('invalid-data', `${where}: ${message}`, { cause });
  }
}

/** The elements as nested arrays, the inverse of {@link tensorFromJson}. A scalar is a bare number. */
export function tensorToJson(held: Tensor): JsonValues {
  const leaves = leavesOf(held);
  let offset = 0;
  const nest = (axis: number): JsonValues => {
    if (axis === held.shape.length) return leaves[offset++]!;
    return Array.from({ length: held.shape[axis]! }, () => nest(axis + 1));
  };
  return nest(0);
}

function leavesOf(held: Tensor): readonly (number | string | boolean)[] {
  const { dtype, data } = held;
  if (dtype === 'string') return data as string[];
  if (dtype === 'bool') return Array.from(data as Uint8Array, (value) => value !== 0);
  if (isBigInt(dtype)) {
    return Array.from(data as BigInt64Array, (value) =>
      Number.isSafeInteger(Number(value)) ? Number(value) : String(value),
    );
  }
  const numbers = Array.from(isFloat(dtype) ? toNumbers(held) : (data as Int32Array));
  if (dtype === 'float64') return numbers.map(jsonNumber);
  return numbers.map((value) => jsonNumber(isFloat(dtype) ? shortest(value) : value));
}

/** The shortest decimal that rounds to the same float32: `0.1`, not `0.10000000149011612`. */
function shortest(value: number): number {
  for (let digits = 6; digits <= 8; digits++) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === value) return short;
  }
  return Number(value.toPrecision(9));
}

function jsonNumber(value: number): number | string {
  return Number.isFinite(value) ? value : String(value);
}

function mapLeaves(value: unknown, convert: (leaf: unknown) => unknown): unknown {
  return Array.isArray(value) ? value.map((item) => mapLeaves(item, convert)) : convert(value);
}

function toNumber(leaf: unknown): number {
  if (typeof leaf === 'number') return leaf;
  if (typeof leaf === 'boolean') return leaf ? 1 : 0;
  if (typeof leaf === 'string' && /^(NaN|[+-]?Infinity|[+-]?[\d.]+(e[+-]?\d+)?)$/i.test(leaf)) return Number(leaf);
  throw new ModelwrightError('invalid-data', `${JSON.stringify(leaf)} is not a number`);
}

function toBigInt(leaf: unknown): bigint {
  if (typeof leaf === 'string' && /^[+-]?\d+$/.test(leaf)) return BigInt(leaf);
  const value = toNumber(leaf);
  if (Number.isInteger(value)) return BigInt(value);
  throw new ModelwrightError('invalid-data', `${JSON.stringify(leaf)} is not an integer`);
}

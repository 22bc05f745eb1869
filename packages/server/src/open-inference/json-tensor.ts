import {
  allocateData,
  type DType,
  dtypeFacts,
  isBigInt,
  isFloat,
  ModelwrightError,
  Tensor,
  toBfloat16Bits,
  toFloat16Bits,
  toNumbers,
} from '@modelwright/core';
import { datatypeOf } from './datatype.js';
import { isMarkedInteger, toExactBigInt } from './exact-json.js';

/** Where a value stands, for the message of an error. */
interface Place {
  readonly input: string;
  readonly dtype: DType;
}

/**
 * Reads a tensor of JSON: `data` flat or nested as `shape` says, row-major. 64-bit integers may be strings of digits, floats may be `"NaN"`,
 * `"Infinity"` and `"-Infinity"`, bools 0 and 1.
 *
 * @throws {@link ModelwrightError} `invalid-argument`, `value-out-of-range` naming input and element.
 */
export function fromJson(
  input: string,
  dtype: DType,
  shape: readonly number[],
  elementCount: number,
  data: unknown,
): Tensor {
  const leaves = leavesOf(input, data, shape, elementCount);
  const place: Place = { input, dtype };
  const read = readerOf(dtype);
  const storage = allocateData(dtype, elementCount) as unknown[];
  for (let index = 0; index < elementCount; index++) {
    const value = read(leaves[index], place);
    if (value === undefined) throw badElement(place, index, leaves[index]);
    storage[index] = value;
  }
  return new Tensor(dtype, shape, storage as never);
}

/** The elements in order; counted before an array of them is made. */
function leavesOf(input: string, data: unknown, shape: readonly number[], elementCount: number): readonly unknown[] {
  if (!Array.isArray(data)) {
    throw new ModelwrightError('invalid-argument', `input '${input}': 'data' must be an array`, { input });
  }
  const isNested = Array.isArray(data[0]) && shape.length > 1;
  const leaves = isNested ? flattenAs(input, data, shape) : data;
  if (leaves.length === elementCount) return leaves;
  throw new ModelwrightError(
    'invalid-argument',
    `input '${input}': shape [${shape.join(', ')}] has ${elementCount} elements, but ${leaves.length} were given`,
    { input, given: leaves.length, allowed: elementCount },
  );
}

function flattenAs(input: string, data: readonly unknown[], shape: readonly number[]): readonly unknown[] {
  let level: readonly unknown[] = data;
  for (let axis = 1; axis < shape.length; axis++) {
    const next: unknown[] = [];
    for (const row of level) {
      if (!Array.isArray(row) || row.length !== shape[axis]) {
        throw new ModelwrightError(
          'invalid-argument',
          `input '${input}': nested 'data' does not have the shape [${shape.join(', ')}] at depth ${axis}`,
          { input },
        );
      }
      for (const value of row) next.push(value);
    }
    level = next;
  }
  return level;
}

type Read = (value: unknown, place: Place) => number | bigint | string | undefined;

function readerOf(dtype: DType): Read {
  if (dtype === 'string') return readString;
  if (dtype === 'bool') return readBool;
  if (isBigInt(dtype)) return dtype === 'int64' ? readInt64 : readUint64;
  if (!isFloat(dtype)) return readInteger;
  if (dtype === 'float16') return (value) => mapFloat(value, toFloat16Bits);
  return dtype === 'bfloat16' ? (value) => mapFloat(value, toBfloat16Bits) : readFloat;
}

const readString: Read = (value) => (typeof value === 'string' && !isMarkedInteger(value) ? value : undefined);

const readBool: Read = (value) => {
  if (typeof value === 'boolean') return value ? 1 : 0;
  return value === 0 || value === 1 ? value : undefined;
};

const namedFloats: ReadonlyMap<unknown, number> = new Map([
  ['NaN', Number.NaN],
  ['Infinity', Number.POSITIVE_INFINITY],
  ['-Infinity', Number.NEGATIVE_INFINITY],
]);

const readFloat = (value: unknown): number | undefined => {
  if (typeof value === 'number') return value;
  return isMarkedInteger(value) ? Number(value.slice(1)) : namedFloats.get(value);
};

function mapFloat(value: unknown, toBits: (value: number) => number): number | undefined {
  const number = readFloat(value);
  return number === undefined ? undefined : toBits(number);
}

const readInteger: Read = (value, { dtype }) => {
  const { kind, bits } = dtypeFacts[dtype];
  const lowest = kind === 'int' ? -(2 ** (bits - 1)) : 0;
  const highest = kind === 'int' ? 2 ** (bits - 1) - 1 : 2 ** bits - 1;
  return Number.isInteger(value) && (value as number) >= lowest && (value as number) <= highest
    ? (value as number)
    : undefined;
};

const readInt64: Read = (value) => {
  const integer = toExactBigInt(value);
  return integer !== undefined && BigInt.asIntN(64, integer) === integer ? integer : undefined;
};

const readUint64: Read = (value) => {
  const integer = toExactBigInt(value);
  return integer !== undefined && BigInt.asUintN(64, integer) === integer ? integer : undefined;
};

function badElement({ input, dtype }: Place, index: number, value: unknown): ModelwrightError {
  const given = typeof value === 'number' ? String(value) : Array.isArray(value) ? 'an array' : typeof value;
  const isNumber = typeof value === 'number' || isMarkedInteger(value);
  return new ModelwrightError(
    isNumber && dtype !== 'string' ? 'value-out-of-range' : 'invalid-argument',
    `input '${input}': element ${index} is ${given}, which is no ${datatypeOf(dtype)}`,
    { input },
  );
}

/**
 * The elements of a tensor as a flat JSON array: 64-bit integers with all their digits, floats exactly, `"NaN"` and `"Infinity"` as
 * protobuf's JSON writes them.
 */
export function toJson(tensor: Tensor): string {
  const { dtype, data } = tensor;
  if (dtype === 'string') return JSON.stringify(data);
  if (dtype === 'bool') return `[${Array.from(data as Uint8Array, (value) => value !== 0).join(',')}]`;
  if (!isFloat(dtype)) return `[${(data as Int32Array).join(',')}]`;
  const numbers = dtype === 'float32' ? (data as Float32Array) : toNumbers(tensor);
  return hasOnlyFinite(numbers) ? `[${numbers.join(',')}]` : JSON.stringify(Array.from(numbers, nameFloat));
}

function hasOnlyFinite(numbers: Float32Array | Float64Array): boolean {
  for (const value of numbers) if (!Number.isFinite(value)) return false;
  return true;
}

function nameFloat(value: number): number | string {
  return Number.isFinite(value) ? value : String(value);
}

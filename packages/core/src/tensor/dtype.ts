import { ModelwrightError } from '../errors.js';

/** Element types with their storage; names follow ONNX and NumPy. */
export interface TensorDataByDType {
  float32: Float32Array;
  float64: Float64Array;
  /** IEEE binary16 bits. */
  float16: Uint16Array;
  /** The upper half of a float32, as bits; storage only. */
  bfloat16: Uint16Array;
  int8: Int8Array;
  int16: Int16Array;
  int32: Int32Array;
  int64: BigInt64Array;
  uint8: Uint8Array;
  uint16: Uint16Array;
  uint32: Uint32Array;
  uint64: BigUint64Array;
  /** One element a byte, −8…7; packed only in files. */
  int4: Int8Array;
  /** One element a byte, 0…15; packed only in files. */
  uint4: Uint8Array;
  /** 0 or 1 a byte. */
  bool: Uint8Array;
  string: string[];
}

export type DType = keyof TensorDataByDType;
export type TensorData = TensorDataByDType[DType];
export type FloatDType = 'float32' | 'float64' | 'float16' | 'bfloat16';
export type NumericDType = Exclude<DType, 'string'>;

interface DTypeFacts {
  readonly kind: 'float' | 'int' | 'uint' | 'bool' | 'string';
  readonly bits: number;
  /** Bytes an element takes in a host tensor; 0 for strings. */
  readonly bytes: number;
}

/** Kind, width and storage of each element type. */
export const dtypeFacts: { readonly [D in DType]: DTypeFacts } = {
  float32: { kind: 'float', bits: 32, bytes: 4 },
  float64: { kind: 'float', bits: 64, bytes: 8 },
  float16: { kind: 'float', bits: 16, bytes: 2 },
  bfloat16: { kind: 'float', bits: 16, bytes: 2 },
  int8: { kind: 'int', bits: 8, bytes: 1 },
  int16: { kind: 'int', bits: 16, bytes: 2 },
  int32: { kind: 'int', bits: 32, bytes: 4 },
  int64: { kind: 'int', bits: 64, bytes: 8 },
  uint8: { kind: 'uint', bits: 8, bytes: 1 },
  uint16: { kind: 'uint', bits: 16, bytes: 2 },
  uint32: { kind: 'uint', bits: 32, bytes: 4 },
  uint64: { kind: 'uint', bits: 64, bytes: 8 },
  int4: { kind: 'int', bits: 4, bytes: 1 },
  uint4: { kind: 'uint', bits: 4, bytes: 1 },
  bool: { kind: 'bool', bits: 8, bytes: 1 },
  string: { kind: 'string', bits: 0, bytes: 0 },
};

/** All element types, in a fixed order. */
export const dtypes: readonly DType[] = Object.keys(dtypeFacts) as DType[];

const constructors: {
  readonly [D in NumericDType]: new (
    source: number | ArrayBufferLike,
    byteOffset?: number,
    length?: number,
  ) => TensorDataByDType[D];
} = {
  float32: Float32Array,
  float64: Float64Array,
  float16: Uint16Array,
  bfloat16: Uint16Array,
  int8: Int8Array,
  int16: Int16Array,
  int32: Int32Array,
  int64: BigInt64Array,
  uint8: Uint8Array,
  uint16: Uint16Array,
  uint32: Uint32Array,
  uint64: BigUint64Array,
  int4: Int8Array,
  uint4: Uint8Array,
  bool: Uint8Array,
};

/** Whether `dtype` is a floating-point type. */
export function isFloat(dtype: DType): dtype is FloatDType {
  return dtypeFacts[dtype].kind === 'float';
}

/** Whether `dtype` is a signed or unsigned integer type (not bool). */
export function isInteger(dtype: DType): boolean {
  const { kind } = dtypeFacts[dtype];
  return kind === 'int' || kind === 'uint';
}

/** Whether elements of `dtype` are stored as `bigint`. */
export function isBigInt(dtype: DType): dtype is 'int64' | 'uint64' {
  return dtype === 'int64' || dtype === 'uint64';
}

/**
 * Zero-filled storage (empty strings for `'string'`) for `elementCount` elements.
 *
 * @throws {@link ModelwrightError} `limit-exceeded` if there is no memory for so many.
 */
export function allocateData<D extends DType>(dtype: D, elementCount: number): TensorDataByDType[D] {
  try {
    if (dtype === 'string') return new Array<string>(elementCount).fill('') as TensorDataByDType[D];
    return new constructors[dtype as NumericDType](elementCount) as TensorDataByDType[D];
  } catch (cause) {
    const message = `${elementCount} elements of ${dtype} do not fit into memory`;
    throw new ModelwrightError('limit-exceeded', message, { given: elementCount, cause });
  }
}

/** A typed view of `elementCount` elements over `buffer`; `byteOffset` must be aligned to the element. */
export function viewData<D extends NumericDType>(
  dtype: D,
  buffer: ArrayBufferLike,
  byteOffset: number,
  elementCount: number,
): TensorDataByDType[D] {
  return new constructors[dtype](buffer, byteOffset, elementCount);
}

/** Whether `data` is the storage type of `dtype`. */
export function isDataOf(dtype: DType, data: unknown): boolean {
  if (dtype === 'string') return Array.isArray(data);
  return data instanceof constructors[dtype as NumericDType];
}

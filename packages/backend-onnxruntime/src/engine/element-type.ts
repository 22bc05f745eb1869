/** Element types that cross the border to the runtime, by their ONNX names. */
export type ElementType =
  | 'float32'
  | 'float64'
  | 'float16'
  | 'bfloat16'
  | 'int8'
  | 'int16'
  | 'int32'
  | 'int64'
  | 'uint8'
  | 'uint16'
  | 'uint32'
  | 'uint64'
  | 'bool'
  | 'string';

/** Memory of one tensor. float16 and bfloat16 travel as their bits, bool as bytes. */
export type ElementArray =
  | Float32Array
  | Float64Array
  | Int8Array
  | Int16Array
  | Int32Array
  | BigInt64Array
  | Uint8Array
  | Uint16Array
  | Uint32Array
  | BigUint64Array;

interface ElementArrayConstructor {
  readonly BYTES_PER_ELEMENT: number;
  new (length: number): ElementArray;
  new (buffer: ArrayBufferLike, byteOffset?: number, length?: number): ElementArray;
}

interface ElementTypeRow {
  /** `ONNXTensorElementDataType` of the C API. */
  readonly code: number;
  readonly array: ElementArrayConstructor;
  /** Name in the JS API, absent where that API cannot carry the type. */
  readonly binding?: string;
}

const rows: { readonly [T in Exclude<ElementType, 'string'>]: ElementTypeRow } = {
  float32: { code: 1, array: Float32Array, binding: 'float32' },
  uint8: { code: 2, array: Uint8Array, binding: 'uint8' },
  int8: { code: 3, array: Int8Array, binding: 'int8' },
  uint16: { code: 4, array: Uint16Array, binding: 'uint16' },
  int16: { code: 5, array: Int16Array, binding: 'int16' },
  int32: { code: 6, array: Int32Array, binding: 'int32' },
  int64: { code: 7, array: BigInt64Array, binding: 'int64' },
  bool: { code: 9, array: Uint8Array, binding: 'bool' },
  float16: { code: 10, array: Uint16Array, binding: 'float16' },
  float64: { code: 11, array: Float64Array, binding: 'float64' },
  uint32: { code: 12, array: Uint32Array, binding: 'uint32' },
  uint64: { code: 13, array: BigUint64Array, binding: 'uint64' },
  bfloat16: { code: 16, array: Uint16Array },
};

/** `ONNXTensorElementDataType` of strings. */
export const stringCode = 8;

/** @returns the `ONNXTensorElementDataType` of a type. */
export function toElementCode(type: ElementType): number {
  return type === 'string' ? stringCode : rows[type].code;
}

/** @returns the type of an `ONNXTensorElementDataType`, `undefined` for those no tensor of ours can hold (int4, fp8, complex). */
export function fromElementCode(code: number): ElementType | undefined {
  if (code === stringCode) return 'string';
  for (const [type, row] of Object.entries(rows)) if (row.code === code) return type as ElementType;
  return undefined;
}

/** @returns whether the stock JS API can carry the type. */
export function isBindingType(type: ElementType): boolean {
  return type === 'string' || rows[type].binding !== undefined;
}

/** @returns the size of one element; strings have none. */
export function bytesPerElement(type: Exclude<ElementType, 'string'>): number {
  return rows[type].array.BYTES_PER_ELEMENT;
}

/** @returns new zeroed memory for `length` elements. */
export function allocateElements(type: Exclude<ElementType, 'string'>, length: number): ElementArray {
  return new rows[type].array(length);
}

/** @returns a typed view of existing memory. */
export function viewElements(
  type: Exclude<ElementType, 'string'>,
  buffer: ArrayBufferLike,
  range: { readonly byteOffset: number; readonly length: number },
): ElementArray {
  return new rows[type].array(buffer, range.byteOffset, range.length);
}

/** @returns whether an array is the one that holds elements of `type`. */
export function holdsElements(type: Exclude<ElementType, 'string'>, data: ArrayBufferView): boolean {
  return data instanceof rows[type].array;
}

/** @returns the number of elements of a shape; 1 for a scalar. */
export function elementCount(dims: readonly number[]): number {
  return dims.reduce((product, dim) => product * dim, 1);
}

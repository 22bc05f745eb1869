import { allocateData, type DType, ModelwrightError, Tensor, type TensorData } from '@modelwright/core';

/** Typed arrays that data comes in. */
export type NumberArray =
  | Float32Array
  | Float64Array
  | Int8Array
  | Int16Array
  | Int32Array
  | Uint8Array
  | Uint8ClampedArray
  | Uint16Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array;

/** Numbers, booleans, typed arrays or tensors in any nesting. */
export type NestedArrays = number | boolean | NumberArray | Tensor | readonly NestedArrays[];

/**
 * What a tensor can be made of: a tensor, a typed array (one axis, or more with `shape`), or nested arrays, whose innermost
 * level may be typed arrays or tensors. Plain numbers become float32.
 */
export type ArrayData = NestedArrays | { readonly data: NumberArray; readonly shape: readonly number[] };

/**
 * Makes a tensor of array data without copying where it is one already.
 *
 * @param what - How errors call the data.
 * @throws {@link ModelwrightError} `shape-mismatch` for ragged nesting, `invalid-data` for values that are no numbers.
 */
export function toTensor(values: ArrayData, what = 'data'): Tensor {
  if (values instanceof Tensor) return values;
  if (isNumberArray(values)) return typedTensor(values, [values.length]);
  if (isShapedData(values)) return typedTensor(values.data, values.shape);
  const innermost = firstLeaf(values as NestedArrays);
  const { shape, dtype } = leafType(innermost, what);
  const outer = outerShape(values as NestedArrays, what);
  const full = [...outer, ...shape];
  const data = allocateData(
    dtype,
    full.reduce((product, extent) => product * extent, 1),
  );
  const filler = new Filler({ data, shape: full, dtype, leafRank: shape.length, what });
  filler.fill(values as NestedArrays, 0);
  return new Tensor(dtype, full, data);
}

/** Whether `value` is one of the typed arrays. */
export function isNumberArray(value: unknown): value is NumberArray {
  return ArrayBuffer.isView(value) && !(value instanceof DataView);
}

/** Whether `value` is `{ data, shape }`. */
export function isShapedData(
  value: unknown,
): value is { readonly data: NumberArray; readonly shape: readonly number[] } {
  if (typeof value !== 'object' || value === null || value instanceof Tensor) return false;
  const { data, shape } = value as { data?: unknown; shape?: unknown };
  return isNumberArray(data) && Array.isArray(shape);
}

function typedTensor(data: NumberArray, shape: readonly number[]): Tensor {
  // A Node Buffer is a Uint8Array whose `slice` shares memory; only the plain kind goes into a tensor.
  if (data instanceof Uint8ClampedArray || (data instanceof Uint8Array && data.constructor !== Uint8Array)) {
    return new Tensor('uint8', shape, new Uint8Array(data.buffer, data.byteOffset, data.length));
  }
  return new Tensor(dtypeOfArray(data), shape, data as TensorData as never);
}

function dtypeOfArray(data: NumberArray): DType {
  if (data instanceof Float32Array) return 'float32';
  if (data instanceof Float64Array) return 'float64';
  if (data instanceof Int8Array) return 'int8';
  if (data instanceof Int16Array) return 'int16';
  if (data instanceof Int32Array) return 'int32';
  if (data instanceof Uint16Array) return 'uint16';
  if (data instanceof Uint32Array) return 'uint32';
  if (data instanceof BigInt64Array) return 'int64';
  return data instanceof BigUint64Array ? 'uint64' : 'uint8';
}

function firstLeaf(values: NestedArrays): number | boolean | NumberArray | Tensor | undefined {
  let current: NestedArrays | undefined = values;
  while (Array.isArray(current)) current = current[0] as NestedArrays | undefined;
  return current as number | boolean | NumberArray | Tensor | undefined;
}

function outerShape(values: NestedArrays, what: string): number[] {
  const shape: number[] = [];
  let current: unknown = values;
  while (Array.isArray(current)) {
    shape.push(current.length);
    current = current[0];
  }
  if (shape.length === 0 && typeof current !== 'number' && typeof current !== 'boolean') {
    throw new ModelwrightError(
      'invalid-data',
      `${what} is ${describe(current)}; numbers, arrays or tensors are allowed`,
      {
        given: describe(current),
      },
    );
  }
  return shape;
}

function leafType(
  leaf: number | boolean | NumberArray | Tensor | undefined,
  what: string,
): { shape: readonly number[]; dtype: DType } {
  if (leaf instanceof Tensor) return { shape: leaf.shape, dtype: leaf.dtype };
  if (isNumberArray(leaf)) return { shape: [leaf.length], dtype: dtypeOfArray(leaf) };
  if (leaf === undefined || typeof leaf === 'number' || typeof leaf === 'boolean')
    return { shape: [], dtype: 'float32' };
  throw new ModelwrightError('invalid-data', `${what} holds ${describe(leaf)} where a number is expected`, {
    given: describe(leaf),
  });
}

interface FillTarget {
  readonly data: TensorData;
  readonly shape: readonly number[];
  readonly dtype: DType;
  /** Rank of the innermost typed arrays or tensors; 0 for plain numbers. */
  readonly leafRank: number;
  readonly what: string;
}

/** Writes nested arrays into one flat array, checking that every level has the extent of the first. */
class Filler {
  readonly #target: FillTarget;
  #offset = 0;

  constructor(target: FillTarget) {
    this.#target = target;
  }

  fill(values: NestedArrays, depth: number): void {
    const { shape, leafRank } = this.#target;
    if (depth === shape.length - leafRank) {
      if (leafRank > 0) this.#copyLeaf(values, depth);
      else (this.#target.data as Float32Array)[this.#offset++] = this.#number(values);
      return;
    }
    if (!Array.isArray(values)) this.#ragged(depth, describe(values));
    const items = values as readonly NestedArrays[];
    if (items.length !== shape[depth]) this.#ragged(depth, `${items.length} values`);
    if (leafRank === 0 && depth === shape.length - 1) this.#copyNumbers(items);
    else for (const item of items) this.fill(item, depth + 1);
  }

  #copyNumbers(items: readonly NestedArrays[]): void {
    const data = this.#target.data as Float32Array;
    for (const item of items) data[this.#offset++] = typeof item === 'number' ? item : this.#number(item);
  }

  #copyLeaf(leaf: NestedArrays, depth: number): void {
    const { shape, dtype, data, what } = this.#target;
    const given = leaf instanceof Tensor ? leaf : isNumberArray(leaf) ? typedTensor(leaf, [leaf.length]) : undefined;
    if (given === undefined) this.#ragged(depth, describe(leaf));
    const inner = shape.slice(depth);
    const held = given as Tensor;
    if (held.shape.length !== inner.length || held.shape.some((extent, axis) => extent !== inner[axis])) {
      this.#ragged(depth, `shape [${held.shape}]`);
    }
    if (held.dtype !== dtype) {
      throw new ModelwrightError('dtype-mismatch', `${what} mixes ${dtype} and ${held.dtype}`, { given: held.dtype });
    }
    (data as Float32Array).set(held.data as Float32Array, this.#offset);
    this.#offset += held.elementCount;
  }

  #number(value: NestedArrays): number {
    if (typeof value === 'number') return value;
    if (typeof value === 'boolean') return value ? 1 : 0;
    if (Array.isArray(value)) this.#ragged(this.#target.shape.length, 'an array');
    throw new ModelwrightError(
      'invalid-data',
      `${this.#target.what} holds ${describe(value)} where a number is expected`,
      {
        given: describe(value),
      },
    );
  }

  #ragged(depth: number, given: string): never {
    const { shape, what } = this.#target;
    throw new ModelwrightError(
      'shape-mismatch',
      `${what} is ragged: its first elements make the shape [${shape}], but at depth ${depth} there is also ${given}`,
      { given, allowed: shape },
    );
  }
}

function describe(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (typeof value === 'string') return `the text '${value.slice(0, 40)}'`;
  if (Array.isArray(value)) return 'an array';
  return typeof value === 'object'
    ? `an object of type ${value.constructor?.name ?? 'Object'}`
    : `${typeof value} ${String(value)}`;
}

import { ModelwrightError } from '../errors.js';
import { allocateData, type DType, isBigInt, isDataOf, isFloat, type TensorDataByDType } from './dtype.js';
import { fromBfloat16Bits, fromFloat16Bits, toBfloat16Bits, toFloat16Bits } from './half-precision.js';

/** Nested arrays of numbers, as users write small tensors. */
export type NestedNumbers = number | bigint | boolean | readonly NestedNumbers[];

/** Named tensors, as runs take and give them. */
export type TensorMap = { readonly [name: string]: Tensor };

/**
 * A dense row-major tensor in host memory. Shape and dtype are fixed; whoever creates it owns `data`.
 *
 * @example
 * const image = new Tensor('float32', [1, 28, 28, 1], new Float32Array(784));
 */
export class Tensor<D extends DType = DType> {
  readonly dtype: D;
  readonly shape: readonly number[];
  readonly data: TensorDataByDType[D];

  /**
   * @param dtype - Element type.
   * @param shape - Extents, each an integer ≥ 0; `[]` is a scalar.
   * @param data - Exactly `∏ shape` elements in row-major order; taken, not copied.
   * @throws {@link ModelwrightError} `shape-mismatch` if the count differs, `dtype-mismatch` if the array type does.
   */
  constructor(dtype: D, shape: readonly number[], data: TensorDataByDType[D]) {
    const expected = elementCountOf(shape);
    if (!isDataOf(dtype, data)) {
      const given = Object.prototype.toString.call(data).slice(8, -1);
      throw new ModelwrightError('dtype-mismatch', `a ${dtype} tensor cannot be stored in ${given}`, { given });
    }
    if (data.length !== expected) {
      throw new ModelwrightError(
        'shape-mismatch',
        `a tensor of shape [${shape}] has ${expected} elements, but ${data.length} values were given`,
        { given: data.length, allowed: expected },
      );
    }
    this.dtype = dtype;
    this.shape = shape;
    this.data = data;
  }

  get rank(): number {
    return this.shape.length;
  }

  get elementCount(): number {
    return elementCountOf(this.shape);
  }
}

/** `∏ shape`; throws `shape-mismatch` on a negative or fractional extent. */
export function elementCountOf(shape: readonly number[]): number {
  let count = 1;
  for (const extent of shape) {
    if (!Number.isInteger(extent) || extent < 0) {
      throw new ModelwrightError('shape-mismatch', `[${shape}] is not a shape: ${extent} is not an integer ≥ 0`, {
        given: shape,
      });
    }
    count *= extent;
  }
  return count;
}

/**
 * Makes a tensor from nested arrays or a flat array-like.
 *
 * @param values - A number, nested arrays, or a flat sequence when `shape` is given.
 * @param options.dtype - Default float32 (bool for booleans, int64 for bigints, string for strings).
 * @param options.shape - Default: read from the nesting.
 * @throws {@link ModelwrightError} `shape-mismatch` for ragged nesting or a wrong count.
 * @example
 * tensor([[1, 2], [3, 4]]); // float32 [2, 2]
 */
export function tensor<D extends DType = DType>(
  values: NestedNumbers | ArrayLike<number> | ArrayLike<bigint> | string | readonly string[],
  options: { readonly dtype?: D; readonly shape?: readonly number[] } = {},
): Tensor<D> {
  const flat: (number | bigint | boolean | string)[] = [];
  const nested = flatten(values as Nested, 0, flat);
  const shape = options.shape ?? nested;
  const dtype = options.dtype ?? (guessDType(flat[0]) as D);
  if (dtype === 'string') return new Tensor(dtype, shape, flat.map(String) as TensorDataByDType[D]);
  if (isBigInt(dtype)) return bigTensor(dtype, shape, flat) as unknown as Tensor<D>;
  return fromNumbers(dtype, shape, flat.map(Number));
}

type Nested = number | bigint | boolean | string | ArrayLike<Nested>;

function bigTensor(
  dtype: 'int64' | 'uint64',
  shape: readonly number[],
  flat: (number | bigint | boolean | string)[],
): Tensor {
  const data = allocateData(dtype, flat.length);
  flat.forEach((value, index) => {
    data[index] = typeof value === 'bigint' ? value : BigInt(Math.trunc(Number(value)));
  });
  return new Tensor(dtype, shape, data);
}

function flatten(values: Nested, depth: number, into: (number | bigint | boolean | string)[]): number[] {
  if (typeof values !== 'object') {
    into.push(values);
    return [];
  }
  let inner: number[] | undefined;
  for (let index = 0; index < values.length; index++) {
    const shape = flatten(values[index] as Nested, depth + 1, into);
    if (
      inner !== undefined &&
      (shape.length !== inner.length || shape.some((extent, axis) => extent !== inner?.[axis]))
    ) {
      throw new ModelwrightError(
        'shape-mismatch',
        `ragged values: element ${index} at depth ${depth} has shape [${shape}], its neighbours [${inner}]`,
      );
    }
    inner = shape;
  }
  return [values.length, ...(inner ?? [])];
}

function guessDType(value: number | bigint | boolean | string | undefined): DType {
  if (typeof value === 'boolean') return 'bool';
  if (typeof value === 'bigint') return 'int64';
  return typeof value === 'string' ? 'string' : 'float32';
}

/** A tensor of `shape` with every element `value`. */
export function fullTensor<D extends DType>(dtype: D, shape: readonly number[], value: number): Tensor<D> {
  const data = allocateData(dtype, elementCountOf(shape));
  if (value !== 0) (data as { fill(value: unknown): unknown }).fill(encodeElement(dtype, value));
  return new Tensor(dtype, shape, data);
}

/** A zero-filled tensor. */
export function zeros<D extends DType>(dtype: D, shape: readonly number[]): Tensor<D> {
  return new Tensor(dtype, shape, allocateData(dtype, elementCountOf(shape)));
}

/**
 * The elements as float64 (int64 beyond 2⁵³ lose their last bits). A copy unless `t` is float64 already.
 *
 * @throws {@link ModelwrightError} `dtype-mismatch` for strings.
 */
export function toNumbers(t: Tensor): Float64Array {
  const { dtype, data } = t;
  if (data instanceof Float64Array) return data;
  if (dtype === 'string') throw new ModelwrightError('dtype-mismatch', 'a string tensor has no numbers');
  const numbers = new Float64Array(data.length);
  if (dtype === 'float16') return fillFrom(numbers, data as Uint16Array, fromFloat16Bits);
  if (dtype === 'bfloat16') return fillFrom(numbers, data as Uint16Array, fromBfloat16Bits);
  if (isBigInt(dtype)) for (let i = 0; i < numbers.length; i++) numbers[i] = Number(data[i]);
  else numbers.set(data as Float32Array);
  return numbers;
}

function fillFrom(target: Float64Array, bits: Uint16Array, decode: (bits: number) => number): Float64Array {
  for (let i = 0; i < target.length; i++) target[i] = decode(bits[i] as number);
  return target;
}

/**
 * A tensor of `dtype` from numbers, converted as ONNX's `Cast` does: floats round to nearest even, integers
 * truncate toward zero and wrap (int4 and uint4 too), bool is `value ≠ 0`.
 */
export function fromNumbers<D extends DType>(dtype: D, shape: readonly number[], values: ArrayLike<number>): Tensor<D> {
  if (dtype === 'float64' && values instanceof Float64Array) {
    return new Tensor(dtype, shape, values as TensorDataByDType[D]);
  }
  const data = allocateData(dtype, values.length) as unknown as unknown[];
  if (dtype === 'float32' || dtype === 'float64') (data as unknown as Float32Array).set(values);
  else for (let i = 0; i < values.length; i++) data[i] = encodeElement(dtype, values[i] as number);
  return new Tensor(dtype, shape, data as unknown as TensorDataByDType[D]);
}

function encodeElement(dtype: DType, value: number): number | bigint | string {
  if (isFloat(dtype)) {
    if (dtype === 'float16') return toFloat16Bits(value);
    return dtype === 'bfloat16' ? toBfloat16Bits(value) : value;
  }
  if (isBigInt(dtype)) return Number.isFinite(value) ? BigInt(Math.trunc(value)) : 0n;
  if (dtype === 'bool') return value !== 0 ? 1 : 0;
  if (dtype === 'int4') return ((Math.trunc(value) & 15) ^ 8) - 8;
  if (dtype === 'uint4') return Math.trunc(value) & 15;
  return dtype === 'string' ? String(value) : Math.trunc(value);
}

/** `t` with its elements converted to `dtype` by the rule of {@link fromNumbers}; `t` itself if nothing changes. */
export function castTensor<D extends DType>(t: Tensor, dtype: D): Tensor<D> {
  if (t.dtype === (dtype as DType)) return t as unknown as Tensor<D>;
  if (isBigInt(t.dtype) && isBigInt(dtype)) {
    const data = allocateData(dtype, t.elementCount);
    (data as BigInt64Array).set(t.data as unknown as BigInt64Array);
    return new Tensor(dtype, t.shape, data) as unknown as Tensor<D>;
  }
  if (t.dtype === 'string') return fromNumbers(dtype, t.shape, (t.data as string[]).map(Number));
  return fromNumbers(dtype, t.shape, toNumbers(t));
}

/** The same data under another shape of equal count; no copy. */
export function reshapeTensor<D extends DType>(t: Tensor<D>, shape: readonly number[]): Tensor<D> {
  return new Tensor(t.dtype, shape, t.data);
}

import { allocateData, type DType, isBigInt, ModelwrightError, Tensor } from '@modelwright/core';
import type { Kernels } from './kernels.js';
import type { DeviceData, DeviceDType, TensorInfo } from './tfjs-core.js';

const smallCount = 64;

/** The element type that stands for `dtype` on the device; undefined where there is none. */
export function deviceDTypeOf(dtype: DType): DeviceDType | undefined {
  return onDevice[dtype];
}

const onDevice: { readonly [D in DType]: DeviceDType | undefined } = {
  float32: 'float32',
  int32: 'int32',
  bool: 'bool',
  // Exact wherever a value is representable; what is not is refused when it is uploaded.
  int64: 'int32',
  int16: 'int32',
  int8: 'int32',
  uint16: 'int32',
  uint8: 'int32',
  int4: 'int32',
  uint4: 'int32',
  uint32: undefined,
  uint64: undefined,
  float64: undefined,
  float16: undefined,
  bfloat16: undefined,
  string: undefined,
};

/**
 * A value while a program runs: on the host, on the device or on both, converted when it is first asked for. Counts its
 * references; the device memory goes with the last one.
 */
export class Held {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly #kernels: Kernels;
  #host: Tensor | undefined;
  #device: TensorInfo | undefined;
  #references = 1;

  constructor(kernels: Kernels, dtype: DType, content: Tensor | TensorInfo) {
    this.#kernels = kernels;
    this.dtype = dtype;
    this.shape = content.shape;
    if (content instanceof Tensor) this.#host = content;
    else this.#device = content;
  }

  /** Its form on the device, owned by this object. */
  device(): TensorInfo {
    if (this.#device === undefined) {
      const tensor = this.#host as Tensor;
      this.#device = this.#upload(tensor);
      // Weights are not kept twice; what is small is read again and again.
      if (tensor.dtype === 'float32' && tensor.elementCount > smallCount) this.#host = undefined;
    }
    return this.#device;
  }

  /** Whether `tensor` is its form on the device. */
  isAt(tensor: TensorInfo): boolean {
    return this.#device === tensor;
  }

  /** Its form on the host; not to be changed. */
  host(): Tensor {
    this.#host ??= toHost(this.#kernels.read(this.#device as TensorInfo), this);
    return this.#host;
  }

  /** Its elements as numbers: shapes, axes and the like. */
  numbers(): number[] {
    return Array.from(this.host().data as ArrayLike<number | bigint>, Number);
  }

  /** A tensor that the caller may keep and change. */
  async take(): Promise<Tensor> {
    if (this.#device !== undefined) return toHost(await this.#kernels.download(this.#device), this);
    const { dtype, shape, data } = this.#host as Tensor;
    return new Tensor(dtype, shape, data.slice() as Tensor['data']);
  }

  retain(): this {
    this.#references++;
    return this;
  }

  release(): void {
    if (--this.#references > 0 || this.#device === undefined) return;
    this.#kernels.release(this.#device);
    this.#device = undefined;
  }

  #upload(tensor: Tensor): TensorInfo {
    const dtype = deviceDTypeOf(tensor.dtype);
    if (dtype === undefined) {
      throw new ModelwrightError('unsupported-dtype', `the kernels of tfjs have no ${tensor.dtype}`, {
        given: tensor.dtype,
        allowed: ['float32', 'int32', 'bool'],
      });
    }
    return this.#kernels.upload(toDevice(tensor, dtype), tensor.shape, dtype);
  }
}

function toDevice({ dtype, data }: Tensor, wanted: DeviceDType): DeviceData {
  if (wanted !== 'int32') return data as Float32Array | Uint8Array;
  if (dtype !== 'int64') return Int32Array.from(data as Int32Array);
  return Int32Array.from(data as unknown as ArrayLike<bigint>, (value) => {
    if (value === BigInt.asIntN(32, value)) return Number(value);
    const message = `${value} does not fit into int32, the widest integer of the kernels of tfjs`;
    throw new ModelwrightError('value-out-of-range', message, { given: value, allowed: '−2³¹ … 2³¹ − 1' });
  });
}

function toHost(data: DeviceData, { dtype, shape }: Held): Tensor {
  if (dtype === 'float32' || dtype === 'int32' || dtype === 'bool') return new Tensor(dtype, shape, data as never);
  const converted = allocateData(dtype, data.length);
  for (let at = 0; at < data.length; at++) {
    const value = data[at] as number;
    (converted as unknown as (number | bigint)[])[at] = isBigInt(dtype) ? BigInt(value) : value;
  }
  return new Tensor(dtype, shape, converted);
}

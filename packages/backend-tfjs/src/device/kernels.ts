import type { DeviceData, DeviceDType, KernelAttributes, KernelInputs, TensorInfo } from './tfjs-core.js';

/** Memory of the device that JavaScript reads and writes in place. */
export interface DeviceMemory {
  /** The elements themselves; only valid until the next tensor is made, since memory may move when it grows. */
  view(tensor: TensorInfo): DeviceData;
  /** A tensor whose elements are yet to be written. */
  allocate(shape: readonly number[], dtype: DeviceDType): TensorInfo;
}

/**
 * The kernels of one tfjs backend. Every tensor that {@link run} or {@link upload} returns is owned by the caller until it is
 * given to {@link release}; two tensors may share memory, which is freed with the last of them.
 */
export interface Kernels {
  /** Name of the tfjs backend: `wasm`, `cpu`, `tensorflow`, … */
  readonly backendName: string;
  /** Runs one kernel by its name. */
  run(name: string, inputs: KernelInputs, attributes?: KernelAttributes): TensorInfo | readonly TensorInfo[];
  /** Copies elements to the device. */
  upload(data: DeviceData, shape: readonly number[], dtype: DeviceDType): TensorInfo;
  /** A copy of the elements, now. */
  read(tensor: TensorInfo): DeviceData;
  /** A copy of the elements, when they have been computed. */
  download(tensor: TensorInfo): Promise<DeviceData>;
  release(tensor: TensorInfo): void;
  /** Runs `task`, which does not wait, with this backend as the one that tfjs's own functions would use. */
  within<T>(task: () => T): T;
  /** The memory behind tensors, where it can be reached. */
  readonly memory?: DeviceMemory;
  /** How many tensors the backend holds, those of others included. */
  tensorCount(): number;
}

/** Elements in the array that core's tensors of this dtype have: a cast of the plain backend may leave another one. */
export function toDeviceData(values: ArrayLike<number>, dtype: string): DeviceData {
  if (dtype === 'float32') return values instanceof Float32Array ? values : Float32Array.from(values);
  if (dtype === 'int32') return values instanceof Int32Array ? values : Int32Array.from(values);
  return values instanceof Uint8Array ? values : Uint8Array.from(values);
}

import type { DeviceData, DeviceDType, KernelAttributes, KernelInputs, TensorInfo } from './tfjs-core.js';

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
  /** How many tensors the backend holds, those of others included. */
  tensorCount(): number;
}

/** Elements in the array that core's tensors of this dtype have. */
export function toDeviceData(values: ArrayLike<number>, dtype: string): DeviceData {
  if (values instanceof Float32Array || values instanceof Int32Array || values instanceof Uint8Array) return values;
  if (dtype === 'float32') return Float32Array.from(values);
  return dtype === 'int32' ? Int32Array.from(values) : Uint8Array.from(values);
}

import { ModelwrightError } from '@modelwright/core';
import type { KernelBackend, KernelConfig } from '@tensorflow/tfjs-core';
import { type DeviceMemory, type Kernels, toDeviceData } from './kernels.js';
import type { DeviceData, DeviceDType, KernelAttributes, KernelInputs, TensorInfo, TfjsCore } from './tfjs-core.js';

/**
 * Calls the kernel functions of a tfjs backend itself. Nothing passes through tfjs's engine: no scopes, no gradient tape, no
 * active backend, and a call costs little. Works for backends whose kernels keep to themselves, as `cpu` and `wasm` do.
 */
export class DirectKernels implements Kernels {
  readonly backendName: string;
  readonly memory: DeviceMemory;
  readonly #core: TfjsCore;
  readonly #backend: KernelBackend;
  readonly #functions = new Map<string, KernelConfig['kernelFunc']>();

  constructor(core: TfjsCore, backendName: string, backend: KernelBackend) {
    this.#core = core;
    this.backendName = backendName;
    this.#backend = backend;
    this.memory = backendName === 'wasm' ? wasmMemory(backend as unknown as WasmMemory) : plainMemory(backend);
  }

  run(name: string, inputs: KernelInputs, attributes: KernelAttributes = {}): TensorInfo | readonly TensorInfo[] {
    const kernel = this.#functions.get(name) ?? this.#find(name);
    return kernel({ inputs: inputs as never, attrs: attributes as never, backend: this.#backend });
  }

  upload(data: DeviceData, shape: readonly number[], dtype: DeviceDType): TensorInfo {
    // The plain backend keeps the array it is given, which the caller may change later.
    const values = this.backendName === 'wasm' ? data : data.slice();
    return { dataId: this.#backend.write(values, [...shape], dtype), shape: [...shape], dtype };
  }

  read(tensor: TensorInfo): DeviceData {
    const values = toDeviceData(this.#backend.readSync(tensor.dataId) as DeviceData, tensor.dtype);
    return this.backendName === 'wasm' ? values : values.slice();
  }

  async download(tensor: TensorInfo): Promise<DeviceData> {
    return this.read(tensor);
  }

  release(tensor: TensorInfo): void {
    this.#backend.disposeData(tensor.dataId);
  }

  within<T>(task: () => T): T {
    return task();
  }

  tensorCount(): number {
    return this.#backend.numDataIds();
  }

  #find(name: string): KernelConfig['kernelFunc'] {
    const config = this.#core.getKernel(name, this.backendName);
    if (config === undefined) {
      throw new ModelwrightError('backend-failure', `the backend '${this.backendName}' has no kernel '${name}'`, {
        given: name,
        hint: `import all kernels of '${this.backendName}'`,
      });
    }
    this.#functions.set(name, config.kernelFunc);
    return config.kernelFunc;
  }
}

/** What tfjs's wasm backend offers besides its kernels. */
interface WasmMemory {
  typedArrayFromHeap(tensor: TensorInfo): DeviceData;
  makeOutput(shape: number[], dtype: string): TensorInfo;
}

function wasmMemory(backend: WasmMemory): DeviceMemory {
  return {
    view: (tensor) => backend.typedArrayFromHeap(tensor),
    allocate: (shape, dtype) => backend.makeOutput([...shape], dtype),
  };
}

function plainMemory(backend: KernelBackend): DeviceMemory {
  return {
    view: (tensor) => toDeviceData(heldBy(backend, tensor), tensor.dtype),
    allocate: (shape, dtype) => {
      const count = shape.reduce((product, extent) => product * extent, 1);
      const data =
        dtype === 'float32'
          ? new Float32Array(count)
          : dtype === 'int32'
            ? new Int32Array(count)
            : new Uint8Array(count);
      return { dataId: backend.write(data, [...shape], dtype), shape: [...shape], dtype };
    },
  };
}

/** The backend's own array; reading booleans would copy them. */
function heldBy(backend: KernelBackend, { dataId }: TensorInfo): ArrayLike<number> {
  const { data } = backend as unknown as { readonly data: { get(id: object): { readonly values: ArrayLike<number> } } };
  return data.get(dataId).values;
}

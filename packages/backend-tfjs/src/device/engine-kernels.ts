import type { Tensor } from '@tensorflow/tfjs-core';
import { type Kernels, toDeviceData } from './kernels.js';
import type { DeviceData, DeviceDType, KernelAttributes, KernelInputs, TensorInfo, TfjsCore } from './tfjs-core.js';

/**
 * Runs kernels through tfjs's engine, for backends whose kernels call it themselves (`tensorflow`, `webgl`, `webgpu`). The engine
 * has one active backend; it is switched for the time of a run and then restored.
 */
export class EngineKernels implements Kernels {
  readonly backendName: string;
  readonly #core: TfjsCore;

  constructor(core: TfjsCore, backendName: string) {
    this.#core = core;
    this.backendName = backendName;
  }

  run(name: string, inputs: KernelInputs, attributes: KernelAttributes = {}): TensorInfo | readonly TensorInfo[] {
    return this.#core.engine().runKernel(name, inputs as never, attributes as never) as Tensor | Tensor[];
  }

  upload(data: DeviceData, shape: readonly number[], dtype: DeviceDType): TensorInfo {
    return this.#core.engine().makeTensor(data.slice(), [...shape], dtype);
  }

  read(tensor: TensorInfo): DeviceData {
    return toDeviceData((tensor as Tensor).dataSync(), tensor.dtype).slice();
  }

  async download(tensor: TensorInfo): Promise<DeviceData> {
    return toDeviceData(await (tensor as Tensor).data(), tensor.dtype).slice();
  }

  release(tensor: TensorInfo): void {
    (tensor as Tensor).dispose();
  }

  within<T>(task: () => T): T {
    const active = this.#core.getBackend();
    if (active === this.backendName) return task();
    // For a backend that is up, the switch is done before the first await inside.
    void this.#core.setBackend(this.backendName);
    try {
      return task();
    } finally {
      if (active) void this.#core.setBackend(active);
    }
  }

  tensorCount(): number {
    return this.#core.engine().memory().numTensors;
  }
}

import { ModelwrightError, type Tensor } from '@modelwright/core';
import { Held } from '../device/held.js';
import type { Kernels } from '../device/kernels.js';
import type { DeviceDType, KernelAttributes, KernelInputs, TensorInfo } from '../device/tfjs-core.js';
import type { ScopeMemory, StepScope } from '../lowering/lowering.js';

/** Scalars on the device, kept as long as the backend. */
export class ScalarCache {
  readonly #kernels: Kernels;
  readonly #tensors = new Map<string, TensorInfo>();

  constructor(kernels: Kernels) {
    this.#kernels = kernels;
  }

  get(value: number, dtype: DeviceDType): TensorInfo {
    const key = `${dtype}:${Object.is(value, -0) ? '-0' : value}`;
    let tensor = this.#tensors.get(key);
    if (tensor === undefined) {
      const data =
        dtype === 'float32' ? Float32Array.of(value) : dtype === 'int32' ? Int32Array.of(value) : Uint8Array.of(value);
      tensor = this.#kernels.upload(data, [], dtype);
      this.#tensors.set(key, tensor);
    }
    return tensor;
  }

  dispose(): void {
    for (const tensor of this.#tensors.values()) this.#kernels.release(tensor);
    this.#tensors.clear();
  }
}

/** Tensors made while one node runs; all but the results go at its end. */
export class NodeScope implements StepScope {
  readonly inputs: readonly (Held | undefined)[];
  readonly #kernels: Kernels;
  readonly #scalars: ScalarCache;
  readonly #made = new Set<TensorInfo>();

  constructor(kernels: Kernels, scalars: ScalarCache, inputs: readonly (Held | undefined)[]) {
    this.#kernels = kernels;
    this.#scalars = scalars;
    this.inputs = inputs;
  }

  get backendName(): string {
    return this.#kernels.backendName;
  }

  get memory(): ScopeMemory | undefined {
    const { memory } = this.#kernels;
    if (memory === undefined) return undefined;
    return {
      view: (tensor) => memory.view(tensor),
      allocate: (shape, dtype = 'float32') => {
        const tensor = memory.allocate(shape, dtype);
        this.#made.add(tensor);
        return tensor;
      },
    };
  }

  held(index: number): Held {
    const input = this.inputs[index];
    if (input !== undefined) return input;
    throw new ModelwrightError('invalid-graph', `input ${index} is missing`);
  }

  device(index: number): TensorInfo {
    return this.held(index).device();
  }

  run(kernel: string, inputs: KernelInputs, attributes?: KernelAttributes): TensorInfo {
    return this.runAll(kernel, inputs, attributes)[0] as TensorInfo;
  }

  runAll(kernel: string, inputs: KernelInputs, attributes?: KernelAttributes): readonly TensorInfo[] {
    const made = this.#kernels.run(kernel, inputs, attributes);
    const list = (Array.isArray(made) ? made : [made]) as readonly TensorInfo[];
    for (const tensor of list) this.#made.add(tensor);
    return list;
  }

  reshape(tensor: TensorInfo, shape: readonly number[]): TensorInfo {
    const isSame = tensor.shape.length === shape.length && tensor.shape.every((extent, axis) => extent === shape[axis]);
    return isSame ? tensor : this.run('Reshape', { x: tensor }, { shape: [...shape] });
  }

  scalar(value: number, dtype: DeviceDType = 'float32'): TensorInfo {
    return this.#scalars.get(value, dtype);
  }

  free(tensor: TensorInfo): void {
    if (this.#made.delete(tensor)) this.#kernels.release(tensor);
  }

  upload(tensor: Tensor): TensorInfo {
    const held = new Held(this.#kernels, tensor.dtype, tensor);
    const uploaded = held.device();
    this.#made.add(uploaded);
    return uploaded;
  }

  /** Spares a result from {@link end}. */
  keep(tensor: TensorInfo): void {
    this.#made.delete(tensor);
  }

  end(): void {
    for (const tensor of this.#made) this.#kernels.release(tensor);
    this.#made.clear();
  }
}

import { type DType, dtypeOfOnnx, dtypes, type Shape, type Tensor } from '@modelwright/core';
import { isElementType } from '../engine/element-type.js';
import { applyOptions, type NativeRuntime } from '../engine/native/native-engine.js';
import { NativeValue } from '../engine/native/native-value.js';
import type { OrtApi } from '../engine/native/ort-api.js';
import { readTypeAndShape, readValue } from '../engine/native/read-value.js';
import { readMetadata } from '../engine/native/session-metadata.js';
import { ThreadSlots } from '../engine/native/thread-slots.js';
import type {
  Accelerator,
  AcceleratorSession,
  AcceleratorSessionOptions,
  DeviceTensor,
  Placed,
} from './accelerator.js';
import { copyModel } from './copy-model.js';

/** An execution provider with memory of its own. */
export interface NativeProvider {
  readonly device: string;
  /** How the runtime calls the provider's memory, e.g. `Cuda`. */
  readonly memoryName: string;
  readonly deviceId: number;
  /** Adds the provider to session options. */
  append(api: OrtApi, settings: bigint): void;
}

/** `OrtDeviceAllocator` with `OrtMemTypeDefault`. */
const deviceMemory = [0, 0] as const;

/** ONNX Runtime's C API with IO binding: outputs that a provider made stay in its memory and are inputs of the next run. */
export class NativeAccelerator implements Accelerator {
  readonly device: string;
  readonly version: string;
  readonly keepsTensors = true;
  readonly types: ReadonlySet<DType> = new Set(dtypes.filter(isElementType));
  readonly #runtime: NativeRuntime;
  readonly #provider: NativeProvider;
  readonly #memory: bigint;
  readonly #threads = new ThreadSlots();
  /** Sessions of one `Identity` by direction, element type and rank. */
  readonly #copiers = new Map<string, Promise<AcceleratorSession>>();

  constructor(runtime: NativeRuntime, provider: NativeProvider) {
    this.#runtime = runtime;
    this.#provider = provider;
    this.device = provider.device;
    this.version = runtime.api.version;
    const [allocator, kind] = deviceMemory;
    this.#memory = runtime.api.pointer('CreateMemoryInfo', provider.memoryName, allocator, provider.deviceId, kind);
  }

  canHold({ dtype, shape }: { readonly dtype: DType; readonly shape: Shape }): boolean {
    return isElementType(dtype) && dtype !== 'string' && shape.every((extent) => extent !== 0);
  }

  async createSession(model: Uint8Array, options: AcceleratorSessionOptions): Promise<AcceleratorSession> {
    const { api } = this.#runtime;
    const handle = await this.#load(model, options);
    const inputs = readMetadata(api, handle, 'input');
    const outputs = readMetadata(api, handle, 'output').map(({ name }) => name);
    return {
      inputNames: inputs.map(({ name }) => name),
      run: (feeds) => this.#run(handle, feeds, { outputs, onDevice: options.onDevice }),
      dispose: () => api.releaseAsync('ReleaseSession', handle),
    };
  }

  async upload(tensor: Tensor): Promise<DeviceTensor> {
    const copier = await this.#copier('up', tensor);
    return (await copier.run(new Map([['x', tensor]]))).get('y') as DeviceTensor;
  }

  async download(tensor: DeviceTensor): Promise<Tensor> {
    const copier = await this.#copier('down', tensor);
    return (await copier.run(new Map([['x', tensor]]))).get('y') as Tensor;
  }

  async dispose(): Promise<void> {
    const copiers = await Promise.allSettled(this.#copiers.values());
    this.#copiers.clear();
    for (const copier of copiers) if (copier.status === 'fulfilled') await copier.value.dispose();
    this.#runtime.api.functions.ReleaseMemoryInfo(this.#memory);
  }

  async #load(model: Uint8Array, { session }: AcceleratorSessionOptions): Promise<bigint> {
    const { api, environment } = this.#runtime;
    const settings = api.pointer('CreateSessionOptions');
    try {
      applyOptions(api, settings, session);
      this.#provider.append(api, settings);
      const result = new BigUint64Array(1);
      const [start, out] = [api.address(model), api.address(result)];
      await this.#threads.use(() =>
        api.callAsync('CreateSessionFromArray', environment, start, model.byteLength, settings, out),
      );
      api.hold(model);
      return result[0] as bigint;
    } finally {
      api.functions.ReleaseSessionOptions(settings);
    }
  }

  async #run(
    session: bigint,
    feeds: ReadonlyMap<string, Placed>,
    { outputs, onDevice }: { readonly outputs: readonly string[]; readonly onDevice: ReadonlySet<string> },
  ): Promise<ReadonlyMap<string, Placed>> {
    const { api, memoryInfo } = this.#runtime;
    const binding = api.pointer('CreateIoBinding', session);
    const temporary: NativeValue[] = [];
    try {
      for (const [name, value] of feeds) api.call('BindInput', binding, name, this.#handleOf(value, temporary));
      for (const name of outputs)
        api.call('BindOutputToDevice', binding, name, onDevice.has(name) ? this.#memory : memoryInfo);
      await this.#threads.use(() => api.callAsync('RunWithBinding', session, null, binding));
      api.call('SynchronizeBoundOutputs', binding);
      const handles = boundOutputs(api, binding);
      return new Map(outputs.map((name, index) => [name, this.#placed(handles[index] as bigint, onDevice.has(name))]));
    } finally {
      api.functions.ReleaseIoBinding(binding);
      for (const value of temporary) value.dispose();
    }
  }

  #handleOf(value: Placed, temporary: NativeValue[]): bigint {
    if (value instanceof NativeDeviceTensor) return value.handle;
    const wrapped = new NativeValue(this.#runtime.api, this.#runtime.memoryInfo, value as Tensor);
    temporary.push(wrapped);
    return wrapped.handle;
  }

  #placed(handle: bigint, staysOnDevice: boolean): Placed {
    const { api } = this.#runtime;
    if (staysOnDevice) return new NativeDeviceTensor(api, handle);
    try {
      return readValue(api, handle);
    } finally {
      api.functions.ReleaseValue(handle);
    }
  }

  #copier(direction: 'up' | 'down', tensor: { dtype: DType; shape: readonly number[] }): Promise<AcceleratorSession> {
    const { dtype, shape } = tensor;
    const key = `${direction} ${dtype} ${shape.length}`;
    let copier = this.#copiers.get(key);
    if (copier === undefined) {
      const onDevice = new Set(direction === 'up' ? ['y'] : []);
      copier = this.createSession(copyModel(dtype, shape.length), { onDevice, cpuNodes: [], session: {} });
      this.#copiers.set(key, copier);
    }
    return copier;
  }
}

/** An `OrtValue` in a provider's memory. */
class NativeDeviceTensor implements DeviceTensor {
  readonly location = 'device';
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly handle: bigint;
  readonly #api: OrtApi;
  #isDisposed = false;

  constructor(api: OrtApi, handle: bigint) {
    this.#api = api;
    this.handle = handle;
    const { dtype, dims } = readTypeOf(api, handle);
    this.dtype = dtype;
    this.shape = dims;
  }

  dispose(): void {
    if (this.#isDisposed) return;
    this.#isDisposed = true;
    this.#api.functions.ReleaseValue(this.handle);
  }
}

function readTypeOf(api: OrtApi, value: bigint): { dtype: DType; dims: readonly number[] } {
  const info = api.pointer('GetTensorTypeAndShape', value);
  try {
    const { code, dims } = readTypeAndShape(api, info);
    return { dtype: dtypeOfOnnx(code), dims };
  } finally {
    api.functions.ReleaseTensorTypeAndShapeInfo(info);
  }
}

/** The values a run made, in the order of binding; each is the caller's to release. */
function boundOutputs(api: OrtApi, binding: bigint): readonly bigint[] {
  const allocator = api.pointer('GetAllocatorWithDefaultOptions');
  const results = new BigUint64Array(2);
  const start = api.address(results);
  api.call('GetBoundOutputValues', binding, allocator, start, start + 8n);
  const [list, count] = results as unknown as [bigint, bigint];
  const handles = [...new BigUint64Array(api.copy(list, 8 * Number(count)))];
  api.call('AllocatorFree', allocator, list);
  api.hold(results);
  return handles;
}

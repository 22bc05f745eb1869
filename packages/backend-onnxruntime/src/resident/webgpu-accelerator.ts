import {
  type DType,
  dtypes,
  fromNumbers,
  GraphBuilder,
  type Tensor as HostTensor,
  Tensor,
  type TensorData,
} from '@modelwright/core';
import { writeOnnx } from '@modelwright/onnx';
import { isBindingType } from '../engine/element-type.js';
import type { SessionOptions } from '../engine/engine.js';
import { toRuntimeError } from '../engine/runtime-error.js';
import type {
  Accelerator,
  AcceleratorSession,
  AcceleratorSessionOptions,
  DeviceTensor,
  Placed,
} from './accelerator.js';
import { copyModel } from './copy-model.js';
import { type ApiSession, type ApiTensor, bufferTypes, type JavaScriptApi } from './javascript-api.js';

/** Options of {@link WebGpuAccelerator}. */
export interface WebGpuOptions {
  /** Whether ops without a kernel on the GPU may run on the CPU, with copies in between. */
  readonly cpuFallback: boolean;
}

/** ONNX Runtime's WebGPU provider behind its JS API, in Node or a browser. */
export class WebGpuAccelerator implements Accelerator {
  readonly device = 'webgpu';
  readonly version: string;
  readonly keepsTensors = true;
  readonly types: ReadonlySet<DType>;
  /** Whether the GPU computes in float16. */
  readonly hasHalves: boolean;
  readonly #api: JavaScriptApi;
  readonly #options: WebGpuOptions;
  /** Sessions of one `Identity` by direction, element type and rank: how tensors get onto the GPU and back in every engine. */
  readonly #copiers = new Map<string, Promise<Copier>>();

  private constructor(api: JavaScriptApi, options: WebGpuOptions, hasHalves: boolean) {
    this.#api = api;
    this.#options = options;
    this.hasHalves = hasHalves;
    this.types = new Set(dtypes.filter((dtype) => isBindingType(dtype) && (options.cpuFallback || !lacks.has(dtype))));
    const { node, web, common } = api.env.versions ?? {};
    this.version = node ?? web ?? common ?? 'unknown';
  }

  /** Opens the GPU, and finds out whether it computes in float16. */
  static async open(api: JavaScriptApi, options: WebGpuOptions): Promise<WebGpuAccelerator> {
    const trial = new WebGpuAccelerator(api, options, true);
    const hasHalves = await computesHalves(trial);
    await trial.dispose();
    return new WebGpuAccelerator(api, options, hasHalves);
  }

  canHold({ dtype, shape }: Parameters<Accelerator['canHold']>[0]): boolean {
    if (dtype === 'float16' && !this.hasHalves) return false;
    return bufferTypes.has(dtype) && shape.every((extent) => extent !== 0);
  }

  async createSession(model: Uint8Array, options: AcceleratorSessionOptions): Promise<AcceleratorSession> {
    const created = await this.#create(model, options);
    const lease = new SessionLease(created);
    return {
      inputNames: created.inputNames,
      run: async (feeds) => {
        const given = Object.fromEntries([...feeds].map(([name, value]) => [name, this.#toApi(value)]));
        // All outputs are fetched: leaving out some of those bound to the GPU is refused.
        const results = await created.run(given, created.outputNames, quiet).catch(rethrow);
        return new Map(created.outputNames.map((name) => [name, toPlaced(results[name] as ApiTensor, lease)]));
      },
      dispose: () => lease.end(),
    };
  }

  async upload(tensor: HostTensor): Promise<DeviceTensor> {
    const copier = await this.#copier('up', tensor);
    const { y } = await copier.session.run({ x: this.#toApi(tensor) }).catch(rethrow);
    return toPlaced(y as ApiTensor, copier.lease) as DeviceTensor;
  }

  async download(tensor: DeviceTensor): Promise<HostTensor> {
    // Reading a GPU tensor by itself ends the process in Node.
    const copier = await this.#copier('down', tensor);
    const { y } = await copier.session.run({ x: this.#toApi(tensor) }).catch(rethrow);
    return toPlaced(y as ApiTensor, copier.lease) as HostTensor;
  }

  async dispose(): Promise<void> {
    const copiers = await Promise.allSettled(this.#copiers.values());
    this.#copiers.clear();
    for (const copier of copiers) if (copier.status === 'fulfilled') await copier.value.lease.end();
  }

  #create(model: Uint8Array, { onDevice, cpuNodes, session }: AcceleratorSessionOptions): Promise<ApiSession> {
    const locations = Object.fromEntries([...onDevice].map((name) => [name, 'gpu-buffer']));
    return this.#api.InferenceSession.create(model, {
      ...toApiOptions(session, this.#options),
      executionProviders: [{ name: 'webgpu', ...(cpuNodes.length === 0 ? {} : { forceCpuNodeNames: cpuNodes }) }],
      ...(onDevice.size === 0 ? {} : { preferredOutputLocation: locations }),
    }).catch(rethrow);
  }

  #copier(direction: 'up' | 'down', { dtype, shape }: { dtype: DType; shape: readonly number[] }): Promise<Copier> {
    const key = `${direction} ${dtype} ${shape.length}`;
    let copier = this.#copiers.get(key);
    if (copier === undefined) {
      const onDevice = new Set(direction === 'up' ? ['y'] : []);
      const created = this.#create(copyModel(dtype, shape.length), { onDevice, cpuNodes: [], session: {} });
      copier = created.then((session) => ({ session, lease: new SessionLease(session) }));
      this.#copiers.set(key, copier);
    }
    return copier;
  }

  #toApi(value: Placed): ApiTensor {
    if (value instanceof WebGpuTensor) return value.held;
    const { dtype, shape, data } = value as HostTensor;
    return new this.#api.Tensor(dtype, data, shape);
  }
}

/** What fails is thrown; it need not be logged, too. */
const quiet = { logSeverityLevel: 4 };

/** What no GPU takes; the CPU then computes it. */
const lacks: ReadonlySet<DType> = new Set(['float64']);

async function computesHalves(accelerator: WebGpuAccelerator): Promise<boolean> {
  const builder = new GraphBuilder('float16');
  const x = builder.input('x', 'float16', [1]);
  builder.output('y', builder.op('Mul', [x, x]));
  const { bytes } = writeOnnx(builder.build(), { valueInfo: false, trainingMetadata: false });
  // Whether there is a GPU at all is not asked here.
  const session = await accelerator.createSession(bytes, { onDevice: new Set(), cpuNodes: [], session: {} });
  try {
    await session.run(new Map([['x', fromNumbers('float16', [1], [2])]]));
    return true;
  } catch {
    return false;
  } finally {
    await session.dispose();
  }
}

interface Copier {
  readonly session: ApiSession;
  readonly lease: SessionLease;
}

/**
 * A session until it and all tensors it left on the GPU are done with. The provider frees a tensor through the session
 * that made it: a tensor that outlives its session takes the process down when it is freed.
 */
class SessionLease {
  readonly #session: ApiSession;
  #tensors = 0;
  #hasEnded = false;

  constructor(session: ApiSession) {
    this.#session = session;
  }

  take(): void {
    this.#tensors += 1;
  }

  giveBack(): void {
    this.#tensors -= 1;
    if (this.#hasEnded && this.#tensors === 0) void this.#session.release();
  }

  /** Releases the session now, or with the last of its tensors. */
  async end(): Promise<void> {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    if (this.#tensors === 0) await this.#session.release();
  }
}

class WebGpuTensor implements DeviceTensor {
  readonly location = 'device';
  readonly held: ApiTensor;
  readonly #lease: SessionLease;
  #isDisposed = false;

  constructor(held: ApiTensor, lease: SessionLease) {
    this.held = held;
    this.#lease = lease;
    lease.take();
  }

  get dtype(): DType {
    return this.held.type as DType;
  }

  get shape(): readonly number[] {
    return this.held.dims;
  }

  dispose(): void {
    if (this.#isDisposed) return;
    this.#isDisposed = true;
    this.held.dispose();
    this.#lease.giveBack();
  }
}

function toPlaced(tensor: ApiTensor, lease: SessionLease): Placed {
  if (tensor.location === 'gpu-buffer') return new WebGpuTensor(tensor, lease);
  return new Tensor(tensor.type as DType, tensor.dims, tensor.data as TensorData);
}

function toApiOptions(options: SessionOptions, { cpuFallback }: WebGpuOptions): Readonly<Record<string, unknown>> {
  return {
    logSeverityLevel: 4,
    graphOptimizationLevel: options.optimizationLevel ?? 'all',
    extra: toExtra({ ...(cpuFallback ? {} : { 'session.disable_cpu_ep_fallback': '1' }), ...options.configuration }),
  };
}

/** `{ 'a.b': v }` as `{ a: { b: v } }`: the API joins nested names with dots. */
function toExtra(configuration: Readonly<Record<string, string>>): object {
  const extra: { [name: string]: unknown } = {};
  for (const [key, value] of Object.entries(configuration)) {
    const path = key.split('.');
    const last = path.pop() as string;
    let target = extra;
    for (const part of path) {
      target[part] ??= {};
      target = target[part] as { [name: string]: unknown };
    }
    target[last] = value;
  }
  return extra;
}

function rethrow(error: unknown): never {
  throw toRuntimeError(error instanceof Error ? error.message : String(error));
}

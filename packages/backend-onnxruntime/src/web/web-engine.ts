import { type DType, ModelwrightError, RunQueue, Tensor, type TensorData } from '@modelwright/core';
import { checkMemory, type ElementType, isBindingType } from '../engine/element-type.js';
import type {
  Engine,
  EngineRunOptions,
  EngineValue,
  RunPlan,
  Session,
  SessionOptions,
  ValueMetadata,
} from '../engine/engine.js';
import { toRuntimeError } from '../engine/runtime-error.js';
import type { ApiMetadata, ApiSession, ApiTensor, JavaScriptApi } from '../resident/javascript-api.js';

/**
 * ONNX Runtime compiled to WebAssembly. It copies inputs into its own memory and outputs out of it, and writes into nothing of the
 * caller's; what it returns is therefore copied to where an output is wanted.
 */
export class WebEngine implements Engine {
  readonly kind = 'web';
  readonly version: string;
  readonly #api: JavaScriptApi;
  /** The runtime's functions share one WebAssembly stack, so sessions take turns. */
  readonly #turns = new RunQueue();
  readonly #sessions = new Set<Session>();

  constructor(api: JavaScriptApi) {
    this.#api = api;
    this.version = api.env.versions?.web ?? api.env.versions?.common ?? 'unknown';
  }

  createValue(tensor: Tensor): EngineValue {
    if (!isBindingType(tensor.dtype))
      throw new ModelwrightError('unsupported-dtype', `onnxruntime-web cannot carry ${tensor.dtype} tensors.`);
    return new WebValue(this.#api, tensor);
  }

  async createSession(model: Uint8Array | string, options: SessionOptions = {}): Promise<Session> {
    if (typeof model === 'string')
      throw new ModelwrightError('invalid-argument', 'onnxruntime-web takes the bytes of a model, not a path.');
    const created = await this.#turns
      .add(() => this.#api.InferenceSession.create(model, toWebOptions(options)))
      .catch(rethrow);
    const session: Session = new WebSession(created, this.#turns, () => this.#sessions.delete(session));
    this.#sessions.add(session);
    return session;
  }

  async dispose(): Promise<void> {
    await Promise.all([...this.#sessions].map((session) => session.dispose()));
  }
}

class WebValue implements EngineValue {
  readonly tensor: Tensor;
  readonly wrapped: ApiTensor;

  constructor(api: JavaScriptApi, tensor: Tensor) {
    this.tensor = tensor;
    const data = tensor.dtype === 'string' ? (tensor.data as readonly string[]) : checkMemory(tensor);
    this.wrapped = new api.Tensor(tensor.dtype, data, tensor.shape);
  }

  dispose(): void {
    // The runtime holds no handle between runs.
  }
}

class WebSession implements Session {
  readonly inputs: readonly ValueMetadata[];
  readonly outputs: readonly ValueMetadata[];
  readonly #session: ApiSession;
  readonly #turns: RunQueue;
  readonly #onClosed: () => void;
  #closing: Promise<void> | undefined;

  constructor(session: ApiSession, turns: RunQueue, onClosed: () => void) {
    this.#session = session;
    this.#turns = turns;
    this.#onClosed = onClosed;
    this.inputs = session.inputMetadata.map(toMetadata);
    this.outputs = session.outputMetadata.map(toMetadata);
  }

  plan(inputNames: readonly string[], outputNames: readonly string[]): RunPlan {
    requireNames('input', inputNames, this.inputs);
    requireNames('output', outputNames, this.outputs);
    return {
      run: async (inputs, outputs, options = {}) => {
        if (this.#closing !== undefined) throw new ModelwrightError('resource-disposed', 'This session was disposed.');
        return this.#turns.add(() => this.#run({ inputNames, outputNames }, [inputs, outputs], options));
      },
    };
  }

  dispose(): Promise<void> {
    this.#closing ??= this.#turns.add(async () => {
      await this.#session.release();
      this.#onClosed();
    });
    return this.#closing;
  }

  async #run(
    names: { readonly inputNames: readonly string[]; readonly outputNames: readonly string[] },
    [inputs, outputs]: readonly [readonly EngineValue[], readonly (EngineValue | null)[]],
    { signal }: EngineRunOptions,
  ): Promise<Tensor[]> {
    if (signal?.aborted) throw new ModelwrightError('aborted', 'The run was aborted before it began.');
    const feeds = Object.fromEntries(names.inputNames.map((name, index) => [name, wrappedOf(inputs[index])]));
    const results = await this.#session.run(feeds, names.outputNames).catch(rethrow);
    return names.outputNames.map((name, index) => deliver(results[name] as ApiTensor, outputs[index]));
  }
}

/** Puts a result where the caller wants it. */
function deliver(result: ApiTensor, wanted: EngineValue | null | undefined): Tensor {
  const tensor = new Tensor(result.type as DType, result.dims, result.data as TensorData);
  if (wanted === null || wanted === undefined) return tensor;
  if (wanted.tensor.data.length !== tensor.data.length)
    throw new ModelwrightError(
      'shape-mismatch',
      `An output has shape [${tensor.shape}], memory of shape [${wanted.tensor.shape}] was given.`,
    );
  (wanted.tensor.data as Float32Array).set(tensor.data as Float32Array);
  return wanted.tensor;
}

function wrappedOf(value: EngineValue | undefined): ApiTensor {
  if (value instanceof WebValue) return value.wrapped;
  throw new ModelwrightError('invalid-argument', 'A value of another engine was given to onnxruntime-web.');
}

function toMetadata({ name, type, shape }: ApiMetadata): ValueMetadata {
  if (type !== undefined && isBindingType(type as DType))
    return { name, dtype: type as ElementType, shape: shape ?? [] };
  throw new ModelwrightError('unsupported-dtype', `'${name}' of the model has a type onnxruntime-web cannot carry.`, {
    given: type,
  });
}

function requireNames(side: string, names: readonly string[], known: readonly ValueMetadata[]): void {
  for (const name of names)
    if (!known.some((one) => one.name === name))
      throw new ModelwrightError('invalid-argument', `The model has no ${side} '${name}'.`, {
        given: name,
        allowed: known.map((one) => one.name),
      });
}

function toWebOptions(options: SessionOptions): Readonly<Record<string, unknown>> {
  return {
    executionProviders: ['wasm'],
    logSeverityLevel: 4,
    graphOptimizationLevel: options.optimizationLevel ?? 'all',
    ...(options.memoryArena === undefined ? {} : { enableCpuMemArena: options.memoryArena }),
    ...(options.memoryPattern === undefined ? {} : { enableMemPattern: options.memoryPattern }),
    ...(options.configuration === undefined ? {} : { extra: options.configuration }),
  };
}

function rethrow(error: unknown): never {
  throw toRuntimeError(error instanceof Error ? error.message : String(error));
}

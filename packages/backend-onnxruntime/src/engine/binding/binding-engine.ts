import type { Tensor } from '@modelwright/core';
import type { Engine, EngineValue, Session, SessionOptions } from '../engine.js';
import { toRuntimeError } from '../runtime-error.js';
import { type BindingApi, importBinding } from './binding-api.js';
import { BindingSession, BindingValue } from './binding-session.js';
import { openWorkerBinding } from './worker-binding.js';

/** Options of {@link createBindingEngine}. */
export interface BindingEngineOptions {
  /** Runs in a thread of its own, which leaves the event loop free and copies inputs and outputs. Default false. */
  readonly worker?: boolean;
  /** The execution provider that comes before the CPU's, as the API takes it. */
  readonly provider?: { readonly name: string; readonly deviceId?: number };
}

/**
 * Reaches ONNX Runtime through the stock JS API of `onnxruntime-node`. Its `run` blocks the event loop and copies each output once
 * more than needed; use it where koffi cannot be loaded.
 *
 * @throws ModelwrightError `backend-unavailable` when `onnxruntime-node` is not installed.
 */
export async function createBindingEngine(options: BindingEngineOptions = {}): Promise<Engine> {
  if (!options.worker) return new BindingEngine(await importBinding(), options.provider);
  const remote = await openWorkerBinding();
  return new BindingEngine(remote, options.provider, () => remote.close());
}

class BindingEngine implements Engine {
  readonly kind = 'binding';
  readonly version: string;
  readonly #api: BindingApi;
  readonly #provider: BindingEngineOptions['provider'];
  readonly #close: (() => Promise<void>) | undefined;
  readonly #sessions = new Set<Session>();

  constructor(api: BindingApi, provider: BindingEngineOptions['provider'], close?: () => Promise<void>) {
    this.#api = api;
    this.#provider = provider;
    this.#close = close;
    this.version = api.env.versions?.node ?? api.env.versions?.common ?? 'unknown';
  }

  createValue(tensor: Tensor): EngineValue {
    return new BindingValue(this.#api, tensor);
  }

  async createSession(model: Uint8Array | string, options: SessionOptions = {}): Promise<Session> {
    const created = await this.#api.InferenceSession.create(model, toBindingOptions(options, this.#provider)).catch(
      (error: unknown) => {
        throw toRuntimeError((error as Error).message);
      },
    );
    const session: Session = new BindingSession(created, () => this.#sessions.delete(session));
    this.#sessions.add(session);
    return session;
  }

  async dispose(): Promise<void> {
    await Promise.all([...this.#sessions].map((session) => session.dispose()));
    await this.#close?.();
  }
}

function toBindingOptions(
  options: SessionOptions,
  provider: BindingEngineOptions['provider'],
): Readonly<Record<string, unknown>> {
  return {
    // The runtime has the CPU behind every provider; to name it is to forbid that its use be forbidden.
    executionProviders: [provider ?? 'cpu'],
    logSeverityLevel: 4,
    graphOptimizationLevel: options.optimizationLevel ?? 'all',
    ...(options.intraOpThreads === undefined ? {} : { intraOpNumThreads: options.intraOpThreads }),
    ...(options.memoryArena === undefined ? {} : { enableCpuMemArena: options.memoryArena }),
    ...(options.memoryPattern === undefined ? {} : { enableMemPattern: options.memoryPattern }),
    ...(options.configuration === undefined ? {} : { extra: options.configuration }),
    ...(options.profilePrefix === undefined ? {} : { enableProfiling: true, profileFilePrefix: options.profilePrefix }),
  };
}

import { installCommands, ModelwrightError, type Tensor } from '@modelwright/core';
import type { StartHelper } from '../../wasm/pass-team.js';
import type { Engine, EngineValue, Session, SessionOptions } from '../engine.js';
import { findLibrary } from './find-library.js';
import type { Koffi } from './koffi.js';
import { NativeSession, type SessionContext } from './native-session.js';
import { NativeValue } from './native-value.js';
import { OrtApi } from './ort-api.js';
import { EventLoopTurns } from './pace.js';
import { startHelper } from './start-helper.js';
import { ThreadSlots } from './thread-slots.js';

const optimizationLevels = { disabled: 0, basic: 1, extended: 2, all: 99 } as const;
/** ORT's kernels and graph optimizer need far more stack than koffi's default of 128 KiB for calls on other threads. */
const threadStackBytes = 8 * 2 ** 20;
/** Fatal: whatever fails comes back as a status, which becomes an error with the same text. */
const logSeverityFatal = 4;
/** `OrtArenaAllocator` with `OrtMemTypeDefault`: how ORT names plain CPU memory. */
const cpuMemory = [1, 0] as const;

/** The runtime's library, opened. */
export interface NativeRuntime {
  readonly api: OrtApi;
  readonly environment: bigint;
  /** Plain CPU memory. */
  readonly memoryInfo: bigint;
}

/** The environment is one for the process and outlives every engine: freeing it while a thread of its still runs would end the process. */
let loaded: NativeRuntime | undefined;

/** Options of {@link createNativeEngine}. */
export interface NativeEngineOptions {
  /** The runtime's shared library; found in the installed `onnxruntime-node` by default. */
  readonly libraryPath?: string;
}

/**
 * Reaches ONNX Runtime through its C API: memory of the caller for inputs and outputs, runs on other threads.
 *
 * @throws ModelwrightError `backend-unavailable` when koffi or the library is missing.
 */
export async function createNativeEngine(options: NativeEngineOptions = {}): Promise<Engine> {
  return new NativeEngine(await openNativeRuntime(options));
}

/**
 * Opens the runtime's library, once for the process.
 *
 * @throws ModelwrightError `backend-unavailable` when koffi or the library is missing.
 */
export async function openNativeRuntime(options: NativeEngineOptions = {}): Promise<NativeRuntime> {
  loaded ??= open(await importKoffi(), options.libraryPath ?? findLibrary());
  return loaded;
}

class NativeEngine implements Engine {
  readonly kind = 'native';
  readonly version: string;
  readonly startHelper: StartHelper = startHelper;
  readonly #context: SessionContext;
  readonly #environment: bigint;
  readonly #memoryInfo: bigint;
  readonly #sessions = new Set<Session>();

  constructor({ api, environment, memoryInfo }: NativeRuntime) {
    this.version = api.version;
    this.#environment = environment;
    this.#memoryInfo = memoryInfo;
    this.#context = { api, threads: new ThreadSlots(), turns: new EventLoopTurns() };
  }

  createValue(tensor: Tensor): EngineValue {
    return new NativeValue(this.#context.api, this.#memoryInfo, tensor);
  }

  async createSession(model: Uint8Array | string, options: SessionOptions = {}): Promise<Session> {
    const { api } = this.#context;
    const settings = api.pointer('CreateSessionOptions');
    try {
      applyOptions(api, settings, options);
      const handle = await this.#context.threads.use(() => this.#load(model, settings));
      return this.#sessionOf(handle);
    } finally {
      api.functions.ReleaseSessionOptions(settings);
    }
  }

  /** By itself: what a session keeps to tell of its end must not keep the model's bytes as well. */
  #sessionOf(handle: bigint): Session {
    const session: Session = new NativeSession(this.#context, handle, () => this.#sessions.delete(session));
    this.#sessions.add(session);
    return session;
  }

  async dispose(): Promise<void> {
    await Promise.all([...this.#sessions].map((session) => session.dispose()));
  }

  async #load(model: Uint8Array | string, settings: bigint): Promise<bigint> {
    const { api } = this.#context;
    const result = new BigUint64Array(1);
    const out = api.address(result);
    const bytes = typeof model === 'string' ? toNativePath(model) : model;
    const start = api.address(bytes);
    if (typeof model === 'string') await api.callAsync('CreateSession', this.#environment, start, settings, out);
    else await api.callAsync('CreateSessionFromArray', this.#environment, start, bytes.byteLength, settings, out);
    api.hold(bytes);
    return result[0] as bigint;
  }
}

/** Puts options into an `OrtSessionOptions`. */
export function applyOptions(api: OrtApi, settings: bigint, options: SessionOptions): void {
  api.call('SetSessionLogSeverityLevel', settings, logSeverityFatal);
  api.call('SetSessionGraphOptimizationLevel', settings, optimizationLevels[options.optimizationLevel ?? 'all']);
  if (options.intraOpThreads !== undefined) api.call('SetIntraOpNumThreads', settings, options.intraOpThreads);
  if (options.memoryArena === false) api.call('DisableCpuMemArena', settings);
  if (options.memoryPattern === false) api.call('DisableMemPattern', settings);
  for (const [key, value] of Object.entries(options.configuration ?? {}))
    api.call('AddSessionConfigEntry', settings, key, value);
  if (options.profilePrefix !== undefined)
    api.call('EnableProfiling', settings, api.address(toNativePath(options.profilePrefix)));
}

/** `ORTCHAR_T` is UTF-16 on Windows and bytes elsewhere. */
function toNativePath(path: string): Uint8Array {
  return Buffer.from(`${path}\0`, process.platform === 'win32' ? 'utf16le' : 'utf8');
}

async function importKoffi(): Promise<Koffi> {
  try {
    const koffi = (await import('koffi')) as unknown as Koffi & { readonly default?: Koffi };
    return koffi.default ?? koffi;
  } catch (cause) {
    throw new ModelwrightError('backend-unavailable', 'The native engine needs the package koffi.', {
      hint: installCommands('koffi'),
      cause,
    });
  }
}

function open(koffi: Koffi, libraryPath: string | undefined): NativeRuntime {
  if (libraryPath === undefined)
    throw new ModelwrightError(
      'backend-unavailable',
      `onnxruntime-node is not installed, or has no library for ${process.platform}-${process.arch}.`,
      { hint: installCommands('onnxruntime-node') },
    );
  try {
    koffi.config({ async_stack_size: threadStackBytes, sync_stack_size: threadStackBytes });
  } catch {
    // Another user of koffi called it first; the settings are then fixed for the process.
  }
  const api = new OrtApi(koffi, libraryPath);
  const environment = api.pointer('CreateEnv', logSeverityFatal, 'modelwright');
  api.call('DisableTelemetryEvents', environment);
  return { api, environment, memoryInfo: api.pointer('CreateCpuMemoryInfo', ...cpuMemory) };
}

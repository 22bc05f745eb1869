import { createTfjsBackend, type TfjsBackend, type TfjsBackendOptions } from '@modelwright/backend-tfjs';
import { installCommands, ModelwrightError, RunQueue } from '@modelwright/core';
import { withoutProcessListeners } from './process-listeners.js';
import { startModule } from './start-module.js';
import { describeThreads, type ThreadFacts } from './threads.js';

export interface WasmBackendOptions extends Pick<TfjsBackendOptions, 'onNode' | 'now'> {
  /** Only `cpu`; there for configurations that name a device. */
  readonly device?: string;
  /**
   * Where the `.wasm` files of `@tensorflow/tfjs-backend-wasm` lie: a folder or URL that ends in `/`, or the place of each file by
   * its name; files that are never needed, as the threaded one without threads, may be left out. In Node they are found in the
   * package; in a page they must be served, as `/` or `/assets/`.
   */
  readonly wasmPath?: string | { readonly [file: string]: string };
  /**
   * A binary that is compiled already, a `WebAssembly.Module` of `tfjs-backend-wasm-simd.wasm` or `tfjs-backend-wasm.wasm`: for edge
   * workers, which compile what is imported and forbid to compile bytes. In place of `wasmPath`; one thread.
   */
  readonly wasmModule?: object;
  /** Threads wanted; they need a cross-origin isolated page. Default: what tfjs chooses, 1 in Node. */
  readonly threads?: number;
}

/** A backend on the WebAssembly kernels of TensorFlow.js. */
export interface WasmBackend extends TfjsBackend {
  /** Whether kernels use several threads, and if not why. */
  readonly threading: ThreadFacts;
}

type Core = typeof import('@tensorflow/tfjs-core');
type Kernels = typeof import('@tensorflow/tfjs-backend-wasm');

type Places = Exclude<Parameters<Kernels['setWasmPaths']>[0], string>;

// tfjs starts its one wasm instance once; two callers must not race for it.
const opening = new RunQueue();

/**
 * Runs programs in WebAssembly with SIMD, in Node and in browsers.
 *
 * tfjs keeps one wasm instance for a process; all backends made here share it with whoever else uses it through tfjs. The
 * backend that was active in tfjs stays active.
 *
 * @throws {@link ModelwrightError} `backend-unavailable` saying what to install or to serve.
 * @example
 * const backend = await createBackend();
 * const inPage = await createBackend({ wasmPath: '/assets/' });
 */
export async function createBackend(options: WasmBackendOptions = {}): Promise<WasmBackend> {
  const { device = 'cpu', onNode, now } = options;
  if (device !== 'cpu') {
    throw new ModelwrightError('backend-unavailable', `the wasm backend has no device '${device}', only 'cpu'`, {
      given: device,
      allowed: ['cpu'],
    });
  }
  const { core, kernels } = await importPeers();
  await opening.add(() => openInstance(core, kernels, options));
  const threads = threadsOf(kernels);
  const backend = createTfjsBackend(core, {
    backend: 'wasm',
    name: 'wasm',
    device: 'cpu',
    threads,
    ...(onNode && { onNode }),
    ...(now && { now }),
  });
  return { ...backend, threading: describeThreads(threads) };
}

/** Threads of the instance; 1 where another copy of tfjs's package started it, which alone knows. */
function threadsOf(kernels: Kernels): number {
  try {
    return kernels.getThreadsCount() || 1;
  } catch {
    return 1;
  }
}

async function importPeers(): Promise<{ readonly core: Core; readonly kernels: Kernels }> {
  try {
    const [core, kernels] = await Promise.all([
      import('@tensorflow/tfjs-core'),
      import('@tensorflow/tfjs-backend-wasm'),
    ]);
    return { core, kernels };
  } catch (cause) {
    const reason = reasonOf(cause);
    throw new ModelwrightError('backend-unavailable', `the wasm backend cannot be loaded: ${reason}`, {
      hint: installCommands(...peers),
      cause,
    });
  }
}

const peers = ['@tensorflow/tfjs-core', '@tensorflow/tfjs-backend-wasm'];

/** Why an import failed: in one line, and without paths where a package is just not there. */
function reasonOf(cause: unknown): string {
  const message = cause instanceof Error ? (cause.message.split('\n')[0] as string) : String(cause);
  const missing =
    /not found|cannot find|failed to resolve|tried to access/i.test(message) &&
    peers.find((name) => new RegExp(`(['"]|access )${name}['" ]`).test(message));
  return missing ? `${missing} is not installed` : message;
}

/** Starts tfjs's wasm instance unless it runs already. */
async function openInstance(core: Core, kernels: Kernels, options: WasmBackendOptions): Promise<void> {
  const { wasmModule, wasmPath, threads } = options;
  if (core.engine().registry['wasm'] !== undefined) return;
  // A count of 1 alone would still load the threaded binary.
  if (threads === 1) core.env().set('WASM_HAS_MULTITHREAD_SUPPORT', false);
  else if (threads !== undefined) kernels.setThreadsCount(threads);
  if (wasmModule !== undefined) return startWith(core, () => startModule(core, kernels, wasmModule), wasmModule);
  if (typeof wasmPath === 'string') kernels.setWasmPaths(wasmPath);
  else if (wasmPath !== undefined) kernels.setWasmPaths(await completePlaces(core, wasmPath));
  await startWith(core, () => core.setBackend('wasm'), wasmPath);
}

async function startWith(core: Core, start: () => Promise<boolean>, given: unknown): Promise<void> {
  const active = core.getBackend();
  let cause: unknown;
  const started = await withoutProcessListeners(() =>
    start().catch((error: unknown) => {
      cause = error;
      return false;
    }),
  );
  if (active && active !== 'wasm') await core.setBackend(active);
  if (started) return;
  throw new ModelwrightError('backend-unavailable', 'the WebAssembly binary of TensorFlow.js could not be started', {
    given,
    cause,
    hint: 'serve the .wasm files of @tensorflow/tfjs-backend-wasm and give their folder as wasmPath',
  });
}

const plainBinary = 'tfjs-backend-wasm.wasm';
const simdBinary = 'tfjs-backend-wasm-simd.wasm';
const threadedBinary = 'tfjs-backend-wasm-threaded-simd.wasm';

/** tfjs asks for the place of every binary, though it loads only one. */
async function completePlaces(core: Core, places: { readonly [file: string]: string }): Promise<Places> {
  const [hasSimd, hasThreads] = await Promise.all(
    ['WASM_HAS_SIMD_SUPPORT', 'WASM_HAS_MULTITHREAD_SUPPORT'].map((flag) => core.env().getAsync(flag)),
  );
  const needed = !hasSimd ? plainBinary : hasThreads ? threadedBinary : simdBinary;
  if (places[needed] === undefined)
    throw new ModelwrightError('invalid-argument', `wasmPath names no place of '${needed}', which is needed here`, {
      given: Object.keys(places),
      allowed: [plainBinary, simdBinary, threadedBinary],
      ...(hasThreads ? { hint: 'threads: 1 needs the binary without threads only' } : {}),
    });
  return { [plainBinary]: '', [simdBinary]: '', [threadedBinary]: '', ...places };
}

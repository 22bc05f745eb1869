import { ModelwrightError } from '@modelwright/core';
import { createHostBackend } from './devices/host-backend.js';
import { probeDevice } from './devices/probe-device.js';
import { unavailableDevice } from './devices/unavailable.js';
import { createWebGpuBackend } from './devices/webgpu-backend.js';
import type { SessionOptions } from './engine/engine.js';
import type { OnnxRuntimeBackend } from './ort-backend.js';
import { openWebRuntime, type WebRuntimeOptions } from './web/import-web.js';
import { WebEngine } from './web/web-engine.js';

/** Options of {@link createBackend} in a browser. */
export interface OnnxRuntimeBackendOptions extends WebRuntimeOptions {
  /**
   * `'wasm'` (default; `'cpu'` means the same here), `'webgpu'`, or `'auto'`: WebGPU where it works, else WebAssembly. A device asked for by name
   * that does not work is an error, never another device.
   */
  readonly device?: string;
  /** As in Node: WebAssembly memory for a program's state; 0 keeps updates in the graph. Default 4 GiB. */
  readonly hostMemoryBytes?: number;
  /** Whether WebGPU may leave ops without a kernel to WebAssembly, with copies in between. Default true. */
  readonly cpuFallback?: boolean;
  /** Passed on to every session. */
  readonly session?: SessionOptions;
}

type OpenDevice = (options: OnnxRuntimeBackendOptions) => Promise<OnnxRuntimeBackend>;

/** More threads than this rarely pay in a page. */
const mostThreads = 4;

const openWasm: OpenDevice = async (options) => {
  const threads = options.threads ?? threadsOfPage();
  const api = await openWebRuntime(() => import('onnxruntime-web/wasm'), { ...options, threads });
  return createHostBackend({
    ...{ device: 'wasm', engine: new WebEngine(api), threads },
    ...{ sessionOptions: options.session ?? {}, hostMemoryBytes: options.hostMemoryBytes },
    blocksCaller: true,
  });
};

/** How each device of a browser is opened. */
const openers: { readonly [device: string]: OpenDevice } = {
  wasm: openWasm,
  cpu: openWasm,
  webgpu: async (options) => {
    const api = await openWebRuntime(() => import('onnxruntime-web/webgpu'), { ...options, threads: 1 });
    const { cpuFallback = true, session = {} } = options;
    return createWebGpuBackend({ api, engine: 'web', cpuFallback, sessionOptions: session });
  },
};

const deviceNames: readonly string[] = ['wasm', 'webgpu', 'auto'];

/**
 * Opens a backend on ONNX Runtime in a page or a worker, by `onnxruntime-web`.
 *
 * @throws {@link ModelwrightError} `backend-unavailable` saying what is missing, `invalid-configuration` for a device a browser does not have.
 * @example
 * const backend = await createBackend({ device: 'webgpu' });
 */
export async function createBackend(options: OnnxRuntimeBackendOptions = {}): Promise<OnnxRuntimeBackend> {
  const device = options.device ?? 'wasm';
  if (device === 'auto') return openFirst(options);
  const open = Object.hasOwn(openers, device) ? openers[device] : undefined;
  if (open === undefined)
    throw new ModelwrightError(
      'invalid-configuration',
      `backend onnxruntime has no device '${device}' in a browser; it has: ${deviceNames.join(', ')}`,
      { given: device, allowed: deviceNames },
    );
  try {
    return await probeDevice(await open(options));
  } catch (error) {
    throw unavailableDevice(device, error);
  }
}

async function openFirst(options: OnnxRuntimeBackendOptions): Promise<OnnxRuntimeBackend> {
  if (!hasWebGpu()) return createBackend({ ...options, device: 'wasm' });
  return createBackend({ ...options, device: 'webgpu' }).catch(() => createBackend({ ...options, device: 'wasm' }));
}

interface PageFacts {
  readonly crossOriginIsolated?: boolean;
  readonly navigator?: { readonly hardwareConcurrency?: number; readonly gpu?: object };
}

function hasWebGpu(): boolean {
  return (globalThis as PageFacts).navigator?.gpu !== undefined;
}

/** Threads need memory that workers share, which only an isolated page may have. */
function threadsOfPage(): number {
  const { crossOriginIsolated, navigator } = globalThis as PageFacts;
  return crossOriginIsolated ? Math.min(mostThreads, Math.ceil((navigator?.hardwareConcurrency ?? 1) / 2)) : 1;
}

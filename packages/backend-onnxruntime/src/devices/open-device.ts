import { isModelwrightError, ModelwrightError } from '@modelwright/core';
import type { OnnxRuntimeBackendOptions } from '../backend.js';
import { importBinding } from '../engine/binding/binding-api.js';
import { createBindingEngine } from '../engine/binding/binding-engine.js';
import { createEngine } from '../engine/create-engine.js';
import type { SessionOptions } from '../engine/engine.js';
import type { OnnxRuntimeBackend } from '../ort-backend.js';
import type { JavaScriptApi } from '../resident/javascript-api.js';
import { openWebRuntime } from '../web/import-web.js';
import { WebEngine } from '../web/web-engine.js';
import { createCudaBackend } from './cuda-backend.js';
import { createHostBackend } from './host-backend.js';
import { requireNvidiaDriver } from './nvidia-driver.js';
import { probeDevice } from './probe-device.js';
import { unavailableDevice } from './unavailable.js';
import { createWebGpuBackend } from './webgpu-backend.js';

/** Options with what the machine decides filled in. */
export interface OpenOptions extends OnnxRuntimeBackendOptions {
  readonly cores: number;
}

type OpenDevice = (options: OpenOptions) => Promise<OnnxRuntimeBackend>;

/** Providers that the stock API reaches: their tensors come back to the host after every run. */
const throughBinding =
  (name: string): OpenDevice =>
  async (options) => {
    await requireProvider(name);
    const { deviceId = 0 } = options;
    return createHostBackend({
      device: name,
      engine: await createBindingEngine({ provider: { name, deviceId } }),
      threads: options.threads ?? options.cores,
      sessionOptions: sessionOptionsOf(options),
      hostMemoryBytes: options.hostMemoryBytes,
      blocksCaller: true,
    });
  };

/** Providers that a build lacks are skipped silently by the runtime, which would then run on the CPU. */
async function requireProvider(name: string): Promise<void> {
  const { listSupportedBackends } = (await importBinding()) as {
    listSupportedBackends?: () => readonly { name: string }[];
  };
  if (listSupportedBackends === undefined || listSupportedBackends().some((one) => one.name === name)) return;
  throw new ModelwrightError('backend-unavailable', `${name}: backend not found`);
}

/** How each device of Node is opened. */
const openers: { readonly [device: string]: OpenDevice } = {
  cpu: async (options) => {
    const { worker = false } = options;
    const engine = await createEngine(options.engine, { worker });
    return createHostBackend({
      device: 'cpu',
      engine,
      threads: options.threads ?? options.cores,
      sessionOptions: sessionOptionsOf(options),
      hostMemoryBytes: options.hostMemoryBytes,
      blocksCaller: engine.kind === 'binding' && !worker,
    });
  },
  webgpu: async (options) =>
    createWebGpuBackend({
      api: (await importBinding()) as unknown as JavaScriptApi,
      engine: 'binding',
      cpuFallback: options.cpuFallback ?? true,
      sessionOptions: sessionOptionsOf(options),
    }),
  cuda: async (options) => {
    requireNvidiaDriver();
    await requireProvider('cuda');
    const { engine = 'auto', worker = false, cpuFallback = true, deviceId = 0 } = options;
    return createCudaBackend({
      ...{ engine, worker, cpuFallback, deviceId },
      sessionOptions: sessionOptionsOf(options),
    });
  },
  tensorrt: throughBinding('tensorrt'),
  dml: throughBinding('dml'),
  coreml: throughBinding('coreml'),
  wasm: async (options) => {
    const threads = options.threads ?? 1;
    const api = await openWebRuntime(() => import('onnxruntime-web'), { threads });
    return createHostBackend({
      ...{ device: 'wasm', engine: new WebEngine(api), threads },
      ...{ sessionOptions: sessionOptionsOf(options), hostMemoryBytes: options.hostMemoryBytes },
      blocksCaller: true,
    });
  },
};

/** GPUs that `'auto'` tries, in this order. CUDA comes in its own package, TensorRT and Core ML make no sense for training. */
const automatic: readonly string[] = ['cuda', 'webgpu', 'dml'];

/** Devices by name. */
export const deviceNames: readonly string[] = [...Object.keys(openers), 'auto'];

/**
 * Opens a device by name and lets it compute something.
 *
 * @throws ModelwrightError `invalid-configuration` for a name that is none, `backend-unavailable` saying what to install.
 */
export async function openDevice(device: string, options: OpenOptions): Promise<OnnxRuntimeBackend> {
  if (device === 'auto') return openFirst(options);
  const open = Object.hasOwn(openers, device) ? openers[device] : undefined;
  if (open === undefined)
    throw new ModelwrightError(
      'invalid-configuration',
      `backend onnxruntime has no device '${device}'; it has: ${deviceNames.join(', ')}`,
      { given: device, allowed: deviceNames },
    );
  // The CPU works wherever the runtime loads.
  if (device === 'cpu') return open(options);
  try {
    return await probeDevice(await open(options));
  } catch (error) {
    throw unavailableDevice(device, error);
  }
}

async function openFirst(options: OpenOptions): Promise<OnnxRuntimeBackend> {
  for (const device of automatic) {
    try {
      return await openDevice(device, options);
    } catch (error) {
      if (!isModelwrightError(error, 'backend-unavailable')) throw error;
    }
  }
  return openDevice('cpu', options);
}

function sessionOptionsOf({ threads, session }: OnnxRuntimeBackendOptions): SessionOptions {
  return { ...(threads === undefined ? {} : { intraOpThreads: threads }), ...session };
}

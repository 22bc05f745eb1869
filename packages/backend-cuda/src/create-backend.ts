import { createBackend as createOnnxRuntimeBackend } from '@modelwright/backend-onnxruntime';
import { type Backend, isModelwrightError, ModelwrightError } from '@modelwright/core';
import { openTensorflow } from './tensorflow-engine.js';

/** What computes on the GPU. */
export type CudaEngine = 'onnxruntime' | 'tensorflow';

/** Options of {@link createBackend}. */
export interface CudaBackendOptions {
  /** `'onnxruntime'` (CUDA 12 and later), `'tensorflow'` (CUDA 11.2), or `'auto'` (default): the first of them that works. */
  readonly engine?: 'auto' | CudaEngine;
  /** Taken and checked, so that `cuda:0` names a GPU: `'cuda'` (default), `'gpu'` or a number. */
  readonly device?: string;
  /** Whether ops without a CUDA kernel may run on the CPU, with copies in between (engine `onnxruntime`). Default true. */
  readonly cpuFallback?: boolean;
}

const engines: { readonly [E in CudaEngine]: (options: OpenOptions) => Promise<Backend> } = {
  onnxruntime: ({ deviceId, cpuFallback }) => createOnnxRuntimeBackend({ device: 'cuda', deviceId, cpuFallback }),
  tensorflow: async () => openTensorflow(),
};

interface OpenOptions {
  readonly deviceId: number;
  readonly cpuFallback: boolean;
}

/**
 * Opens a backend on an NVIDIA GPU. It computes on the GPU or not at all: where a piece is missing, the error says which.
 *
 * @throws {@link ModelwrightError} `backend-unavailable` with what to install, `invalid-configuration` for an engine or device that is none.
 * @example
 * const backend = await createBackend({ engine: 'onnxruntime' });
 */
export async function createBackend(options: CudaBackendOptions = {}): Promise<Backend> {
  const { engine = 'auto', cpuFallback = true } = options;
  const open: OpenOptions = { deviceId: deviceIdOf(options.device ?? 'cuda'), cpuFallback };
  if (engine === 'auto') return openFirst(open);
  if (Object.hasOwn(engines, engine)) return engines[engine](open);
  const allowed = ['auto', ...Object.keys(engines)];
  throw new ModelwrightError('invalid-configuration', `backend cuda has no engine '${engine}'`, {
    given: engine,
    allowed,
  });
}

async function openFirst(options: OpenOptions): Promise<Backend> {
  const failures: [string, ModelwrightError][] = [];
  for (const [name, open] of Object.entries(engines)) {
    try {
      return await open(options);
    } catch (error) {
      if (!isModelwrightError(error, 'backend-unavailable')) throw error;
      failures.push([name, error]);
    }
  }
  const reasons = failures.map(([name, { message }]) => `${name}: ${message}`).join('; ');
  const hints = failures.flatMap(([name, { details }]) => (details.hint ? [`${name}: ${details.hint}`] : []));
  throw new ModelwrightError('backend-unavailable', `no CUDA engine works here. ${reasons}`, {
    hint: hints.join('; or '),
    cause: failures.map(([, error]) => error),
  });
}

function deviceIdOf(device: string): number {
  if (device === 'cuda' || device === 'gpu') return 0;
  const id = Number(device);
  if (Number.isInteger(id) && id >= 0) return id;
  const message = `backend cuda has no device '${device}'; devices are numbers: 0 is the first GPU`;
  throw new ModelwrightError('invalid-configuration', message, { given: device, allowed: ['cuda', '0', '1'] });
}

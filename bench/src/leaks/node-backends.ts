import { createBackend as createOnnxRuntime } from '@modelwright/backend-onnxruntime';
import { createTfjsBackend } from '@modelwright/backend-tfjs';
import type { Backend } from '@modelwright/core';
import { loadBackend } from 'modelwright';

/** A backend of Node to check, by the name it has in the table. */
export interface NodeBackend {
  readonly open: () => Promise<Backend>;
}

/** Every way in which a program runs in Node without an NVIDIA GPU. */
export const nodeBackends: { readonly [name: string]: NodeBackend } = {
  reference: { open: () => loadBackend('reference') },
  'onnxruntime:cpu, native': { open: () => createOnnxRuntime({ engine: 'native' }) },
  'onnxruntime:cpu, binding': { open: () => createOnnxRuntime({ engine: 'binding' }) },
  'onnxruntime:cpu, worker': { open: () => createOnnxRuntime({ engine: 'binding', worker: true }) },
  'onnxruntime:wasm': { open: () => loadBackend('onnxruntime:wasm') },
  'onnxruntime:webgpu': { open: () => loadBackend('onnxruntime:webgpu') },
  wasm: { open: () => loadBackend('wasm') },
  'tfjs, cpu kernels': { open: () => openTfjsCpu('direct') },
  // How the kernels of tfjs-node are driven.
  'tfjs, through its engine': { open: () => openTfjsCpu('engine') },
};

async function openTfjsCpu(calls: 'direct' | 'engine'): Promise<Backend> {
  const core = await import('@tensorflow/tfjs-core');
  await import('@tensorflow/tfjs-backend-cpu');
  await core.setBackend('cpu');
  return createTfjsBackend(core, { calls });
}

import type { Backend } from '@modelwright/core';

/** An entry of the page's menu. */
export interface BackendChoice {
  readonly id: string;
  readonly label: string;
  readonly create: () => Promise<Backend>;
  /** Why it cannot run in this browser, if so. */
  readonly missing?: () => Promise<string | undefined>;
}

/** Each is loaded when it is chosen: a page pays only for the backend that it uses. */
export const backends: readonly BackendChoice[] = [
  {
    id: 'wasm',
    label: 'TensorFlow.js kernels, WebAssembly',
    create: async () => (await import('./backends/wasm.js')).createBackend(),
  },
  {
    id: 'onnxruntime:wasm',
    label: 'ONNX Runtime, WebAssembly',
    create: async () => (await import('@modelwright/backend-onnxruntime')).createBackend({ device: 'wasm' }),
  },
  {
    id: 'onnxruntime:webgpu',
    label: 'ONNX Runtime, WebGPU',
    create: async () => (await import('@modelwright/backend-onnxruntime')).createBackend({ device: 'webgpu' }),
    missing: async () =>
      (await navigator.gpu?.requestAdapter()) ? undefined : 'this browser offers no WebGPU adapter on this machine',
  },
  {
    id: 'reference',
    label: 'Reference, JavaScript',
    create: async () => (await import('./backends/reference.js')).createBackend(),
  },
];

/** The entry of that name; the first one for a name that is unknown. */
export function backendById(id: string | null): BackendChoice {
  return backends.find((choice) => choice.id === id) ?? (backends[0] as BackendChoice);
}

/** What the leak checks drive in a browser: a backend and a model that runs or trains on it as often as asked. */
import { createBackend as createOnnxRuntime } from '@modelwright/backend-onnxruntime';
import { createBackend as createWasm } from '@modelwright/backend-wasm';
import { type Backend, createReferenceBackend } from '@modelwright/core';
import plain from '@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm.wasm?url';
import simd from '@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm?url';
import type { LeakPage } from '../src/leaks/chromium.js';
import { openWorkload, type Workload, type WorkloadKind } from '../src/leaks/workload.js';

const backends: { readonly [name: string]: () => Promise<Backend> } = {
  reference: async () => createReferenceBackend(),
  wasm: () =>
    createWasm({ threads: 1, wasmPath: { 'tfjs-backend-wasm.wasm': plain, 'tfjs-backend-wasm-simd.wasm': simd } }),
  'onnxruntime:wasm': () => createOnnxRuntime({ device: 'wasm' }),
  'onnxruntime:webgpu': () => createOnnxRuntime({ device: 'webgpu' }),
};

let backend: Backend | undefined;
let workload: Workload | undefined;

const page: LeakPage = {
  async open(name: string, kind: WorkloadKind): Promise<string | undefined> {
    try {
      backend = await backends[name]?.();
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
    workload = backend && (await openWorkload(backend, kind));
    return workload === undefined ? `the page has no backend '${name}'` : undefined;
  },
  async repeat(count: number): Promise<void> {
    await workload?.repeat(count);
  },
  tensors(): number | undefined {
    return (backend as { tensorCount?: () => number } | undefined)?.tensorCount?.();
  },
  async close(): Promise<void> {
    await workload?.close();
    await backend?.dispose();
  },
};

Object.assign(globalThis, { leaks: page });

import { createBackend as createWasmBackend, type WasmBackend } from '@modelwright/backend-wasm';
import plain from '@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm.wasm?url';
import simd from '@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm?url';
import threaded from '@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-threaded-simd.wasm?url';

const mostThreads = 4;

/** The kernels of TensorFlow.js, their binaries served with the page. */
export function createBackend(): Promise<WasmBackend> {
  return createWasmBackend({
    ...(crossOriginIsolated && { threads: Math.min(mostThreads, navigator.hardwareConcurrency) }),
    wasmPath: {
      'tfjs-backend-wasm.wasm': plain,
      'tfjs-backend-wasm-simd.wasm': simd,
      'tfjs-backend-wasm-threaded-simd.wasm': threaded,
    },
  });
}

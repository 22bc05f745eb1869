import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { requirePackage } from '../scripts/project-packages.js';
import type { BundleFile } from '../target.js';

/** What computes in the page. */
export interface Engine {
  /** The packages it takes, outermost first: each is looked up from the one before. */
  readonly packages: readonly [backend: string, runtime: string];
  /** Files of the runtime that the page fetches. */
  readonly files: readonly string[];
  /** Those of them that every visitor fetches, so that the service worker keeps them. */
  readonly kept: readonly string[];
  /** Conditions of the runtime's `exports`. */
  readonly conditions: readonly string[];
  /** Source of `createBackend`. */
  readonly source: string;
}

const folder = 'engine/';

const tfjs = 'dist/tfjs-backend-wasm';
const ort = 'dist/ort-wasm-simd-threaded';

/** By what `--engine` takes. */
export const engines: { readonly [name: string]: Engine } = {
  wasm: {
    packages: ['@modelwright/backend-wasm', '@tensorflow/tfjs-backend-wasm'],
    files: [`${tfjs}-simd.wasm`, `${tfjs}.wasm`],
    kept: [`${tfjs}-simd.wasm`],
    conditions: [],
    source: `import { createBackend as open } from '@modelwright/backend-wasm';
const createBackend = () => open({ threads: 1, wasmPath: new URL('${folder}', document.baseURI).href });`,
  },
  onnxruntime: onnxRuntime('wasm', ort),
  webgpu: onnxRuntime('webgpu', `${ort}.asyncify`),
};

function onnxRuntime(device: string, file: string): Engine {
  const place = (ending: string): string =>
    `new URL('${folder}${file.replace('dist/', '')}.${ending}', document.baseURI).href`;
  // Where there is no GPU that WebGPU can use, the same binary computes on the CPU.
  const fallback = device === 'webgpu' ? ".catch(() => open({ device: 'wasm', wasmPaths }))" : '';
  return {
    packages: ['@modelwright/backend-onnxruntime', 'onnxruntime-web'],
    files: [`${file}.mjs`, `${file}.wasm`],
    kept: [`${file}.mjs`, `${file}.wasm`],
    conditions: ['onnxruntime-web-use-extern-wasm'],
    source: `import { createBackend as open } from '@modelwright/backend-onnxruntime';
const wasmPaths = { mjs: ${place('mjs')}, wasm: ${place('wasm')} };
const createBackend = () => open({ device: '${device}', wasmPaths })${fallback};`,
  };
}

/** The files of an engine's runtime, as the bundle has them. */
export async function engineFiles(engine: Engine, folders: readonly string[]): Promise<readonly BundleFile[]> {
  const root = requirePackage(engine.packages[1], [requirePackage(engine.packages[0], folders), ...folders]);
  return Promise.all(
    engine.files.map(async (file) => ({ path: enginePath(file), content: await readFile(join(root, file)) })),
  );
}

/** Where a file of the runtime lies in the bundle. */
export function enginePath(file: string): string {
  return `${folder}${file.replace('dist/', '')}`;
}

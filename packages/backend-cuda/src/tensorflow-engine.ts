import { createRequire } from 'node:module';
import { createTfjsBackend, type TfjsCore } from '@modelwright/backend-tfjs';
import { type Backend, ModelwrightError } from '@modelwright/core';
import { explainTensorflow } from './explain-tensorflow.js';

/** Held in a variable: whoever does not use this engine need not have the package. */
const packageName: string = '@tensorflow/tfjs-node-gpu';

/** What tfjs-node's backend says of itself. */
interface NodeBackend {
  /** Whether libtensorflow found a GPU; it runs on the CPU otherwise, without a word. */
  readonly isUsingGpuDevice?: boolean;
}

/** The namespace of `@tensorflow/tfjs-node-gpu`, as far as it is used here. */
export interface TensorflowNamespace {
  findBackend(name: string): unknown;
  setBackend(name: string): Promise<boolean>;
  ready(): Promise<void>;
}

/**
 * Opens `@tensorflow/tfjs-node-gpu` on the executor for TensorFlow.js.
 *
 * @param load - imports the package.
 * @throws ModelwrightError `backend-unavailable` saying what to install, also where TensorFlow would run on the CPU.
 */
export async function openTensorflow(load: () => Promise<unknown> = importPackage): Promise<Backend> {
  const namespace = unwrap(await load().catch(explainTensorflow));
  requireGpu(namespace.findBackend('tensorflow'));
  await namespace.setBackend('tensorflow');
  await namespace.ready();
  return createTfjsBackend(namespace as unknown as TfjsCore, { name: 'cuda', device: 'cuda', calls: 'engine' });
}

async function importPackage(): Promise<unknown> {
  restoreUtil();
  return import(packageName);
}

/** tfjs-node 4.22 calls two functions of `node:util` that Node 23 removed. */
export function restoreUtil(): void {
  const util = createRequire(import.meta.url)('node:util') as { [name: string]: unknown };
  util['isNullOrUndefined'] ??= (value: unknown): boolean => value === null || value === undefined;
  util['isArray'] ??= Array.isArray;
}

function unwrap(loaded: unknown): TensorflowNamespace {
  const module = loaded as TensorflowNamespace & { readonly default?: TensorflowNamespace };
  return module.findBackend === undefined && module.default !== undefined ? module.default : module;
}

function requireGpu(backend: unknown): void {
  if ((backend as NodeBackend | null)?.isUsingGpuDevice === true) return;
  throw new ModelwrightError('backend-unavailable', `${packageName} found no GPU and would compute on the CPU`, {
    hint: 'install the NVIDIA driver, CUDA 11.2 and cuDNN 8.1, with their libraries on LD_LIBRARY_PATH; nvidia-smi shows whether the driver works',
  });
}

import { type Backend, createReferenceBackend } from '@modelwright/core';
import { findVulkanDriver } from '../../../packages/backend-onnxruntime/test/vulkan-driver.js';

/** A backend as this process can open it. */
export interface NodeBackend {
  readonly id: string;
  readonly open: () => Promise<Backend>;
  /** Why it cannot run on this machine, if so. */
  readonly missing?: string | undefined;
}

/** The backends for Node other than the reference. */
export const nodeBackends: readonly NodeBackend[] = [
  {
    id: 'onnxruntime',
    open: async () => (await import('@modelwright/backend-onnxruntime')).createBackend(),
  },
  {
    id: 'wasm',
    open: async () => (await import('@modelwright/backend-wasm')).createBackend(),
  },
  {
    id: 'onnxruntime:webgpu',
    open: async () => (await import('@modelwright/backend-onnxruntime')).createBackend({ device: 'webgpu' }),
    missing: findVulkanDriver(),
  },
];

export const reference: NodeBackend = { id: 'reference', open: async () => createReferenceBackend() };

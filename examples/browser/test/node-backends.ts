import { type Backend, createReferenceBackend } from '@modelwright/core';

/** A backend as this process can open it. */
export interface NodeBackend {
  readonly id: string;
  readonly open: () => Promise<Backend>;
}

/** The backends for Node other than the reference. */
export const nodeBackends: readonly NodeBackend[] = [
  {
    id: 'onnxruntime',
    open: async () => (await import('@modelwright/backend-onnxruntime')).createBackend(),
  },
];

export const reference: NodeBackend = { id: 'reference', open: async () => createReferenceBackend() };

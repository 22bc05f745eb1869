import { describeBackend } from '@modelwright/backend-conformance';
import { createBackend as createOnnxRuntimeBackend } from '@modelwright/backend-onnxruntime';
import type { Backend } from '@modelwright/core';
import { createBackend } from './create-backend.js';

/** The engines, and the way that the first of them takes where koffi cannot be loaded. */
const ways: { readonly [name: string]: () => Promise<Backend> } = {
  onnxruntime: () => createBackend({ engine: 'onnxruntime' }),
  'onnxruntime without koffi': () => createOnnxRuntimeBackend({ device: 'cuda', engine: 'binding' }),
  tensorflow: () => createBackend({ engine: 'tensorflow' }),
};

// The CPU's known limits hold for what the provider leaves to it; those of the GPU itself are found by `tools/gpu-check`.
for (const [name, create] of Object.entries(ways))
  describeBackend(`cuda, ${name}`, { create, unavailable: await reasonAgainst(create) });

async function reasonAgainst(create: () => Promise<Backend>): Promise<string | undefined> {
  const opened = await create().catch((error: Error) => error);
  if (opened instanceof Error) return opened.message;
  await opened.dispose();
  return undefined;
}

import { describeBackend } from '@modelwright/backend-conformance';
import type { Backend } from '@modelwright/core';
import { type CudaEngine, createBackend } from './create-backend.js';

// The CPU's known limits hold for what the provider leaves to it; those of the GPU itself are found by `tools/gpu-check`.
for (const engine of ['onnxruntime', 'tensorflow'] as const) {
  const unavailable = await reasonAgainst(engine);
  describeBackend(`cuda, ${engine}`, { create: () => createBackend({ engine }), unavailable });
}

async function reasonAgainst(engine: CudaEngine): Promise<string | undefined> {
  const opened = await createBackend({ engine }).catch((error: Error) => error);
  if (opened instanceof Error) return opened.message;
  await (opened as Backend).dispose();
  return undefined;
}

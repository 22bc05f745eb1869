import { isModelwrightError, type ModelwrightError } from '@modelwright/core';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import { describe, expect, it } from 'vitest';
import { type CudaBackendOptions, createBackend } from './create-backend.js';
import { openTensorflow, restoreUtil } from './tensorflow-engine.js';

async function refusalOf(opening: Promise<unknown>): Promise<ModelwrightError> {
  const result = await opening.catch((error: unknown) => error);
  if (!isModelwrightError(result)) throw result;
  return result;
}

/** A machine with a GPU opens it; all others say what is missing. */
async function expectGpuOrReason(options: CudaBackendOptions, reason: RegExp): Promise<void> {
  const opened = await createBackend(options).catch((error: unknown) => error);
  if (!isModelwrightError(opened)) return expect((opened as { device: string }).device).toBe('cuda');
  expect(opened.code).toBe('backend-unavailable');
  expect(opened.message).toMatch(reason);
  expect(opened.details.hint).toBeTruthy();
}

describe('what is missing is named', () => {
  it('for ONNX Runtime', () => expectGpuOrReason({ engine: 'onnxruntime' }, /device 'cuda' of onnxruntime/));
  it('for TensorFlow', () => expectGpuOrReason({ engine: 'tensorflow' }, /tfjs-node-gpu|libtensorflow|CUDA/));
  it('for both when either would do', () => expectGpuOrReason({}, /onnxruntime: .*; tensorflow: /));

  it.each([
    [
      "Cannot find package '@tensorflow/tfjs-node-gpu' imported from x",
      /not installed/,
      /npm install .*pnpm add .*yarn add/,
    ],
    ['libcudart.so.11.0: cannot open shared object file', /CUDA 11\.2/, /engine onnxruntime/],
    ['libtensorflow.so.2: cannot open shared object file', /libtensorflow is missing/, /install\.js/],
    ["Cannot find module '/x/lib/napi-v8/tfjs_binding.node'", /addon/, /build-from-source/],
    ['something else', /cannot be loaded: something else/, /npm install/],
  ])('TensorFlow: %s', async (message, reason, hint) => {
    const refusal = await refusalOf(openTensorflow(() => Promise.reject(new Error(message))));
    expect(refusal.message).toMatch(reason);
    expect(refusal.details.hint).toMatch(hint);
  });
});

describe('it never computes on the CPU instead', () => {
  it('refuses a TensorFlow.js whose backend has no GPU', async () => {
    await tf.setBackend('cpu');
    const refusal = await refusalOf(openTensorflow(async () => tf));
    expect(refusal.code).toBe('backend-unavailable');
    expect(refusal.message).toMatch(/would compute on the CPU/);
  });
});

describe('options', () => {
  it('refuses engines and devices that are none', async () => {
    expect((await refusalOf(createBackend({ engine: 'abacus' as never }))).code).toBe('invalid-configuration');
    expect((await refusalOf(createBackend({ device: 'first' }))).code).toBe('invalid-configuration');
  });
});

it('gives Node back what tfjs-node needs', async () => {
  restoreUtil();
  const util = (await import('node:util')).default as unknown as { isNullOrUndefined(value: unknown): boolean };
  expect([null, undefined, 0].map((value) => util.isNullOrUndefined(value))).toEqual([true, true, false]);
});

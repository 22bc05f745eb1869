import { readFileSync } from 'node:fs';
import { createBackend } from '@modelwright/backend-onnxruntime';
import { type Backend, verify } from '@modelwright/core';
import { readOnnx, writeOnnx } from '@modelwright/onnx';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { foldBatchNormalization } from './fold-batch-normalization.js';
import { optimizeGraph } from './optimize-graph.js';
import { opsOf } from './same-outputs.cases.js';

let backend: Backend;
beforeAll(async () => {
  backend = await createBackend();
});
afterAll(async () => {
  await backend.dispose();
});

interface Recorded {
  readonly input: { readonly name: string; readonly shape: number[]; readonly data: number[] };
  readonly output: { readonly shape: number[]; readonly data: number[] };
}

const fixtures = new URL('../../fixtures/', import.meta.url);
const bytesOf = (name: string): Uint8Array => new Uint8Array(readFileSync(new URL(`${name}.onnx`, fixtures)));
const recordOf = (name: string): Recorded => JSON.parse(readFileSync(new URL(`${name}.json`, fixtures), 'utf8'));

/** The largest difference between what ONNX Runtime, called directly, computes of a file, and what PyTorch did. */
async function distanceToTorch(name: string, bytes: Uint8Array): Promise<number> {
  const { input, output } = recordOf(name);
  const session = await InferenceSession.create(bytes);
  const given = await session.run({ [input.name]: new Tensor('float32', Float32Array.from(input.data), input.shape) });
  const numbers = given['output']?.data as Float32Array;
  await session.release();
  return Math.max(...output.data.map((each, index) => Math.abs(each - (numbers[index] as number))));
}

const count = (ops: readonly string[]): { readonly [op: string]: number } =>
  Object.fromEntries([...new Set(ops)].map((op) => [op, ops.filter((each) => each === op).length]));

/** What is left of the networks that PyTorch exported. */
const classifier = {
  ...{ Sub: 1, Conv: 6, Relu: 4, Add: 2, Clip: 1, HardSwish: 1, MaxPool: 1 },
  ...{ Reshape: 1, Gemm: 2, LogSoftmax: 1 },
};
const exported = [
  ['classifier-9', classifier],
  ['classifier-13', classifier],
  [
    'encoder-11',
    {
      ...{ LayerNormalization: 2, MatMul: 6, Add: 6, Split: 1, Reshape: 4, Transpose: 4 },
      ...{ Div: 1, Softmax: 1, Gelu: 1 },
    },
  ],
  ['generator-10', { Gemm: 1, Reshape: 1, Relu: 1, ConvTranspose: 2, LeakyRelu: 1, Tanh: 1 }],
] as const;

describe('networks that PyTorch exported at old opsets', () => {
  test.each(exported)('%s', async (name, ops) => {
    const model = readOnnx(bytesOf(name));
    const small = await optimizeGraph(model, { check: { backend, tolerance: 1e-5 } });
    verify(small.graph);
    expect(count(opsOf(small))).toEqual(ops);
    expect(await distanceToTorch(name, writeOnnx(small).bytes)).toBeLessThan(1e-5);
  });

  test('parameters keep the names that the file gave them', async () => {
    const small = await optimizeGraph(readOnnx(bytesOf('generator-10')));
    const names = ['dense.weight', 'dense.bias', 'up.weight', 'up.bias', 'paint.weight', 'paint.bias'];
    expect(small.parameters.map(({ name }) => name)).toEqual(names);
    expect(small.parameters.map(({ value }) => value.name)).toEqual(names);
  });

  test('normalization alone is folded where nothing else is wanted', async () => {
    const folded = foldBatchNormalization(readOnnx(bytesOf('classifier-9')));
    expect(opsOf(folded)).not.toContain('BatchNormalization');
    expect(opsOf(folded)).toContain('Shape');
    expect(await distanceToTorch('classifier-9', writeOnnx(folded).bytes)).toBeLessThan(1e-5);
  });
});

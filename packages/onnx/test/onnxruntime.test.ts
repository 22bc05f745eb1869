import { type DType, isModelwrightError, type Tensor, type TensorMap } from '@modelwright/core';
import { InferenceSession, Tensor as RuntimeTensor } from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { foreignNodesOf, readOnnx, readTensor, writeOnnx } from '../src/index.js';
import { externalDataOf, fixtureNames, loadFixture } from './fixtures.js';
import { nodeTests } from './node-tests.js';

// What the writer makes has to mean to ONNX Runtime what the file that was read meant to it.

/** Element types that the runtime's binding takes and gives. */
const carried: ReadonlySet<string> = new Set<DType>(['float32', 'float64', 'int64', 'int32', 'bool', 'uint8', 'int8']);

async function run(bytes: Uint8Array, inputs: TensorMap): Promise<Record<string, RuntimeTensor>> {
  const session = await InferenceSession.create(bytes, { logSeverityLevel: 4, intraOpNumThreads: 1 });
  try {
    const feeds = Object.entries(inputs).filter(([name]) => session.inputNames.includes(name));
    const results = await session.run(Object.fromEntries(feeds.map(([name, tensor]) => [name, runtimeTensor(tensor)])));
    return results as Record<string, RuntimeTensor>;
  } finally {
    await session.release();
  }
}

function runtimeTensor({ dtype, data, shape }: Tensor): RuntimeTensor {
  return new RuntimeTensor(dtype as 'float32', data as Float32Array, [...shape]);
}

async function expectSameResults(
  bytes: Uint8Array,
  inputs: TensorMap,
  options: { readonly opset?: number },
  name: string,
) {
  const model = readOnnx(bytes, { externalData: externalDataOf(name) });
  const before = await run(bytes, inputs).catch(() => undefined);
  if (before === undefined) return 'not runnable';
  const after = await run(writeOnnx(model, options).bytes, inputs);
  expect(Object.keys(after)).toEqual(Object.keys(before));
  for (const [output, wanted] of Object.entries(before)) {
    expect(after[output]?.type, output).toBe(wanted.type);
    expect(after[output]?.dims, output).toEqual(wanted.dims);
    expectClose(after[output]?.data, wanted.data, output);
  }
  return 'same';
}

function expectClose(given: RuntimeTensor['data'] | undefined, wanted: RuntimeTensor['data'], output: string): void {
  if (typeof wanted[0] !== 'number') {
    expect(given).toEqual(wanted);
    return;
  }
  // Another form of an op may be another kernel: the last bits differ.
  (wanted as Float32Array).forEach((target, index) => {
    const number = Number(given?.[index]);
    if (Object.is(number, target) || Math.abs(number - target) <= 1e-6 + 1e-5 * Math.abs(target)) return;
    expect.fail(`${output}[${index}] is ${number}, was ${target}`);
  });
}

describe('what is written gives the same in ONNX Runtime', () => {
  const fixtures = fixtureNames.filter((name) => name !== 'external');

  it.each(fixtures)('%s', async (name) => {
    const { bytes, inputs } = loadFixture(name);
    expect(await expectSameResults(bytes, inputs, {}, name)).toBe('same');
  });

  it.each(fixtures.filter((name) => !name.startsWith('foreign')))('%s in opset 17', async (name) => {
    const { bytes, inputs } = loadFixture(name);
    expect(await expectSameResults(bytes, inputs, { opset: 17 }, name)).toBe('same');
  });

  it('for every one of the operator tests it can run', { timeout: 120_000 }, async () => {
    const counts = new Map<string, number>();
    for (const test of nodeTests.filter(({ name }) => !/bernoulli|dropout|random/.test(name))) {
      const inputs = inputsOf(test.inputs);
      if (inputs === undefined || !isReadable(test.model)) continue;
      const outcome = await expectSameResults(test.model, inputs, {}, '').catch(
        (error: Error) => `${test.name}: ${error.message}`,
      );
      counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
    }
    expect([...counts.keys()].filter((outcome) => outcome !== 'same' && outcome !== 'not runnable')).toEqual([]);
    expect(counts.get('same')).toBeGreaterThan(500);
  });
});

function inputsOf(encoded: readonly Uint8Array[]): TensorMap | undefined {
  try {
    const tensors = encoded.map(readTensor);
    if (tensors.some(({ tensor }) => !carried.has(tensor.dtype))) return undefined;
    return Object.fromEntries(tensors.map(({ name, tensor }) => [name, tensor]));
  } catch (error) {
    if (isModelwrightError(error, 'unsupported-dtype')) return undefined;
    throw error;
  }
}

function isReadable(bytes: Uint8Array): boolean {
  try {
    return foreignNodesOf(readOnnx(bytes).graph).length === 0;
  } catch {
    return false;
  }
}

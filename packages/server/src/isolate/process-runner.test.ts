import { createReferenceBackend, evaluateGraph, Tensor, type TensorMap } from '@modelwright/core';
import { afterAll, afterEach, expect, test, vi } from 'vitest';
import type { ServerEvent } from '../contract/events.js';
import type { ServedModel } from '../contract/served-model.js';
import { artifactOf, classifier, examples } from '../serving/test-artifact.cases.js';
import { hostProgram } from '../workers/host-program.cases.js';
import { nodeServing } from '../workers/node-serving.js';
import { isSecretVariable } from './secret-variable.js';

const processEntry = hostProgram('isolate/process-entry');
const backend = createReferenceBackend();
const failing = new URL('../workers/failing-backend.cases.mjs', import.meta.url).href;
const open: ServedModel[] = [];
afterEach(() => vi.unstubAllEnvs());
afterAll(async () => {
  for (const each of open) await each.dispose(0);
});

async function serve(module: string, configuration = {}): Promise<{ served: ServedModel; events: ServerEvent[] }> {
  const events: ServerEvent[] = [];
  const stream = { emit: (event: ServerEvent) => void events.push(event), subscribe: () => () => undefined };
  const make = nodeServing({ backendModule: { module }, isIsolated: true, processEntry, hangMilliseconds: 200 });
  const served = await make(artifactOf(classifier(), configuration), { backend, events: stream });
  open.push(served);
  return { served, events };
}

const one = (value: number): TensorMap => ({ x: new Tensor('float32', [1, 4], Float32Array.of(value, 0, 0, 0)) });

test('answers as the reference does, in batches too', async () => {
  const { served } = await serve('@modelwright/backend-onnxruntime');
  const inputs = [1, 2, 3].map((seed) => ({ x: examples(2, seed) }));
  const answers = await Promise.all(inputs.map((each) => served.infer(each, {})));
  for (const [index, { outputs }] of answers.entries()) {
    const expected = evaluateGraph(classifier().graph, inputs[index] as TensorMap)['y'] as Tensor<'float32'>;
    for (const [at, value] of expected.data.entries()) expect(outputs['y']?.data[at]).toBeCloseTo(value, 5);
  }
}, 30_000);

test('a process that dies fails its requests, and those that come meanwhile wait for the next one', async () => {
  vi.stubEnv('A_SECRET_KEY', 'x');
  const { served, events } = await serve(failing, { maxBatchSize: 1 });
  expect((await served.infer(one(7), {})).outputs['y']?.data[0]).toBe(-7);
  const deadly = served.infer(one(13), {});
  const behind = served.infer(one(5), {});
  await expect(deadly).rejects.toMatchObject({ code: 'model-unavailable', details: { retryAfterSeconds: 1 } });
  expect((await behind).outputs['y']?.data[0]).toBe(-5);
  expect(events.filter(({ kind }) => kind === 'model-state')).toMatchObject([
    { state: 'UNAVAILABLE', reason: 'it ended with 13' },
    { state: 'READY', reason: '' },
  ]);
  // The process knows nothing that looks like a secret.
  expect((await served.infer(one(55), {})).outputs['y']?.data[0]).toBe(0);
  await expect(served.infer(one(34), {})).rejects.toMatchObject({ code: 'backend-failure', message: '34 is too much' });
}, 30_000);

test('a run that hangs when nobody waits any more is got rid of', async () => {
  const { served } = await serve(failing, { maxBatchSize: 1, warmUpBatchSizes: [] });
  await expect(served.infer(one(21), { deadline: performance.now() + 20 })).rejects.toMatchObject({
    code: 'deadline-exceeded',
  });
  expect((await served.infer(one(4), {})).outputs['y']?.data[0]).toBe(-4);
}, 30_000);

test.each(['MODELWRIGHT_KEY', 'AWS_SECRET_ACCESS_KEY', 'npm_token', 'DB_PASSWORD'])('%s is a secret', (name) => {
  expect(isSecretVariable(name)).toBe(true);
});

test.each(['PATH', 'KEYBOARD', 'LD_LIBRARY_PATH', 'CUDA_VISIBLE_DEVICES'])('%s is none', (name) => {
  expect(isSecretVariable(name)).toBe(false);
});

test('a model that cannot be loaded there is refused', async () => {
  await expect(serve(new URL('./none.mjs', import.meta.url).href)).rejects.toMatchObject({ code: 'backend-failure' });
}, 30_000);

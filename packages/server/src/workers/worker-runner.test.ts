import { createReferenceBackend, Tensor, type TensorMap } from '@modelwright/core';
import { expect, test } from 'vitest';
import { artifactOf, classifier } from '../serving/test-artifact.cases.js';
import { hostProgram } from './host-program.cases.js';
import { nodeServing } from './node-serving.js';
import { openWorkerRunner } from './worker-runner.js';

const entry = hostProgram('workers/thread-entry');
const module = new URL('./failing-backend.cases.mjs', import.meta.url).href;
const one = (value: number): TensorMap => ({ x: new Tensor('float32', [1, 4], Float32Array.of(value, 0, 0, 0)) });

test('runs go to the thread that is free; one that dies is replaced', async () => {
  const runner = await openWorkerRunner(artifactOf(classifier()), { backend: { module }, workers: 2, entry });
  expect(runner).toMatchObject({ concurrency: 2, copies: 2 });
  const stuck = runner.run(one(21)).catch((error: unknown) => error);
  for (const value of [1, 2, 3]) expect((await runner.run(one(value)))['y']?.data[0]).toBe(-value);
  await expect(runner.run(one(34))).rejects.toMatchObject({ code: 'backend-failure', message: '34 is too much' });
  await expect(runner.run(one(13))).rejects.toMatchObject({
    code: 'model-unavailable',
    details: { retryAfterSeconds: 1 },
  });
  // The other thread hangs, so this one waits for the new one.
  let answer: TensorMap | undefined;
  for (let tries = 0; tries < 200 && answer === undefined; tries++)
    answer = await Promise.race([
      runner.run(one(8)).catch(() => undefined),
      new Promise<undefined>((resolve) => setTimeout(resolve, 50)),
    ]);
  expect(answer?.['y']?.data[0]).toBe(-8);
  await runner.dispose();
  expect(await stuck).toMatchObject({ code: 'model-unavailable' });
}, 30_000);

test('an engine that blocks its thread gets workers by itself', async () => {
  const backend = createReferenceBackend();
  const events = { emit: () => undefined, subscribe: () => () => undefined };
  const make = nodeServing({ backendModule: { module }, workerEntry: entry });
  const served = await make(artifactOf(classifier()), { backend, events });
  expect((await served.infer(one(3), {})).outputs['y']?.data[0]).toBe(-3);
  await served.dispose();
  // Without a way to open the backend there, it is not done in silence in the server's own thread.
  const code = 'invalid-configuration';
  const wanting = artifactOf(classifier(), { workers: 1 });
  await expect(nodeServing()(wanting, { backend, events })).rejects.toMatchObject({ code });
  const apart = nodeServing({ isIsolated: true });
  await expect(apart(artifactOf(classifier()), { backend, events })).rejects.toMatchObject({ code });
}, 30_000);

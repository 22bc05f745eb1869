import { createReferenceBackend, evaluateGraph, type Model, Tensor, type TensorMap } from '@modelwright/core';
import { afterEach, describe, expect, test } from 'vitest';
import type { ServerEvent } from '../contract/events.js';
import type { ModelConfiguration } from '../contract/model-configuration.js';
import type { ServedModel } from '../contract/served-model.js';
import { createServedModel } from './create-served-model.js';
import type { ModelRunner } from './model-runner.js';
import { artifactOf, batchRange, classifier, examples, meanOverSteps } from './test-artifact.cases.js';

const backend = createReferenceBackend();
const open: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of open.splice(0)) await close();
});

interface Opened {
  readonly served: ServedModel;
  readonly events: ServerEvent[];
  /** Rows of every run, in order. */
  readonly runs: number[];
  /** Ends the oldest run that is held, once there is one. */
  release(count?: number): Promise<void>;
}

/** Serves a model on the reference backend; with `isHeld`, runs after the first preparations wait for `release`. */
async function serve(
  model: Model,
  configuration: ModelConfiguration = {},
  { isHeld = false, concurrency = 1 } = {},
): Promise<Opened> {
  const events: ServerEvent[] = [];
  const runs: number[] = [];
  const held: (() => void)[] = [];
  let isReady = false;
  const served = await createServedModel(artifactOf(model, configuration), {
    backend,
    events: { emit: (event) => events.push(event) },
    openRunner: async (_, program): Promise<ModelRunner> => {
      const executable = await backend.compile(program);
      const underWay = new Set<Promise<unknown>>();
      const run: ModelRunner['run'] = async (inputs, options) => {
        if (isReady) runs.push(Object.values(inputs)[0]?.shape[0] ?? 0);
        if (isReady && isHeld) await new Promise<void>((resolve) => held.push(resolve));
        return executable.run(inputs, options);
      };
      return {
        concurrency,
        copies: 1,
        run(inputs, options) {
          const result = run(inputs, options);
          underWay.add(result);
          return result;
        },
        async dispose() {
          await Promise.allSettled(underWay);
          await executable.dispose();
        },
      };
    },
  });
  isReady = true;
  open.push(async () => {
    for (const end of held.splice(0)) end();
    await served.dispose(0);
  });
  const release = async (count = 1): Promise<void> => {
    for (let run = 0; run < count; run++) {
      while (held.length === 0) await new Promise<void>((resolve) => setImmediate(resolve));
      held.shift()?.();
    }
  };
  return { served, events, runs, release };
}

const answerOf = (model: Model, inputs: TensorMap): TensorMap => evaluateGraph(model.graph, inputs);

describe('dynamic batching', () => {
  test('requests that wait run together, and each gets its own rows', async () => {
    const { served, runs, events, release } = await serve(classifier(), { maxBatchSize: 8 }, { isHeld: true });
    const inputs = [1, 2, 1, 3, 2].map((rows, index) => ({ x: examples(rows, index) }));
    const answers = inputs.map((one) => served.infer(one, {}));
    await release(2);
    for (const [index, answer] of (await Promise.all(answers)).entries()) {
      const expected = answerOf(classifier(), inputs[index] as TensorMap)['y'] as Tensor;
      expect(answer.outputs['y']?.shape).toEqual(expected.shape);
      expect([...(answer.outputs['y']?.data ?? [])]).toEqual([...expected.data]);
    }
    // The first one has nobody to wait for; those that came meanwhile go together as far as they fit.
    expect(runs).toEqual([1, 8]);
    expect(events).toMatchObject([
      { kind: 'execution', batchSize: 1 },
      { kind: 'execution', batchSize: 8 },
    ]);
    expect(served.statistics()).toMatchObject({
      inferenceCount: 9,
      executionCount: 2,
      pendingCount: 0,
      inferenceStats: { success: { count: 5 }, fail: { count: 0 } },
      batchStats: [{ batchSize: 1 }, { batchSize: 8 }],
    });
  });

  test('preferred sizes are formed at once', async () => {
    const configuration = {
      maxBatchSize: 16,
      dynamicBatching: { preferredBatchSizes: [4], maxQueueDelayMicroseconds: 5e6 },
    };
    const { served, runs, release } = await serve(classifier(), configuration, { isHeld: true });
    const answers = Array.from({ length: 9 }, (_, index) => served.infer({ x: examples(1, index) }, {}));
    await release(3);
    await Promise.all(answers);
    expect(runs).toEqual([1, 4, 4]);
  });

  test('where a crowd was lately, the first waits for it, but no longer than the bound', async () => {
    const configuration = { dynamicBatching: { maxQueueDelayMicroseconds: 30_000 } };
    const { served, runs } = await serve(classifier(), configuration);
    await Promise.all([1, 2, 3, 4].map((seed) => served.infer({ x: examples(1, seed) }, {})));
    const startedAt = performance.now();
    await served.infer({ x: examples(1) }, {});
    expect(performance.now() - startedAt).toBeGreaterThan(25);
    expect(runs.slice(-1)).toEqual([1]);
    const all = [1, 2, 3, 4].map((seed) => served.infer({ x: examples(1, seed) }, {}));
    await Promise.all(all);
    expect(runs.slice(-1)).toEqual([4]);
  });

  test('a client alone never waits for others', async () => {
    const configuration = { dynamicBatching: { maxQueueDelayMicroseconds: 5e6 } };
    const { served, runs } = await serve(classifier(), configuration);
    const startedAt = performance.now();
    for (let index = 0; index < 5; index++) await served.infer({ x: examples(1, index) }, {});
    expect(runs).toEqual([1, 1, 1, 1, 1]);
    expect(performance.now() - startedAt).toBeLessThan(1000);
  });

  test('only requests of one shape run together, and no padding changes an answer', async () => {
    const { served, runs, release } = await serve(meanOverSteps(), {}, { isHeld: true });
    const steps = [2, 3, 2, 3, 3];
    const inputs = steps.map((count, seed) => ({
      x: new Tensor('float32', [1, count, 2], examples(1, seed, 2 * count).data),
    }));
    const answers = inputs.map((one) => served.infer(one, {}));
    await release(3);
    for (const [index, { outputs }] of (await Promise.all(answers)).entries())
      expect(outputs).toEqual(answerOf(meanOverSteps(), inputs[index] as TensorMap));
    expect(runs).toEqual([1, 3, 1]);
  });

  test('a model whose examples influence each other runs one by one, and says so', async () => {
    const { served, runs, release } = await serve(batchRange(), {}, { isHeld: true });
    expect(served.notes?.[0]).toContain('one by one');
    const answers = [1, 2, 3].map((seed) => served.infer({ x: examples(1, seed) }, {}));
    await release(3);
    await Promise.all(answers);
    expect(runs).toEqual([1, 1, 1]);
  });

  test('more examples than a batch holds run in pieces', async () => {
    const { served, runs } = await serve(classifier(), { maxBatchSize: 4 });
    const inputs = { x: examples(10) };
    const { outputs, batchSize } = await served.infer(inputs, {});
    expect([...(outputs['y']?.data ?? [])]).toEqual([...(answerOf(classifier(), inputs)['y'] as Tensor).data]);
    expect(outputs['y']?.shape).toEqual([10, 3]);
    expect(batchSize).toBe(4);
    expect(runs).toEqual([4, 4, 2]);
  });

  test('where they may not be cut, more than the limit that was set is refused', async () => {
    const { served } = await serve(classifier(), { maxBatchSize: 4, dynamicBatching: { isEnabled: false } });
    expect((await served.infer({ x: examples(4) }, {})).batchSize).toBe(4);
    await expect(served.infer({ x: examples(5) }, {})).rejects.toMatchObject({ code: 'invalid-argument' });
    const whole = await serve(batchRange());
    expect((await whole.served.infer({ x: examples(50) }, {})).batchSize).toBe(50);
  });

  test('more pieces than the queue holds take turns', async () => {
    const { served } = await serve(classifier(), { maxBatchSize: 2, queue: { maxSize: 4 } });
    expect((await served.infer({ x: examples(64) }, {})).outputs['y']?.shape).toEqual([64, 3]);
  });
});

describe('the queue', () => {
  test('is bounded, and says when to come again', async () => {
    const { served, release } = await serve(classifier(), { maxBatchSize: 1, queue: { maxSize: 2 } }, { isHeld: true });
    const answers = [1, 2, 3].map((seed) => served.infer({ x: examples(1, seed) }, {}));
    await expect(served.infer({ x: examples(1) }, {})).rejects.toMatchObject({
      code: 'queue-full',
      details: { retryAfterSeconds: expect.any(Number) },
    });
    expect(served.statistics().pendingCount).toBe(2);
    await release(3);
    await expect(Promise.all(answers)).resolves.toHaveLength(3);
  });

  test('serves urgent requests first', async () => {
    const configuration = { maxBatchSize: 1, queue: { priorityLevels: 3 } };
    const { served, release } = await serve(classifier(), configuration, { isHeld: true });
    const order: string[] = [];
    const ask = (name: string, priority?: number): Promise<unknown> =>
      served.infer({ x: examples(1) }, priority === undefined ? {} : { priority }).then(() => order.push(name));
    const all = [ask('running'), ask('whenever'), ask('later', 2), ask('first', 1), ask('first too', 1)];
    await release(5);
    await Promise.all(all);
    expect(order).toEqual(['running', 'first', 'first too', 'later', 'whenever']);
  });

  test('gives up on deadlines and on callers that have gone, waiting or running', async () => {
    const { served, runs, release } = await serve(classifier(), { maxBatchSize: 1 }, { isHeld: true });
    const leaving = new AbortController();
    const running = served.infer({ x: examples(1) }, { deadline: performance.now() + 30 });
    const late = served.infer({ x: examples(1) }, { deadline: performance.now() + 10 });
    const gone = served.infer({ x: examples(1) }, { signal: leaving.signal });
    const stays = served.infer({ x: examples(2) }, {});
    leaving.abort();
    await expect(gone).rejects.toMatchObject({ code: 'aborted' });
    await expect(late).rejects.toMatchObject({ code: 'deadline-exceeded' });
    await expect(running).rejects.toMatchObject({ code: 'deadline-exceeded' });
    expect(served.statistics().pendingCount).toBe(1);
    await release(2);
    await stays;
    expect(runs).toEqual([1, 2]);
    expect(served.statistics().inferenceStats.fail.count).toBe(3);
    await expect(served.infer({ x: examples(1) }, { deadline: 0 })).rejects.toMatchObject({
      code: 'deadline-exceeded',
    });
    await expect(served.infer({ x: examples(1) }, { signal: leaving.signal })).rejects.toMatchObject({
      code: 'aborted',
    });
  });

  test('watches callers of requests that take a while, and only those', async () => {
    const { served, release } = await serve(classifier(), { maxBatchSize: 1 }, { isHeld: true });
    const leaving = new AbortController();
    let opened = 0;
    const openSignal = (): AbortSignal => {
      opened += 1;
      return leaving.signal;
    };
    const soon = served.infer({ x: examples(1) }, { openSignal });
    await release();
    await soon;
    const slow = served.infer({ x: examples(1) }, { openSignal, deadline: performance.now() + 60_000 });
    const gone = expect(slow).rejects.toMatchObject({ code: 'aborted' });
    expect(opened).toBe(0);
    await new Promise<void>((resolve) => setTimeout(resolve, 150));
    expect(opened).toBe(1);
    leaving.abort();
    await gone;
  });

  test('has a time limit of its own', async () => {
    const { served } = await serve(classifier(), { queue: { defaultTimeoutMilliseconds: 5 } }, { isHeld: true });
    await expect(served.infer({ x: examples(1) }, {})).rejects.toMatchObject({ code: 'deadline-exceeded' });
  });
});

describe('disposal', () => {
  test('finishes what waits, and takes nothing new', async () => {
    const { served, release } = await serve(classifier(), { maxBatchSize: 1 }, { isHeld: true });
    const answers = [1, 2].map((seed) => served.infer({ x: examples(1, seed) }, {}));
    const closed = served.dispose();
    await expect(served.infer({ x: examples(1) }, {})).rejects.toMatchObject({ code: 'model-unavailable' });
    await release(2);
    await expect(Promise.all(answers)).resolves.toHaveLength(2);
    await closed;
  });

  test('fails what waits when time is over', async () => {
    const { served, release } = await serve(classifier(), { maxBatchSize: 1 }, { isHeld: true });
    const [running, waiting] = [1, 2].map((seed) => served.infer({ x: examples(1, seed) }, {}));
    const closed = served.dispose(5);
    await expect(waiting).rejects.toMatchObject({ code: 'model-unavailable' });
    await release();
    await Promise.all([running, closed]);
  });
});

describe('requests that are wrong', () => {
  const x = examples(1);
  test.each([
    ['invalid-argument', { x, z: x }],
    ['invalid-argument', {}],
    ['dtype-mismatch', { x: new Tensor('int32', [1, 4], new Int32Array(4)) }],
    ['shape-mismatch', { x: examples(1, 1, 5) }],
    ['invalid-argument', { x: new Tensor('float32', [0, 4], new Float32Array()) }],
  ])('%s', async (code, inputs) => {
    const { served } = await serve(classifier());
    await expect(served.infer(inputs as TensorMap, {})).rejects.toMatchObject({ code });
    await expect(served.infer({ x }, { outputs: ['q'] })).rejects.toMatchObject({ code: 'invalid-argument' });
  });

  test.each([
    { concurrency: Number.NaN },
    { queue: { maxSize: 0 } },
    { maxBatchSize: 1.5 },
    { dynamicBatching: { maxQueueDelayMicroseconds: -1 } },
  ])('%j is refused', async (configuration) => {
    await expect(createServedModel(artifactOf(classifier(), configuration), { backend })).rejects.toMatchObject({
      code: 'invalid-configuration',
    });
  });
});

test('what a model is', async () => {
  const { served } = await serve(classifier(), { maxBatchSize: 8 });
  expect(served.info).toMatchObject({
    name: 'classifier',
    platform: 'onnx_onnxv1',
    maxBatchSize: 8,
    inputs: [{ name: 'x', dtype: 'float32', shape: ['batch', 4] }],
    outputs: [{ name: 'y', dtype: 'float32', shape: ['batch', 3] }],
    abilities: { generates: false, embeds: false, takesRawInputs: false },
  });
  expect(served.memoryBytes).toBe(4 * (32 + 24));
});

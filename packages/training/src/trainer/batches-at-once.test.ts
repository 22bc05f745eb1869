import { type Backend, createReferenceBackend, type Executable, type TensorMap } from '@modelwright/core';
import { batchNormalization, dense, dropout, sequential } from '@modelwright/models';
import { describe, expect, test } from 'vitest';
import type { Callback } from '../callbacks/callback.js';
import { createRandom, fromArrays } from '../data/index.js';
import { sparseCategoricalCrossentropy } from '../losses/classification.js';
import { adam } from '../optimizers/adam.js';
import { createTrainer, type TrainerOptions } from './create-trainer.js';
import type { FitOptions } from './fit-options.js';

const random = createRandom(4);
const uniform = (): number => random.nextUint32() / 2 ** 31 - 1;
const x = Array.from({ length: 46 }, () => [uniform(), uniform(), uniform()]);
const labels = Int32Array.from(x, ([a = 0, b = 0]) => (a > b ? 0 : 1));
const data = fromArrays({ x, y: { data: labels, shape: [46] } });

/** The reference backend, saying that runs are best given together; `calls` gets how many came at once. */
function backendForMany(runsAtOnce: number, calls: number[]): Backend {
  const backend = createReferenceBackend();
  const counted = (executable: Executable): Executable => {
    const { run, runMany } = executable;
    return Object.assign(executable, {
      run: (...given: Parameters<typeof run>) => {
        calls.push(1);
        return run.apply(executable, given);
      },
      runMany: (...given: Parameters<typeof runMany>) => {
        calls.push(given[0].length);
        return runMany.apply(executable, given);
      },
    });
  };
  return {
    ...{ specificationVersion: 'v1', name: backend.name, device: backend.device },
    capabilities: { ...backend.capabilities, runsAtOnce },
    compile: async (program, options) => counted(await backend.compile(program, options)),
    dispose: () => backend.dispose(),
  };
}

interface Trained {
  readonly weights: TensorMap;
  readonly values: object;
  readonly evaluated: object;
  readonly calls: readonly number[];
}

async function train(
  runsAtOnce: number,
  options: FitOptions = {},
  more: Partial<TrainerOptions> = {},
): Promise<Trained> {
  const model = sequential({
    inputShape: [3],
    seed: 1,
    layers: [
      dense({ units: 6, activation: 'relu' }),
      batchNormalization(),
      dropout({ rate: 0.2 }),
      dense({ units: 2 }),
    ],
  });
  const calls: number[] = [];
  const trainer = await createTrainer(model, {
    backend: backendForMany(runsAtOnce, calls),
    optimizer: adam({ learningRate: 0.05 }),
    loss: sparseCategoricalCrossentropy({ fromLogits: true }),
    metrics: ['accuracy'],
    ...more,
  });
  const { values } = await trainer.fit(data, { epochs: 2, batchSize: 4, verbose: 0, ...options });
  const trained = [...calls];
  const evaluated = await trainer.evaluate(data, { batchSize: 5 });
  await trainer.predict({ data: new Float32Array(3 * 7), shape: [7, 3] }, { batchSize: 2 });
  await trainer.dispose();
  return { weights: model.getWeights(), values, evaluated, calls: trained };
}

describe('batches given to the backend together', () => {
  test('train, evaluate and count as they do one by one', async () => {
    const [together, single] = [await train(5), await train(1)];
    expect(together.weights).toEqual(single.weights);
    expect(together.values).toEqual(single.values);
    expect(together.evaluated).toEqual(single.evaluated);
    // 11 batches of four and one of two an epoch; the short one has a program of its own.
    expect(together.calls).toEqual([5, 5, 1, 1, 5, 5, 1, 1]);
    expect(single.calls).toEqual(Array.from({ length: 24 }, () => 1));
  });

  test('end where a callback watches a batch, which gets its own numbers', async () => {
    const watch = (seen: object[]): Callback => ({
      name: 'watch',
      batchFrequency: 4,
      onBatchBegin: (batch, run) => void seen.push({ batch, step: run.step }),
      onBatchEnd: async (batch, logs, run) => {
        seen.push({ batch, logs, weights: await run.readWeights() });
        run.setLearningRate(run.learningRate * 0.9);
      },
    });
    const [some, all]: [object[], object[]] = [[], []];
    const together = await train(5, { callbacks: [watch(some)] });
    const single = await train(1, { callbacks: [watch(all)] });
    expect(some).toEqual(all);
    expect(together.weights).toEqual(single.weights);
    expect(together.calls.slice(0, 4)).toEqual([3, 1, 3, 1]);
  });

  test('go alone where an extension acts between steps', async () => {
    const steps: number[] = [];
    const extension = { name: 'watch', afterStep: ({ step }: { step: number }) => void steps.push(step) };
    const { calls } = await train(5, {}, { extensions: [extension] });
    expect(calls).toEqual(Array.from({ length: 24 }, () => 1));
    expect(steps).toEqual(Array.from({ length: 24 }, (_, index) => index + 1));
  });

  test('go together between the steps at which an extension acts', async () => {
    const steps: string[] = [];
    const extension = {
      name: 'watch',
      actsAt: (step: number) => step % 4 === 2,
      beforeStep: ({ step }: { step: number }) => void steps.push(`before ${step}`),
      afterStep: ({ step }: { step: number }) => void steps.push(`after ${step}`),
    };
    const { calls } = await train(5, {}, { extensions: [extension] });
    expect(calls.slice(0, 3)).toEqual([2, 4, 4]);
    expect(steps.slice(0, 4)).toEqual(['after 2', 'before 2', 'after 6', 'before 6']);
  });

  test('accumulate gradients over several calls', async () => {
    const optimizer = adam({ learningRate: 0.05, gradientAccumulationSteps: 4 });
    const [together, single] = [await train(5, {}, { optimizer }), await train(1, {}, { optimizer })];
    expect(together.weights).toEqual(single.weights);
    expect(Math.max(...together.calls)).toBe(2);
  });
});

import { createBackend } from '@modelwright/backend-onnxruntime';
import { createReferenceBackend, fromNumbers, type Tensor, toNumbers } from '@modelwright/core';
import { dense, sequential } from '@modelwright/models';
import { type OptimizationStep, optimize, pruneWeights } from '@modelwright/optimization';
import { createTrainer } from '@modelwright/training';
import { afterAll, expect, test } from 'vitest';
import { fineTune } from './fine-tune.js';

const opened = createBackend();
afterAll(async () => (await opened).dispose());

const count = 64;
const wave = (shape: readonly number[], rate: number): Tensor =>
  fromNumbers(
    'float32',
    shape,
    Float64Array.from({ length: shape[0]! * shape[1]! }, (_, at) => Math.sin(at * rate)),
  );
const x = wave([count, 6], 1.3);
const y = fromNumbers(
  'int32',
  [count],
  Array.from({ length: count }, (_, row) => (Math.sin(row * 6 * 1.3) > 0 ? 1 : 0)),
);
const loss = 'sparseCategoricalCrossentropy';
const network = () =>
  sequential({
    inputShape: [6],
    layers: [
      dense({ units: 12, activation: 'relu', name: 'hidden' }),
      dense({ units: 2, activation: 'softmax', name: 'head' }),
    ],
  });

test('trains with data and options, and keeps what earlier steps want kept', async () => {
  const backend = await opened;
  const told: string[] = [];
  const { model, report } = await optimize(network(), {
    backend,
    measure: false,
    evaluate: async (candidate) => {
      const trainer = await createTrainer(candidate, { backend, loss });
      const { loss: found = 0 } = await trainer.evaluate({ x, y });
      await trainer.dispose();
      return { value: -found, name: 'loss' };
    },
    steps: [
      pruneWeights({ ratio: 0.5 }),
      fineTune({ data: { x, y }, epochs: 3, loss, optimizer: 'adam', batchSize: 16 }),
    ],
    progress: ({ step, done, total }) => done !== undefined && told.push(`${step} ${done}/${total}`),
  });
  const [, pruned, tuned] = report.record.stages;
  expect(tuned?.name).toBe('fine-tune 3 epochs');
  expect(tuned?.quality?.value).toBeGreaterThan(pruned?.quality?.value as number);
  const kernel = [...toNumbers(model.getWeights()['hidden.kernel'] as Tensor)];
  expect(kernel.filter((value) => value === 0)).toHaveLength(36);
  expect(told).toEqual(expect.arrayContaining(['fine-tune 3 epochs 1/3', 'fine-tune 3 epochs 3/3']));
});

test('takes a function that trains as well, and a name of a loss that is none is refused by it', async () => {
  const backend = createReferenceBackend();
  let given: unknown;
  const step = fineTune((model, context) => {
    given = [model.name, context.backend];
  });
  const model = network();
  await step.apply(model, { backend, extensions: [] });
  expect(given).toEqual([model.name, backend]);
  const wrong: OptimizationStep = fineTune({ data: { x, y }, loss: 'nothing' as never });
  await expect(wrong.apply(model, { backend, extensions: [] })).rejects.toMatchObject({ code: 'invalid-argument' });
});

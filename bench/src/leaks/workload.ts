/** What is done again and again, in Node and in a page. */
import { type Backend, createPredictor, Tensor } from '@modelwright/core';
import { batchNormalization, conv2d, dense, dropout, flatten, maxPooling2d, sequential } from '@modelwright/models';
import { createTrainer } from '@modelwright/training';

export type WorkloadKind = 'predict' | 'train';

/** A model that runs, or trains, as often as asked. */
export interface Workload {
  repeat(count: number): Promise<void>;
  close(): Promise<void>;
}

// Small, so that thousands of runs take a minute; of every kind of layer that keeps something from run to run.
const inputShape = [12, 12, 1];
const layers = (): Parameters<typeof sequential>[0]['layers'] => [
  conv2d({ filters: 8, kernelSize: 3, activation: 'relu' }),
  batchNormalization(),
  maxPooling2d({ poolSize: 2 }),
  flatten(),
  dropout({ rate: 0.3 }),
  dense({ units: 32, activation: 'relu' }),
  dense({ units: 10, activation: 'softmax' }),
];

/** Every fourth batch is a short one. */
const batchSizeOf = (run: number): number => (run % 4 === 3 ? 5 : 8);

/** Opens the model on a backend; the tensors given are new ones in every run. */
export async function openWorkload(backend: Backend, kind: WorkloadKind): Promise<Workload> {
  const model = sequential({ name: 'leaks', inputShape, layers: layers() });
  let runs = 0;
  const repeating = (run: (batchSize: number) => Promise<unknown>): Workload['repeat'] => {
    return async (count) => {
      for (let index = 0; index < count; index++) await run(batchSizeOf(runs++));
    };
  };
  if (kind === 'predict') {
    const predictor = await createPredictor(model, backend);
    return {
      repeat: repeating((batchSize) => predictor.predict(imagesOf(batchSize))),
      close: () => predictor.dispose(),
    };
  }
  const trainer = await createTrainer(model, {
    backend,
    optimizer: 'adam',
    loss: 'sparseCategoricalCrossentropy',
    metrics: ['accuracy'],
    seed: 1,
  });
  return {
    repeat: repeating((batchSize) => trainer.trainOnBatch({ x: imagesOf(batchSize), y: labelsOf(batchSize) })),
    close: () => trainer.dispose(),
  };
}

function imagesOf(batchSize: number): Tensor {
  const count = inputShape.reduce((product, extent) => product * extent, batchSize);
  return new Tensor(
    'float32',
    [batchSize, ...inputShape],
    Float32Array.from({ length: count }, (_, at) => Math.sin(at)),
  );
}

function labelsOf(batchSize: number): Tensor {
  return new Tensor(
    'int32',
    [batchSize],
    Int32Array.from({ length: batchSize }, (_, row) => row % 10),
  );
}

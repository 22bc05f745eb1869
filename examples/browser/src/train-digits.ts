import type { Backend, Model } from '@modelwright/core';
import { createTrainer, type Trainer } from '@modelwright/training';
import { type Digits, imagesOf, labelsOf, pick } from './digits.js';
import { type NetworkKind, networks } from './networks.js';

export interface TrainingOptions {
  readonly backend: Backend;
  readonly network: NetworkKind;
  readonly digits: Digits;
  readonly epochs: number;
  readonly batchSize: number;
  readonly signal: AbortSignal;
  readonly onStep: (step: number, loss: number) => void;
  /** Digits to judge by after each epoch. */
  readonly judge?: Digits | undefined;
  readonly onEpoch: (accuracy: number) => void;
}

/** A new network with the optimizer that the example uses. */
export function startTraining(backend: Backend, network: NetworkKind): Promise<Trainer> {
  return createTrainer(networks[network](), {
    backend,
    optimizer: 'adam',
    loss: 'sparseCategoricalCrossentropy',
    metrics: ['accuracy'],
    seed: 1,
  });
}

/** Trains a new network step by step, giving the page time to draw in between. */
export async function trainDigits(options: TrainingOptions): Promise<Model> {
  const { digits, epochs, batchSize, signal, judge, onStep, onEpoch } = options;
  const trainer = await startTraining(options.backend, options.network);
  try {
    let step = 0;
    for (let epoch = 0; epoch < epochs; epoch++) {
      for (const batch of batchesOf(digits, batchSize, epoch)) {
        if (signal.aborted) return await trainer.sync();
        const { loss } = await trainer.trainOnBatch({ x: imagesOf(batch), y: labelsOf(batch) });
        onStep(++step, loss as number);
        await pause();
      }
      if (judge === undefined) continue;
      const { accuracy } = await trainer.evaluate({ x: imagesOf(judge), y: labelsOf(judge) }, { batchSize: 100 });
      onEpoch(accuracy as number);
    }
    return await trainer.sync();
  } finally {
    await trainer.dispose();
  }
}

/** Full batches in an order that depends on the epoch alone. */
export function batchesOf(digits: Digits, batchSize: number, epoch: number): Digits[] {
  const order = shuffled(digits.count, epoch);
  return Array.from({ length: Math.floor(digits.count / batchSize) }, (_, index) =>
    pick(digits, order.slice(index * batchSize, (index + 1) * batchSize)),
  );
}

function shuffled(count: number, seed: number): number[] {
  const order = Array.from({ length: count }, (_, index) => index);
  let state = seed + 1;
  for (let last = count - 1; last > 0; last--) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    const chosen = Math.floor((state / 2 ** 32) * (last + 1));
    [order[last], order[chosen]] = [order[chosen] as number, order[last] as number];
  }
  return order;
}

const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve));

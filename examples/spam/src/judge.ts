import type { Backend, Model, Tensor } from '@modelwright/core';
import { adam, balancedClassWeights, createTrainer, type Dataset, earlyStopping } from '@modelwright/training';
import type { Mails } from './mails.js';

/** A network with the data as it reads them. */
export interface Contestant {
  readonly name: string;
  readonly model: Model;
  readonly train: Dataset;
  readonly validation: Dataset;
  readonly test: Dataset;
  readonly epochs: number;
  readonly learningRate: number;
}

/** How well a network told the mails apart that it had never seen. */
export interface Judgement {
  readonly name: string;
  readonly weights: number;
  readonly accuracy: number;
  /** Share of the spam that was recognised. */
  readonly spamCaught: number;
  /** Share of the other mails that was taken for spam. */
  readonly mailLost: number;
  readonly seconds: number;
}

interface Setting {
  readonly backend: Backend;
  readonly mails: { readonly train: Mails; readonly test: Mails };
  readonly seed: number;
  readonly quiet: boolean;
}

/** Trains a network, keeps its best epoch and judges it by the mails held out. */
export async function judge(contestant: Contestant, { backend, mails, seed, quiet }: Setting): Promise<Judgement> {
  const { name, model, train, validation, test, epochs, learningRate } = contestant;
  if (!quiet) console.log(`\n${name}`);
  const trainer = await createTrainer(model, {
    backend,
    optimizer: adam({ learningRate }),
    loss: 'binaryCrossentropy',
    metrics: ['accuracy'],
    seed,
  });
  const started = performance.now();
  await trainer.fit(train, {
    epochs,
    validationData: validation,
    classWeight: balancedClassWeights(mails.train.labels),
    callbacks: [earlyStopping({ monitor: 'val_loss', patience: 2, restoreBestWeights: true })],
    verbose: quiet ? 0 : 'auto',
  });
  const seconds = (performance.now() - started) / 1000;
  const spam: boolean[] = [];
  for await (const { inputs } of test) {
    const [output] = Object.values(await trainer.predict(inputs as Tensor));
    for (const probability of (output as Tensor).data as Float32Array) spam.push(probability > 0.5);
  }
  await trainer.dispose();
  return { name, weights: weightsOf(model), ...rates(spam, mails.test.labels), seconds };
}

function rates(
  spam: readonly boolean[],
  labels: readonly number[],
): { readonly accuracy: number; readonly spamCaught: number; readonly mailLost: number } {
  const share = (label: number): number => {
    const answers = spam.filter((_, index) => labels[index] === label);
    return answers.filter(Boolean).length / answers.length;
  };
  const right = spam.filter((answer, index) => answer === (labels[index] === 1)).length;
  return { accuracy: right / labels.length, spamCaught: share(1), mailLost: share(0) };
}

function weightsOf({ parameters }: Model): number {
  const count = (shape: readonly (number | string)[]): number =>
    shape.reduce<number>((product, extent) => product * Number(extent), 1);
  return parameters.reduce((sum, { value }) => sum + count(value.shape), 0);
}

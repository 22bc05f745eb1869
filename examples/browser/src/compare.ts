import type { Backend, Model } from '@modelwright/core';
import { allProbabilities, classesOf, largestDifference, largestRelativeDifference, lossTrace } from './agreement.js';
import { type BackendChoice, backendById, backends } from './backends.js';
import { type Digits, fetchDigits, pick } from './digits.js';
import { element, nextPaint } from './elements.js';
import type { NetworkKind } from './networks.js';
import { fetchModel } from './read-model.js';

/** What one backend gave. */
interface Findings {
  readonly probabilities: Float32Array;
  readonly losses: readonly number[];
}

const traceSteps = 20;
// The reference first: the others are compared with it.
const ordered = [...backends].sort((left, right) => Number(right.id === 'reference') - Number(left.id === 'reference'));
const rows = new Map(ordered.map((choice) => [choice.id, rowFor(choice)]));
element('rows').replaceChildren(...rows.values());

element<HTMLFormElement>('comparison').addEventListener('submit', (event) => {
  event.preventDefault();
  const count = Number(new FormData(event.target as HTMLFormElement).get('count'));
  void compareAll(count);
});

async function compareAll(count: number): Promise<void> {
  const button = element<HTMLButtonElement>('run');
  button.disabled = true;
  document.body.dataset['state'] = 'running';
  const model = await fetchModel();
  const [heldOut, training] = await Promise.all([firstDigits('held-out', count), fetchDigits('training')]);
  let reference: Findings | undefined;
  for (const choice of ordered) {
    element('status').textContent = `${choice.label} …`;
    await nextPaint();
    const found = await measure(choice, model, heldOut, training, reference).catch((error: unknown) => {
      explain(choice, error instanceof Error ? error.message : String(error));
      return undefined;
    });
    reference ??= found;
  }
  element('status').textContent = `Compared on ${count} digits and ${traceSteps} steps of training.`;
  document.body.dataset['state'] = 'done';
  button.disabled = false;
}

async function measure(
  choice: BackendChoice,
  model: Model,
  heldOut: Digits,
  training: Digits,
  reference: Findings | undefined,
): Promise<Findings> {
  const missing = await choice.missing?.();
  if (missing !== undefined) throw new RangeError(missing);
  const started = performance.now();
  const backend = await choice.create();
  try {
    await allProbabilities(model, backend, pick(heldOut, [0]));
    const ready = performance.now();
    const probabilities = await allProbabilities(model, backend, heldOut);
    const predicted = performance.now();
    const losses = await lossTrace(backend, training, { network: 'mlp', steps: traceSteps });
    const found = { probabilities, losses };
    fill(choice, [
      String(backend.capabilities.threads),
      `${(ready - started).toFixed(0)} ms`,
      `${((predicted - ready) / heldOut.count).toFixed(2)} ms`,
      ...agreement(found, reference ?? found),
    ]);
    return found;
  } finally {
    await backend.dispose();
  }
}

function agreement(found: Findings, reference: Findings): readonly string[] {
  const [classes, expected] = [classesOf(found.probabilities), classesOf(reference.probabilities)];
  const same = classes.filter((digit, index) => digit === expected[index]).length;
  return [
    largestDifference(found.probabilities, reference.probabilities).toExponential(1),
    `${same} of ${classes.length}`,
    (found.losses.at(-1) as number).toFixed(6),
    largestRelativeDifference(found.losses, reference.losses).toExponential(1),
  ];
}

function rowFor({ id, label }: BackendChoice): HTMLTableRowElement {
  const row = document.createElement('tr');
  row.dataset['backend'] = id;
  row.insertCell().textContent = label;
  for (let column = 0; column < 7; column++) row.insertCell().textContent = '–';
  return row;
}

function fill({ id }: BackendChoice, texts: readonly string[]): void {
  const row = rows.get(id);
  while (row !== undefined && row.cells.length > 1) row.deleteCell(1);
  for (const text of texts) if (row !== undefined) row.insertCell().textContent = text;
}

/** One cell over all columns: why there are no numbers. */
function explain(choice: BackendChoice, text: string): void {
  fill(choice, [text]);
  const cell = rows.get(choice.id)?.cells[1];
  if (cell !== undefined) cell.colSpan = 7;
}

async function firstDigits(name: 'held-out' | 'training', count: number): Promise<Digits> {
  const digits = await fetchDigits(name);
  return pick(
    digits,
    Array.from({ length: Math.min(count, digits.count) }, (_, index) => index),
  );
}

async function withBackend<T>(id: string, use: (backend: Backend) => Promise<T>): Promise<T> {
  const backend = await backendById(id).create();
  try {
    return await use(backend);
  } finally {
    await backend.dispose();
  }
}

/** For the console and the tests: what one backend gives. */
const handle = {
  backends: backends.map(({ id }) => id),
  missing: async (id: string): Promise<string | undefined> => backendById(id).missing?.(),
  probabilities: (id: string, count: number): Promise<number[]> =>
    withBackend(id, async (backend) =>
      Array.from(await allProbabilities(await fetchModel(), backend, await firstDigits('held-out', count))),
    ),
  lossTrace: (id: string, network: NetworkKind, steps: number): Promise<number[]> =>
    withBackend(id, async (backend) => lossTrace(backend, await fetchDigits('training'), { network, steps })),
};

/** What {@link handle} offers, for tests to type their calls with. */
export type CompareHandle = typeof handle;

Object.assign(globalThis, { modelwrightCompare: handle });

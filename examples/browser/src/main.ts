import type { Backend, Model, Predictor } from '@modelwright/core';
import { type BackendChoice, backendById, backends } from './backends.js';
import { type Digits, fetchDigits, pick } from './digits.js';
import { DrawingPad } from './drawing-pad.js';
import { element, nextPaint, paintDigit } from './elements.js';
import { PredictionBars } from './prediction-bars.js';
import { fetchModel, predictorFor, probabilitiesOf } from './read-model.js';
import { TrainingPanel } from './training-panel.js';

const bars = new PredictionBars();
const menu = element<HTMLSelectElement>('backend');
let model: Model;
let backend: Backend | undefined;
let predictor: Predictor | undefined;
let drawn: Float32Array | undefined;
let predicting = false;

const pad = new DrawingPad(element('pad'), (digit) => {
  drawn = digit;
  element('pad-hint').hidden = digit !== undefined;
  paintDigit(element('seen'), digit ?? new Float32Array(28 * 28));
  void predict();
});
element('clear').addEventListener('click', () => pad.clear());

const training = new TrainingPanel({
  backend: () => backend,
  busy: (on) => {
    menu.disabled = on;
  },
  report: showError,
  trained: async (trained) => {
    model = trained;
    await compile();
    say('Predictions now come from the network that you trained.');
  },
});

/** Predicts what is drawn; while a prediction runs, only the latest drawing waits. */
async function predict(): Promise<void> {
  if (predicting) return;
  predicting = true;
  try {
    while (predictor !== undefined) {
      const current = drawn;
      if (current === undefined) {
        bars.clear();
      } else {
        const started = performance.now();
        bars.show(await probabilitiesOf(predictor, { count: 1, images: current, labels: new Int32Array(1) }));
        element('timing').textContent =
          `${(performance.now() - started).toFixed(1)} ms on ${backend?.name} (${backend?.device})`;
      }
      if (drawn === current) break;
    }
  } catch (error) {
    showError(error);
  } finally {
    predicting = false;
  }
}

async function choose(choice: BackendChoice): Promise<void> {
  menu.disabled = true;
  document.body.dataset['state'] = 'loading';
  say(`Loading ${choice.label} …`);
  await nextPaint();
  try {
    const missing = await choice.missing?.();
    if (missing !== undefined) throw new RangeError(missing);
    const started = performance.now();
    const next = await choice.create();
    await releaseBackend();
    backend = next;
    await compile();
    say(`${choice.label} is ready: loaded in ${(performance.now() - started).toFixed(0)} ms, ${threads(backend)}.`);
    history.replaceState(null, '', `?backend=${encodeURIComponent(choice.id)}`);
    document.body.dataset['backend'] = choice.id;
    document.body.dataset['state'] = 'ready';
  } catch (error) {
    document.body.dataset['state'] = 'error';
    showError(error, choice.label);
  } finally {
    menu.disabled = false;
  }
}

async function compile(): Promise<void> {
  await predictor?.dispose();
  predictor = await predictorFor(model, backend as Backend);
  await predict();
}

async function releaseBackend(): Promise<void> {
  await predictor?.dispose();
  predictor = undefined;
  await backend?.dispose();
  backend = undefined;
}

function threads({ capabilities }: Backend): string {
  return capabilities.threads === 1 ? '1 thread' : `${capabilities.threads} threads`;
}

function say(text: string): void {
  const status = element('status');
  status.textContent = text;
  delete status.dataset['kind'];
}

function showError(error: unknown, where?: string): void {
  say(`${where === undefined ? '' : `${where}: `}${error instanceof Error ? error.message : String(error)}`);
  element('status').dataset['kind'] = 'error';
}

async function showSamples(): Promise<void> {
  const heldOut = await fetchDigits('held-out');
  training.judgeBy(heldOut);
  const chosen = Array.from({ length: 10 }, (_, digit) => heldOut.labels.indexOf(digit));
  element('samples').replaceChildren(...chosen.map((index) => sampleButton(pick(heldOut, [index]))));
}

function sampleButton({ images, labels }: Digits): HTMLButtonElement {
  const button = document.createElement('button');
  button.type = 'button';
  button.className = 'sheet';
  button.title = `A ${labels[0]}`;
  button.dataset['label'] = String(labels[0]);
  const sheet = document.createElement('canvas');
  sheet.width = 28;
  sheet.height = 28;
  button.append(sheet);
  paintDigit(sheet, images);
  button.addEventListener('click', () => pad.show(sheet, images));
  return button;
}

async function start(): Promise<void> {
  menu.replaceChildren(...backends.map(({ id, label }) => new Option(label, id)));
  const wanted = backendById(new URLSearchParams(location.search).get('backend'));
  menu.value = wanted.id;
  menu.addEventListener('change', () => void choose(backendById(menu.value)));
  element('isolation').textContent = crossOriginIsolated
    ? 'This page is cross-origin isolated: WebAssembly may use threads.'
    : 'This page is not cross-origin isolated, so WebAssembly runs on one thread. Serve it with the headers in vite.config.ts.';
  model = await fetchModel();
  await choose(wanted);
  await showSamples();
}

start().catch((error: unknown) => {
  document.body.dataset['state'] = 'error';
  showError(error);
});

/// <reference lib="dom" />
import type { Backend, InputData, TensorMap } from '@modelwright/core';
import type { LoadedBundle } from '../bundle/load-bundle.js';
import type { TensorInfo } from '../bundle/manifest.js';
import type { Processing } from '../processing/processing.js';
import { answerView, tensorView } from './answer-view.js';
import { byId } from './elements.js';
import type { InputValue, InputView } from './input-view.js';
import { offerGeneration } from './offer-generation.js';
import { pictureInput } from './picture-input.js';
import { tensorInput } from './tensor-input.js';
import { textInput } from './text-input.js';

/** Shows what the model takes, and what it answers whenever that changes. */
export function offerModel(bundle: LoadedBundle, backend: Backend): void {
  const { manifest } = bundle;
  const generation = Object.values(manifest.processing?.outputs ?? {}).find(({ kind }) => kind === 'generation');
  byId('try').hidden = false;
  if (generation?.kind === 'generation') {
    offerGeneration(bundle, backend, generation);
    return;
  }
  const ask = inTurns(() => answer(bundle, views));
  const masks = masksOf(manifest.processing);
  const inputs = manifest.model.inputs.filter(({ name }) => !masks.has(name));
  const views = new Map(inputs.map((info) => [info.name, viewOf(info, manifest.processing, ask)]));
  byId('inputs').replaceChildren(...[...views.values()].map(({ element }) => element));
  ask();
}

function viewOf(info: TensorInfo, processing: Processing | undefined, onChange: () => void): InputView {
  const spec = processing?.inputs?.[info.name];
  if (spec?.kind === 'image') return pictureInput(spec, onChange);
  if (spec?.kind === 'text') return textInput(info.name, onChange);
  return tensorInput(info, onChange);
}

function masksOf(processing: Processing | undefined): ReadonlySet<string> {
  const specs = Object.values(processing?.inputs ?? {});
  return new Set(specs.flatMap((spec) => (spec.kind === 'text' && spec.mask !== undefined ? [spec.mask] : [])));
}

async function answer(bundle: LoadedBundle, views: ReadonlyMap<string, InputView>): Promise<void> {
  const panel = byId('answer');
  try {
    const given: [string, InputValue | undefined][] = [];
    for (const [name, view] of views) given.push([name, await view.value()]);
    if (given.some(([, value]) => value === undefined)) {
      panel.replaceChildren();
      panel.dataset['answer'] = '';
      return;
    }
    const started = performance.now();
    panel.replaceChildren(...(await nodesFor(bundle, given as [string, InputValue][])));
    panel.dataset['milliseconds'] = (performance.now() - started).toFixed(1);
    panel.dataset['answer'] = panel.querySelector('#answer-label')?.textContent ?? 'numbers';
  } catch (error) {
    panel.dataset['answer'] = 'error';
    panel.textContent = (error as Error).message;
  }
}

async function nodesFor(bundle: LoadedBundle, given: readonly [string, InputValue][]): Promise<readonly Node[]> {
  const isRaw = given.every(([, { kind }]) => kind === 'raw');
  if (isRaw) {
    const [first] = await bundle.classify([
      Object.fromEntries(given.map(([name, { value }]) => [name, value])) as never,
    ]);
    return answerView(first ?? {});
  }
  const inputs = Object.fromEntries(given.map(([name, { value }]) => [name, value as InputData]));
  const outputs: TensorMap = await bundle.predictor.predict(inputs);
  return bundle.manifest.processing?.outputs === undefined
    ? tensorView(outputs)
    : answerView(bundle.processor.decode(outputs)[0] ?? {});
}

/** One at a time; of calls that come meanwhile the last counts. */
function inTurns(task: () => Promise<void>): () => void {
  let isRunning = false;
  let isWanted = false;
  const run = async (): Promise<void> => {
    if (isRunning) {
      isWanted = true;
      return;
    }
    isRunning = true;
    await task();
    isRunning = false;
    if (!isWanted) return;
    isWanted = false;
    await run();
  };
  return () => void run();
}

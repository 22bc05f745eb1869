/// <reference lib="dom" />
import type { Backend } from '@modelwright/core';
import { createGenerator, type TextGenerator } from '@modelwright/text';
import type { LoadedBundle } from '../bundle/load-bundle.js';
import type { GenerationOutput } from '../processing/processing.js';
import { byId, element } from './elements.js';

const mostTokens = 200;
const temperature = 0.8;

/** A text that the model goes on with, a piece at a time. */
export function offerGeneration(bundle: LoadedBundle, backend: Backend, output: GenerationOutput): void {
  const prompt = element('textarea', { id: 'prompt', rows: 3, placeholder: 'Begin a text' });
  const go = element('button', { id: 'go', type: 'submit', textContent: 'Go on' });
  const stop = element('button', { id: 'stop', type: 'button', textContent: 'Stop', disabled: true });
  const form = byId<HTMLFormElement>('inputs');
  form.replaceChildren(prompt, element('div', { className: 'buttons' }, go, stop));
  let generator: Promise<TextGenerator> | undefined;
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    const controller = new AbortController();
    stop.onclick = () => controller.abort();
    [go.disabled, stop.disabled] = [true, false];
    generator ??= openGenerator(bundle, backend, output);
    await write(await generator, prompt.value || '\n', { stop: output.stop ?? [], signal: controller.signal });
    [go.disabled, stop.disabled] = [false, true];
  });
}

function openGenerator(bundle: LoadedBundle, backend: Backend, output: GenerationOutput): Promise<TextGenerator> {
  const tokenizer = bundle.tokenizers.get(output.tokenizer);
  return createGenerator(bundle.model, { backend, ...(tokenizer && { tokenizer }) });
}

async function write(
  generator: TextGenerator,
  prompt: string,
  { stop, signal }: { readonly stop: readonly string[]; readonly signal: AbortSignal },
): Promise<void> {
  const panel = byId('answer');
  const text = element('pre', { className: 'text' }, prompt);
  panel.replaceChildren(text);
  panel.dataset['answer'] = 'writing';
  try {
    const options = { maxTokens: mostTokens, temperature, stop, signal, overflow: 'slide' } as const;
    for await (const piece of generator.generateText(prompt, options)) {
      text.append(piece.text);
      // The page is painted between pieces.
      await new Promise((resolve) => setTimeout(resolve));
    }
    panel.dataset['answer'] = 'written';
  } catch (error) {
    panel.dataset['answer'] = signal.aborted ? 'written' : 'error';
    if (!signal.aborted) panel.append(element('p', {}, (error as Error).message));
  }
}

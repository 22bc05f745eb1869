import { createBackend as createOnnxRuntime } from '@modelwright/backend-onnxruntime';
import { createBackend as createWasm } from '@modelwright/backend-wasm';
import {
  type Backend,
  createReferenceBackend,
  evaluateGraph,
  type Model,
  type Tensor,
  tensor,
  toNumbers,
} from '@modelwright/core';
import { afterAll, describe, expect, test } from 'vitest';
import { fitCharacterTokenizer } from '../tokenizers/character-tokenizer.js';
import { createGenerator, generate, generateText } from './generator.js';
import { tinyGpt } from './tiny-gpt.cases.js';

const prompts = [
  [3, 1, 4, 1, 5, 9, 2, 6, 5, 3],
  [2, 7],
  [11, 0, 28, 17, 5],
];
const maxTokens = 20;
const models = { learned: tinyGpt({ positions: 'learned' }), rotary: tinyGpt({ positions: 'rotary', keyHeads: 2 }) };

/** Greedy decoding as it is defined: the whole text through the whole model for each token. */
function uncached(model: Model, prompt: readonly number[]): number[] {
  const ids = [...prompt];
  for (let count = 0; count < maxTokens; count++) {
    const logits = evaluateGraph(model.graph, { tokens: tensor([ids], { dtype: 'int32' }) })['logits'] as Tensor;
    const last = toNumbers(logits).slice(-(logits.shape[2] as number));
    ids.push(last.indexOf(Math.max(...last)));
  }
  return ids.slice(prompt.length);
}

const expected = {
  learned: prompts.map((prompt) => uncached(models.learned, prompt)),
  rotary: prompts.map((prompt) => uncached(models.rotary, prompt)),
};

async function collect(run: AsyncIterable<{ readonly row: number; readonly token: number }>): Promise<number[][]> {
  const rows: number[][] = [];
  for await (const { row, token } of run) (rows[row] ??= []).push(token);
  return rows;
}

const backends: { readonly [name: string]: () => Promise<Backend> } = {
  reference: async () => createReferenceBackend(),
  'onnxruntime native': () => createOnnxRuntime({ engine: 'native' }),
  'onnxruntime binding': () => createOnnxRuntime({ engine: 'binding' }),
  'onnxruntime wasm': () => createOnnxRuntime({ device: 'wasm' }),
  wasm: () => createWasm(),
};

describe.each(Object.entries(backends))('on %s', (_, open) => {
  test.each(['learned', 'rotary'] as const)('%s positions: greedy tokens are those without a cache', async (kind) => {
    const backend = await open();
    const generator = await createGenerator(models[kind], { backend });
    const rules = { maxTokens, temperature: 0 };
    expect(await collect(generator.generate(prompts, rules))).toEqual(expected[kind]);
    expect(await collect(generator.generate(prompts[0] as number[], rules))).toEqual([expected[kind][0]]);
    await generator.dispose();
    await backend.dispose();
  });
});

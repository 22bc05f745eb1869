import { createBackend as createOnnxRuntime } from '@modelwright/backend-onnxruntime';
import { createBackend as createWasm } from '@modelwright/backend-wasm';
import {
  type Backend,
  createReferenceBackend,
  evaluateGraph,
  fullTensor,
  type Model,
  type Tensor,
  tensor,
  toNumbers,
} from '@modelwright/core';
import { gpt } from '@modelwright/models';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { fitCharacterTokenizer } from '../tokenizers/character-tokenizer.js';
import {
  createGenerator,
  type GenerateOptions,
  type GenerateTextOptions,
  generate,
  generateText,
} from './generator.js';
import { tinyGpt } from './tiny-gpt.cases.js';

const prompts = [
  [3, 1, 4, 1, 5, 9, 2, 6, 5, 3],
  [2, 7],
  [11, 0, 28, 17, 5],
];
const maxTokens = 12;
const size = { vocabularySize: 29, sequenceLength: 48, layers: 2, heads: 4, width: 32, initializerRange: 0.5 };
const models: { readonly [name: string]: Model } = {
  'learned positions': gpt({ ...size, positions: 'learned' }),
  'rotary positions': gpt({ ...size, positions: 'rotary' }),
  'shared key heads': tinyGpt({ positions: 'rotary', keyHeads: 2 }),
};
const learned = models['learned positions'] as Model;
/** Rotation has no end of its own. */
const maxLength = 48;

/** Greedy decoding as it is defined: the whole text through the whole model for each token. */
function uncached(model: Model, prompt: readonly number[], count = maxTokens): number[] {
  const ids = [...prompt];
  while (ids.length < prompt.length + count) {
    const logits = evaluateGraph(model.graph, { tokens: tensor([ids], { dtype: 'int32' }) })['logits'] as Tensor;
    const last = toNumbers(logits).slice(-(logits.shape[2] as number));
    ids.push(last.indexOf(Math.max(...last)));
  }
  return ids.slice(prompt.length);
}

const expected = new Map(
  Object.values(models).map((model) => [model, prompts.map((prompt) => uncached(model, prompt))]),
);

async function collect(run: AsyncIterable<{ readonly row: number; readonly token: number }>): Promise<number[][]> {
  const rows: number[][] = [];
  for await (const { row, token } of run) rows[row] = [...(rows[row] ?? []), token];
  return rows;
}

/** A backend that compiles for one size only. */
function withoutSymbols(backend: Backend): Backend {
  return { ...backend, capabilities: { ...backend.capabilities, symbolicShapes: false } };
}

const backends: { readonly [name: string]: () => Promise<Backend> } = {
  reference: async () => createReferenceBackend(),
  'a backend without symbolic shapes': async () => withoutSymbols(createReferenceBackend()),
  'onnxruntime native': () => createOnnxRuntime({ engine: 'native' }),
  'onnxruntime binding': () => createOnnxRuntime({ engine: 'binding' }),
  'onnxruntime wasm': () => createOnnxRuntime({ device: 'wasm' }),
  wasm: () => createWasm(),
};

describe.each(Object.entries(backends))('on %s', (_, open) => {
  let backend: Backend;
  beforeAll(async () => {
    backend = await open();
  });
  afterAll(() => backend.dispose());

  test.each(Object.entries(models))('%s: greedy tokens are those without a cache', async (_, model) => {
    const generator = await createGenerator(model, { backend, maxLength });
    const options = { maxTokens, temperature: 0 };
    expect(await collect(generator.generate(prompts, options))).toEqual(expected.get(model));
    // The caches hold what was there before; it must not be seen.
    const [first] = prompts as [number[]];
    expect(await collect(generator.generate(first, options))).toEqual(expected.get(model)?.slice(0, 1));
    expect(await collect(generator.generate(prompts.toReversed(), options))).toEqual(expected.get(model)?.toReversed());
    await generator.dispose();
  });
});

describe('a generator', () => {
  const backend = createReferenceBackend();
  const prompt = [3, 1, 4];
  const tokensOf = async (options: GenerateOptions & { readonly maxLength?: number }): Promise<number[]> =>
    (await collect(generate(learned, prompt, { backend, maxTokens: 12, ...options })))[0] as number[];

  test('draws the same with the same seed, whatever else is in the batch', async () => {
    const generator = await createGenerator(learned, { backend });
    const options = { maxTokens: 12, temperature: 1.5, topK: 20, topP: 0.95, seed: 7 };
    const alone = await collect(generator.generate(prompt, options));
    const among = await collect(generator.generate([prompt, [5], [6, 7, 8, 9, 1]], options));
    expect(among[0]).toEqual(alone[0]);
    expect(await tokensOf(options)).toEqual(alone[0]);
    expect(await tokensOf({ ...options, seed: 8 })).not.toEqual(alone[0]);
  });

  test('ends a row at a stop, at enough tokens, or where the buffers end, and says so', async () => {
    const greedy = await tokensOf({ temperature: 0 });
    const reasons = async (options: GenerateOptions & { readonly maxLength?: number }): Promise<unknown> => {
      let last: unknown;
      for await (const { finish } of generate(learned, prompt, { backend, maxTokens: 12, temperature: 0, ...options }))
        last = finish;
      return last;
    };
    expect(await reasons({})).toBe('maxTokens');
    expect(await reasons({ maxLength: 8 })).toBe('maxLength');
    expect(await reasons({ stop: [greedy[4] as number] })).toBe('stop');
    const before = greedy.indexOf(greedy[4] as number);
    expect(await tokensOf({ temperature: 0, stop: [greedy[4] as number] })).toEqual(greedy.slice(0, before + 1));
    expect(await tokensOf({ temperature: 0, stop: [greedy.slice(3, 6)] })).toEqual(greedy.slice(0, 6));
    // Eight positions hold the prompt and five tokens, from which a sixth follows.
    expect(await tokensOf({ temperature: 0, maxLength: 8 })).toEqual(greedy.slice(0, 6));
  });

  test('slides on from the newest half when it is asked to', async () => {
    const generator = await createGenerator(learned, { backend, maxLength: 8 });
    const options = { maxTokens: 8, temperature: 0, overflow: 'slide' } as const;
    const [slid] = (await collect(generator.generate(prompt, options))) as [number[]];
    const greedy = await tokensOf({ temperature: 0 });
    expect(slid.slice(0, 6)).toEqual(greedy.slice(0, 6));
    const newest = [...prompt, ...slid.slice(0, 6)].slice(-4);
    expect(slid.slice(6)).toEqual(uncached(learned, newest, 2));
    expect(slid).toHaveLength(8);
  });

  test('serves generations that overlap, and one that was left', async () => {
    const generator = await createGenerator(learned, { backend });
    const options = { maxTokens: 5, temperature: 0 };
    const left = generator.generate([9, 9], options);
    await left.next();
    const both = await Promise.all(prompts.map((one) => collect(generator.generate(one, options))));
    expect(both.map(([row]) => row)).toEqual(expected.get(learned)?.map((row) => row.slice(0, 5)));
    await left.return();
  });

  test('keeps the weights it was made with', async () => {
    const model = gpt({ ...size, layers: 1, seed: 3 });
    const generator = await createGenerator(model, { backend });
    const greedy = uncached(model, prompt, 4);
    model.setWeights({ 'wte.embeddings': fullTensor('float32', [29, 32], 0) });
    expect(await collect(generator.generate(prompt, { maxTokens: 4, temperature: 0 }))).toEqual([greedy]);
  });

  test('ends when it is told to, between two tokens', async () => {
    const controller = new AbortController();
    const run = generate(learned, prompt, { backend, signal: controller.signal });
    await run.next();
    controller.abort();
    await expect(run.next()).rejects.toMatchObject({ code: 'aborted' });
  });

  test.each([
    ['an empty prompt', [], {}, 'invalid-argument'],
    ['a token beyond the vocabulary', [29], {}, 'value-out-of-range'],
    ['a prompt beyond the buffers', [1, 2, 3, 4, 5], { maxLength: 4 }, 'invalid-argument'],
    ['more positions than there are', [1], { maxLength: 49 }, 'invalid-argument'],
    ['a negative temperature', [1], { temperature: -1 }, 'invalid-argument'],
    ['no tokens at all', [1], { maxTokens: 0 }, 'invalid-argument'],
  ])('refuses %s', async (_, given, options, code) => {
    await expect(collect(generate(learned, given, { backend, ...options }))).rejects.toMatchObject({ code });
  });
});

describe('text', () => {
  const backend = createReferenceBackend();
  const tokenizer = fitCharacterTokenizer('abcdefghijklmnopqrstuvwxyz .,');
  const options = { backend, tokenizer, maxTokens: 12, temperature: 0 };
  const textOf = async (more: GenerateTextOptions = {}): Promise<string> => {
    let whole = '';
    for await (const { text } of generateText(learned, 'dbe', { ...options, ...more })) whole += text;
    return whole;
  };

  test('comes in pieces that make up the text of the tokens', async () => {
    const ids = uncached(learned, tokenizer.encode('dbe'), 12);
    expect(await textOf()).toBe(tokenizer.decode(ids));
    const rows = ['', ''];
    for await (const { row, text } of generateText(learned, ['dbe', 'a'], options)) rows[row] += text;
    expect(rows[0]).toBe(tokenizer.decode(ids));
  });

  test('ends before what it stops at', async () => {
    const whole = await textOf();
    const stop = whole.slice(4, 7);
    expect(await textOf({ stop: [stop] })).toBe(whole.slice(0, whole.indexOf(stop)));
    const id = tokenizer.encode(whole)[5] as number;
    expect(await textOf({ stop: [id] })).toBe(whole.slice(0, whole.indexOf(whole[5] as string)));
  });
});

import { createBackend } from '@modelwright/backend-onnxruntime';
import { type Backend, counterUniform } from '@modelwright/core';
import { gpt } from '@modelwright/models';
import { createGenerator, type TextGenerator } from '@modelwright/text';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ServerEvent } from '../contract/events.js';
import type { GenerationPiece, GenerationRequest } from '../contract/generation.js';
import type { ModelConfiguration } from '../contract/model-configuration.js';
import type { ModelArtifact } from '../contract/served-model.js';
import { contextLength, generation, tokenizer, writer } from '../openai/language-models.cases.js';
import { createGenerationService, type LoadedGeneration } from './generation-service.js';

let backend: Backend;
let generator: TextGenerator;
let service: LoadedGeneration;
const events: ServerEvent[] = [];

function artifact(configuration: ModelConfiguration, differing: Partial<ModelArtifact> = {}): ModelArtifact {
  const processing = generation;
  const tokenizers = new Map([['tokenizer.json', tokenizer]]);
  const name = { name: 'writer', version: '1', sha256: '', bytes: new Uint8Array() };
  return { ...name, model: writer, configuration, processing, tokenizers, ...differing };
}

async function open(configuration: ModelConfiguration): Promise<LoadedGeneration> {
  const options = { backend, events: { emit: (event: ServerEvent) => events.push(event) } };
  return (await createGenerationService(artifact(configuration), options)) as LoadedGeneration;
}

beforeAll(async () => {
  backend = await createBackend({ engine: 'native' });
  generator = await createGenerator(writer, { backend, tokenizer });
  service = await open({ generation: { maxConcurrent: 2, maxTokens: 40 } });
});
afterAll(async () => {
  await service.dispose();
  await backend.dispose();
});

async function expected(prompt: string, maxTokens: number): Promise<string> {
  let text = '';
  for await (const piece of generator.generateText(prompt, {
    temperature: 0,
    maxTokens,
    stop: [tokenizer.idOf('<|end|>') as number],
  }))
    text += piece.text;
  return text;
}

function ask(prompt: string, request: Partial<GenerationRequest> = {}): GenerationRequest {
  return { prompt: tokenizer.encode(prompt), temperature: 0, ...request };
}

async function collect(pieces: AsyncIterable<GenerationPiece>): Promise<GenerationPiece & { readonly pieces: number }> {
  const all: GenerationPiece[] = [];
  for await (const piece of pieces) all.push(piece);
  return {
    ...all[0],
    ...all.at(-1),
    text: all.map(({ text }) => text).join(''),
    tokens: all.flatMap(({ tokens }) => tokens),
    pieces: all.length,
  };
}

describe('rows', () => {
  test('are shared: a text joins while others go on, and each is what it is alone', async () => {
    events.length = 0;
    const long = service.generate(ask('a long one, ', { maxTokens: 40 }), {})[Symbol.asyncIterator]();
    const first = await long.next();
    const short = await collect(service.generate(ask('short', { maxTokens: 5 }), {}));
    const rest = await collect({ [Symbol.asyncIterator]: () => long });
    expect(short.text).toBe(await expected('short', 5));
    expect((first.value as GenerationPiece).text + rest.text).toBe(await expected('a long one, ', 40));
    const sizes = events.flatMap((event) => (event.kind === 'execution' ? [event.batchSize] : []));
    expect(sizes.filter((size) => size === 2).length).toBeGreaterThanOrEqual(4);
    expect(sizes.length).toBeLessThan(46);
  });

  test('are free again when a text is given up, aborted or too late', async () => {
    const request = ask('go on and on', { maxTokens: 40 });
    const givenUp = service.generate(request, {})[Symbol.asyncIterator]();
    await givenUp.next();
    await givenUp.return?.();
    const controller = new AbortController();
    const aborted = collect(service.generate(request, { signal: controller.signal }));
    controller.abort();
    await expect(aborted).rejects.toMatchObject({ code: 'aborted' });
    const late = collect(service.generate(request, { deadline: performance.now() + 1 }));
    await expect(late).rejects.toMatchObject({ code: 'deadline-exceeded' });
    expect((await collect(service.generate(ask('next', { maxTokens: 6 }), {}))).text).toBe(await expected('next', 6));
    expect(service.waitingCount).toBe(0);
    const { fail, success, queue } = service.statistics().inferenceStats;
    expect([fail.count, success.count, queue.count]).toEqual([2, 3, 3]);
  });

  test('go on from what they hold, for the same scope only', async () => {
    const prompt = 'a story that begins like this, ';
    await collect(service.generate(ask(prompt, { maxTokens: 1 }), { scope: 'ada' }));
    const longer = ask(`${prompt}and goes on`, { maxTokens: 8 });
    const again = await collect(service.generate(longer, { scope: 'ada' }));
    expect([again.cachedTokens, again.text]).toEqual([prompt.length, await expected(`${prompt}and goes on`, 8)]);
    for (const options of [{}, { scope: 'bob' }]) {
      const other = await collect(service.generate(longer, options));
      expect([other.cachedTokens, other.text]).toEqual([0, again.text]);
    }
    const whole = await collect(service.generate(longer, { scope: 'bob' }));
    expect([whole.cachedTokens, whole.text]).toEqual([longer.prompt.length - 1, again.text]);
  });

  test('that change hands in every order leave no trace in each other', async () => {
    const random = counterUniform(11, 0, 200);
    const texts = ['a', 'the word', 'the words of a longer text', 'the word, again'];
    const answers = new Map<string, string>();
    const run = async (index: number): Promise<void> => {
      const [first, second, third] = [0, 1, 2].map((at) => random[3 * index + at] as number) as [
        number,
        number,
        number,
      ];
      const prompt = texts[Math.floor(first * texts.length)] as string;
      const maxTokens = 1 + Math.floor(second * 14);
      const scope = third < 0.5 ? {} : { scope: 'ada' };
      const pieces = service.generate(ask(prompt, { maxTokens }), scope);
      if (third > 0.8) for await (const _ of pieces) break;
      else {
        const key = `${prompt}|${maxTokens}`;
        const { text } = await collect(pieces);
        expect(answers.get(key) ?? text).toBe(text);
        answers.set(key, text);
      }
    };
    for (let start = 0; start < 40; start += 8)
      await Promise.all(Array.from({ length: 8 }, (_, index) => run(start + index)));
    expect(answers.size).toBeGreaterThan(15);
    for (const [key, text] of answers) {
      const [prompt, maxTokens] = key.split('|') as [string, string];
      expect(text).toBe(await expected(prompt, Number(maxTokens)));
    }
  });

  test('of a reader who is slow are not held up: what piles up comes as one piece', async () => {
    const pieces = service.generate(ask('patience', { maxTokens: 20 }), {})[Symbol.asyncIterator]();
    const { value: first } = await pieces.next();
    await collect(service.generate(ask('somebody else', { maxTokens: 30 }), {}));
    const rest = await collect({ [Symbol.asyncIterator]: () => pieces });
    expect(rest.pieces).toBeLessThan(4);
    expect((first as GenerationPiece).text + rest.text).toBe(await expected('patience', 20));
  });
});

describe('limits', () => {
  test.each([
    ['more tokens than an answer may have', ask('a', { maxTokens: 41 }), 'max_tokens'],
    ['a prompt that is too long', ask('a'.repeat(contextLength + 1)), 'prompt'],
  ])('are told: %s', async (_, request, input) => {
    await expect(collect(service.generate(request, {}))).rejects.toMatchObject({ details: { input } });
  });

  test('of a tokenizer that is missing or too large, or a template that is none, are told when the model is loaded', async () => {
    const missing = artifact({}, { tokenizers: new Map() });
    await expect(createGenerationService(missing, { backend })).rejects.toMatchObject({
      code: 'invalid-configuration',
    });
    const outputs = { logits: { kind: 'generation', tokenizer: 'tokenizer.json', chatTemplate: '{% if %}' } } as const;
    const broken = artifact({}, { processing: { outputs } });
    await expect(createGenerationService(broken, { backend })).rejects.toMatchObject({ code: 'invalid-configuration' });
    const small = gpt({ vocabularySize: 8, sequenceLength: 8, layers: 1, heads: 1, width: 4 });
    const few = createGenerationService(artifact({}, { model: small }), { backend });
    await expect(few).rejects.toMatchObject({ code: 'invalid-configuration' });
    expect(await createGenerationService(artifact({}, { processing: {} }), { backend })).toBeUndefined();
  });
});

test('scores beyond the vocabulary, which models have that are padded to a round size, are never drawn', async () => {
  const model = gpt({
    vocabularySize: 4 * tokenizer.vocabularySize,
    sequenceLength: 64,
    layers: 1,
    heads: 2,
    width: 8,
  });
  const padded = await createGenerationService(artifact({}, { model }), { backend });
  const { tokens } = await collect(
    (padded as LoadedGeneration).generate(ask('a', { temperature: 2, logprobs: 20 }), {}),
  );
  expect(Math.max(...tokens)).toBeLessThan(tokenizer.vocabularySize);
  await padded?.dispose();
});

test('unloading lets answers end, as long as there is time', async () => {
  const patient = await open({ generation: { maxConcurrent: 1 } });
  const running = collect(patient.generate(ask('the end', { maxTokens: 10 }), {}));
  await new Promise((resolve) => setTimeout(resolve, 1));
  const closed = patient.dispose(10_000);
  await expect(collect(patient.generate(ask('late'), {}))).rejects.toMatchObject({ code: 'model-unavailable' });
  expect((await running).text).toBe(await expected('the end', 10));
  await closed;
  const hasty = await open({ generation: { maxConcurrent: 1 } });
  const cut = collect(hasty.generate(ask('the end', { maxTokens: 80 }), {}));
  await new Promise((resolve) => setTimeout(resolve, 1));
  await Promise.all([hasty.dispose(0), expect(cut).rejects.toMatchObject({ code: 'model-unavailable' })]);
});

import { createBackend } from '@modelwright/backend-onnxruntime';
import { type Backend, evaluateGraph, type Tensor, tensor, toNumbers } from '@modelwright/core';
import { createGenerator, type TextGenerator } from '@modelwright/text';
import OpenAI, { type APIError, BadRequestError, NotFoundError } from 'openai';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type MemoryModel, memoryRepository } from '../repository/memory-repository.js';
import { type RunningServer, serve } from '../serve/serve.js';
import { contextLength, encoder, languageModels, tokenizer, writer } from './language-models.cases.js';

let backend: Backend;
let server: RunningServer;
let client: OpenAI;
let generator: TextGenerator;
const models = memoryRepository(languageModels);

beforeAll(async () => {
  backend = await createBackend({ engine: 'native' });
  server = await serve({ models, backend, port: 0 });
  generator = await createGenerator(writer, { backend, tokenizer });
  client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: 'none', maxRetries: 0 });
});
afterAll(async () => {
  await server.close(0);
  await backend.dispose();
});

const greedy = { model: 'writer', temperature: 0 } as const;

/** What the model says, by a generator of its own. */
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

function chatPrompt(...messages: readonly (readonly [role: string, content: string])[]): string {
  return `${messages.map(([role, content]) => `${role}: ${content}\n`).join('')}assistant:`;
}

describe('completions', () => {
  test('continue a text', async () => {
    const completion = await client.completions.create({ ...greedy, prompt: 'the quick', max_tokens: 12 });
    expect(completion.choices).toEqual([
      { index: 0, text: await expected('the quick', 12), finish_reason: 'length', logprobs: null },
    ]);
    expect(completion).toMatchObject({ object: 'text_completion', model: 'writer' });
    expect(completion.usage).toMatchObject({ prompt_tokens: 9, completion_tokens: 12, total_tokens: 21 });
  });

  test('stream the same text in pieces, and the usage at the end', async () => {
    const stream = await client.completions.create({
      ...greedy,
      ...{ prompt: 'the quick', max_tokens: 12, stream: true, stream_options: { include_usage: true } },
    });
    const chunks = [];
    for await (const chunk of stream) chunks.push(chunk);
    const pieces = chunks.flatMap(({ choices }) => choices);
    expect(pieces.map(({ text }) => text).join('')).toBe(await expected('the quick', 12));
    expect(pieces.length).toBeGreaterThan(3);
    expect(pieces.map(({ finish_reason }) => finish_reason).filter((reason) => reason !== null)).toEqual(['length']);
    expect(chunks.at(-1)).toMatchObject({ choices: [], usage: { prompt_tokens: 9, completion_tokens: 12 } });
    expect(new Set(chunks.map(({ id }) => id)).size).toBe(1);
  });

  test('of several prompts at once are those of each alone, though there are more than rows', async () => {
    const prompts = ['a', 'the quick brown', 'hello, world!', 'why? ', 'so be it'];
    const completion = await client.completions.create({ ...greedy, prompt: prompts, max_tokens: 10 });
    expect(completion.choices.map(({ text }) => text)).toEqual(
      await Promise.all(prompts.map((prompt) => expected(prompt, 10))),
    );
  });

  test('take ids of tokens, echo, and end at a stop', async () => {
    const whole = await expected('abc', 30);
    const stop = whole.slice(7, 9);
    const { choices } = await client.completions.create({
      ...greedy,
      ...{ prompt: tokenizer.encode('abc'), max_tokens: 30, echo: true, stop: [stop] },
    });
    expect(choices[0]).toMatchObject({ text: `abc${whole.slice(0, whole.indexOf(stop))}`, finish_reason: 'stop' });
  });

  test('several answers to one prompt differ, and are the same again with the same seed', async () => {
    const ask = async (seed: number): Promise<readonly string[]> => {
      const request = { model: 'writer', prompt: 'once', n: 3, max_tokens: 12, seed, temperature: 1.5 };
      return (await client.completions.create(request)).choices.map(({ text }) => text);
    };
    const first = await ask(5);
    expect(new Set(first).size).toBe(3);
    expect(await ask(5)).toEqual(first);
    expect(await ask(6)).not.toEqual(first);
    expect(await ask(Number.MAX_SAFE_INTEGER)).toHaveLength(3);
  });

  test('tell log-probabilities of the model', async () => {
    const { choices } = await client.completions.create({ ...greedy, prompt: 'the', max_tokens: 2, logprobs: 3 });
    const told = choices[0]?.logprobs;
    const scores = toNumbers(
      evaluateGraph(writer.graph, { tokens: tensor([tokenizer.encode('the')], { dtype: 'int32' }) })[
        'logits'
      ] as Tensor,
    ).slice(-tokenizer.vocabularySize);
    const total = Math.log(scores.reduce((sum, score) => sum + Math.exp(score), 0));
    const [first] = told?.tokens ?? [];
    expect(told?.token_logprobs?.[0]).toBeCloseTo(Math.max(...scores) - total, 3);
    expect(told?.text_offset).toEqual([0, first?.length]);
    const [top = {}] = told?.top_logprobs ?? [];
    const best = [...scores].sort((one, other) => other - one).slice(0, 3);
    expect(Object.values(top).map((value) => value.toFixed(3))).toEqual(
      best.map((score) => (score - total).toFixed(3)),
    );
  });

  test('obey biases', async () => {
    const [id] = tokenizer.encode('z') as [number];
    const request = { ...greedy, prompt: 'the', max_tokens: 4, logit_bias: { [id]: 100 } };
    expect((await client.completions.create(request)).choices[0]?.text).toBe('zzzz');
    const [first] = await expected('the', 1);
    const banned = tokenizer.idOf(first as string) as number;
    const other = await client.completions.create({
      ...greedy,
      prompt: 'the',
      max_tokens: 1,
      logit_bias: { [banned]: -100 },
    });
    expect(other.choices[0]?.text).not.toBe(first);
  });

  test('end where the context does', async () => {
    const prompt = 'a b '.repeat(20);
    const { choices, usage } = await client.completions.create({ ...greedy, prompt, max_tokens: contextLength });
    expect(choices[0]?.finish_reason).toBe('length');
    expect(usage?.completion_tokens).toBe(contextLength - prompt.length + 1);
    expect(choices[0]?.text).toBe(await expected(prompt, contextLength));
  });
});

describe('chats', () => {
  const messages = [
    { role: 'system', content: 'be brief' },
    {
      role: 'user',
      content: [
        { type: 'text', text: 'hello ' },
        { type: 'text', text: 'there' },
      ],
    },
  ] as const;
  const prompt = chatPrompt(['system', 'be brief'], ['user', 'hello there']);

  test('are answered by the template of the model', async () => {
    const chat = await client.chat.completions.create({ ...greedy, messages: [...messages] as never, max_tokens: 9 });
    expect(chat.choices[0]).toMatchObject({
      message: { role: 'assistant', content: await expected(prompt, 9) },
      finish_reason: 'length',
    });
    expect(chat).toMatchObject({ object: 'chat.completion', usage: { prompt_tokens: prompt.length } });
  });

  test('stream', async () => {
    const runner = client.chat.completions.stream({
      ...greedy,
      ...{ messages: [...messages] as never, max_completion_tokens: 9, logprobs: true, top_logprobs: 2 },
    });
    const deltas: string[] = [];
    runner.on('content', (delta) => deltas.push(delta));
    const final = await runner.finalChatCompletion();
    expect(deltas.join('')).toBe(await expected(prompt, 9));
    expect(final.choices[0]?.message).toMatchObject({ role: 'assistant', content: deltas.join('') });
    expect(final.choices[0]?.logprobs?.content).toHaveLength(9);
    expect(final.choices[0]?.logprobs?.content?.[0]?.top_logprobs).toHaveLength(2);
  });
});

describe('embeddings', () => {
  const texts = ['hello', 'a good day'];
  const expectedVector = (text: string): number[] => {
    const ids = tokenizer.encode(text);
    const row = [...ids, ...new Array<number>(12 - ids.length).fill(0)];
    const values = toNumbers(
      Object.values(evaluateGraph(encoder.graph, { tokens: tensor([row], { dtype: 'int32' }) }))[0] as Tensor,
    );
    const norm = Math.hypot(...values);
    return Array.from(values, (value) => value / norm);
  };

  // The client asks for base64 by itself and decodes it.
  test.each([undefined, 'float', 'base64'] as const)('come as %s', async (encoding_format) => {
    const format = encoding_format === undefined ? {} : { encoding_format };
    const { data, usage } = await client.embeddings.create({ model: 'encoder', input: texts, ...format });
    expect(usage).toEqual({ prompt_tokens: 15, total_tokens: 15 });
    expect(data.map(({ index }) => index)).toEqual([0, 1]);
    for (const [index, text] of texts.entries()) {
      const given: unknown = data[index]?.embedding;
      const vector =
        typeof given === 'string'
          ? [...new Float32Array(new Uint8Array(Buffer.from(given, 'base64')).buffer)]
          : (given as number[]);
      const wanted = expectedVector(text);
      expect(vector).toHaveLength(wanted.length);
      for (const [at, value] of wanted.entries()) expect(vector[at]).toBeCloseTo(value, 5);
    }
  });
});

describe('models', () => {
  test('are listed where this protocol serves them', async () => {
    const names = [];
    for await (const { id, object, owned_by } of client.models.list()) {
      names.push(id);
      expect([object, owned_by]).toEqual(['model', 'modelwright']);
    }
    expect(names.sort()).toEqual(['encoder', 'writer']);
    expect(await client.models.retrieve('writer')).toMatchObject({ id: 'writer', object: 'model' });
  });

  test('may be named with a version', async () => {
    const { model } = await client.completions.create({ model: 'writer@1', prompt: 'a', max_tokens: 1 });
    expect(model).toBe('writer@1');
    await expect(client.completions.create({ model: 'writer@2', prompt: 'a' })).rejects.toBeInstanceOf(NotFoundError);
  });
});

test('a model that is replaced lets answers end', async () => {
  const stream = await client.completions.create({ ...greedy, prompt: 'once more', max_tokens: 60, stream: true });
  const chunks = stream[Symbol.asyncIterator]();
  const first = await chunks.next();
  models.set('writer', languageModels['writer'] as MemoryModel);
  const replaced = server.hub.refresh();
  let text = '';
  for (let next = first; next.done !== true; next = await chunks.next()) text += next.value.choices[0]?.text ?? '';
  expect(text).toBe(await expected('once more', 60));
  await replaced;
  const { choices } = await client.completions.create({ ...greedy, prompt: 'the quick', max_tokens: 12 });
  expect(choices[0]?.text).toBe(await expected('the quick', 12));
});

describe('errors', () => {
  const ask = (request: object): Promise<unknown> =>
    client.completions.create({ model: 'writer', prompt: 'a', ...request } as never);
  const chat = (request: object): Promise<unknown> =>
    client.chat.completions.create({
      model: 'writer',
      messages: [{ role: 'user', content: 'a' }],
      ...request,
    } as never);

  test.each([
    ['a temperature out of range', () => ask({ temperature: 3 }), 'temperature'],
    ['a prompt that is too long', () => ask({ prompt: 'a'.repeat(contextLength + 1) }), 'prompt'],
    ['an empty prompt', () => ask({ prompt: '' }), 'prompt'],
    ['a prompt of another kind', () => ask({ prompt: { a: 1 } }), 'prompt'],
    ['a token that is not there', () => ask({ prompt: [1, 1e6] }), 'prompt'],
    ['log-probabilities of an echo', () => ask({ echo: true, logprobs: 1 }), 'logprobs'],
    ['a seed of another kind', () => ask({ seed: 0.5 }), 'seed'],
    ['too many answers', () => ask({ n: 129 }), 'n'],
    ['more tokens than there is room for', () => ask({ max_tokens: contextLength + 1 }), 'max_tokens'],
    ['a bias for no token', () => ask({ logit_bias: { x: 1 } }), 'logit_bias'],
    ['a suffix', () => ask({ suffix: 'end' }), 'suffix'],
    ['a chat of no messages', () => chat({ messages: [] }), 'messages'],
    [
      'a message with a picture',
      () => chat({ messages: [{ role: 'user', content: [{ type: 'image_url' }] }] }),
      'messages[0].content',
    ],
    ['messages that the template refuses', () => chat({ messages: [{ role: 'tool', content: '' }] }), 'messages'],
    ['tools', () => chat({ tools: [{ type: 'function', function: { name: 'f' } }] }), 'tools'],
    ['a form of answer', () => chat({ response_format: { type: 'json_object' } }), 'response_format'],
    ['embeddings of ids', () => client.embeddings.create({ model: 'encoder', input: [1, 2] }), 'input'],
    ['embeddings of nothing', () => client.embeddings.create({ model: 'encoder', input: '' }), 'input'],
    [
      'embeddings of other sizes',
      () => client.embeddings.create({ model: 'encoder', input: 'a', dimensions: 3 }),
      'dimensions',
    ],
  ])('say what is wrong: %s', async (_, call, param) => {
    const error = await call().then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(BadRequestError);
    expect(error).toMatchObject({ param, type: 'invalid_request_error', code: expect.any(String) });
  });

  test('name models that are not there, or cannot do it', async () => {
    await expect(ask({ model: 'nobody' })).rejects.toBeInstanceOf(NotFoundError);
    await expect(ask({ model: 'plain' })).rejects.toMatchObject({ status: 400, code: 'unsupported-op' });
    await expect(client.embeddings.create({ model: 'writer', input: 'a' })).rejects.toMatchObject({ status: 400 });
  });

  test('of a queue that is full come before the stream begins, and say when to come again', async () => {
    const controllers = Array.from({ length: 9 }, () => new AbortController());
    const requests = controllers.map(({ signal }) =>
      client.completions.create({ ...greedy, prompt: 'a', max_tokens: 80, stream: true }, { signal }),
    );
    const results = await Promise.allSettled(requests);
    const refused = results.flatMap((result) => (result.status === 'rejected' ? [result.reason as APIError] : []));
    for (const controller of controllers) controller.abort();
    expect(refused.length).toBeGreaterThan(0);
    for (const error of refused) {
      expect(error).toMatchObject({ status: 503, code: 'queue-full' });
      expect(error.headers?.get('retry-after')).toBe('1');
    }
  });

  test('a client that goes away frees its row', async () => {
    const controllers = Array.from({ length: 3 }, () => new AbortController());
    for (const { signal } of controllers) {
      const stream = await client.completions.create(
        { ...greedy, prompt: 'go on', max_tokens: 90, stream: true },
        { signal },
      );
      await stream[Symbol.asyncIterator]().next();
    }
    for (const controller of controllers) controller.abort();
    const { choices } = await client.completions.create({ ...greedy, prompt: 'the quick', max_tokens: 12 });
    expect(choices[0]?.text).toBe(await expected('the quick', 12));
  });
});

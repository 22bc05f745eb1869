import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createReferenceBackend } from '@modelwright/core';
import { writeOnnx } from '@modelwright/onnx';
import { createGenerator } from '@modelwright/text';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ServerEvent } from '../contract/events.js';
import type { GenerationService } from '../contract/generation.js';
import type { ServedModel } from '../contract/served-model.js';
import { generation, tokenizer, writer } from '../openai/language-models.cases.js';
import { hostProgram } from '../workers/host-program.cases.js';
import { nodeServing } from '../workers/node-serving.js';

const module = new URL('./dying-backend.cases.mjs', import.meta.url).href;
const backend = createReferenceBackend();
const end = tokenizer.idOf('<|end|>') as number;
const open: ServedModel[] = [];
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'modelwright-'));
});
afterAll(async () => {
  for (const served of open) await served.dispose(0);
  await rm(folder, { recursive: true });
});

async function serve(options: object, configuration: object, events: ServerEvent[] = []): Promise<GenerationService> {
  const make = nodeServing({
    backendModule: { module, options },
    processEntry: hostProgram('isolate/process-entry'),
    workerEntry: hostProgram('workers/thread-entry'),
  });
  const served = await make(
    {
      ...{ name: 'writer', version: '1', sha256: '', model: writer, bytes: writeOnnx(writer).bytes },
      configuration: { ...configuration, generation: { maxConcurrent: 2, maxLength: 40 } },
      processing: generation,
      tokenizers: new Map([['tokenizer.json', tokenizer]]),
    },
    { backend, events: { emit: (event) => void events.push(event), subscribe: () => () => undefined } },
  );
  open.push(served);
  return served.generation as GenerationService;
}

async function answer(service: GenerationService, prompt: string): Promise<string> {
  let text = '';
  const request = { prompt: tokenizer.encode(prompt), temperature: 0, maxTokens: 8 };
  for await (const piece of service.generate(request, {})) text += piece.text;
  return text;
}

async function expected(prompt: string): Promise<string> {
  const generator = await createGenerator(writer, { backend, tokenizer, maxLength: 40 });
  let text = '';
  for await (const piece of generator.generateText(prompt, { temperature: 0, maxTokens: 8, stop: [end] }))
    text += piece.text;
  return text;
}

test('texts whose process dies go on in the next one, and one that kills it again gets an error', async () => {
  const events: ServerEvent[] = [];
  const [dangerous, deadly] = tokenizer.encode('🙂ä') as [number, number];
  const service = await serve({ deadly, dangerous, memory: join(folder, 'died') }, { isIsolated: true }, events);
  const answers = await Promise.all([answer(service, 'all is well'), answer(service, 'then 🙂 comes')]);
  expect(answers).toEqual([await expected('all is well'), await expected('then 🙂 comes')]);
  expect(events.flatMap((event) => (event.kind === 'model-state' ? [event.state] : []))).toEqual([
    'UNAVAILABLE',
    'READY',
  ]);
  await expect(answer(service, 'the änd')).rejects.toMatchObject({ code: 'model-unavailable' });
}, 30_000);

test('texts are decoded in a thread where the model wants one', async () => {
  const service = await serve({}, { workers: 1 });
  expect(await answer(service, 'a thread')).toBe(await expected('a thread'));
}, 30_000);

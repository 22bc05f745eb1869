import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createReferenceBackend } from '@modelwright/core';
import { writeOnnx } from '@modelwright/onnx';
import { createGenerator } from '@modelwright/text';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { GenerationService } from '../contract/generation.js';
import type { ModelConfiguration } from '../contract/model-configuration.js';
import type { ModelArtifact } from '../contract/served-model.js';
import { openProcessDecoder } from '../isolate/process-runner.js';
import { SpareProcess } from '../isolate/spare-process.js';
import { generation, tokenizer, writer } from '../openai/language-models.cases.js';
import { hostProgram } from '../workers/host-program.cases.js';
import { nodeServing } from '../workers/node-serving.js';
import { createGenerationService, type LoadedGeneration } from './generation-service.js';

const module = new URL('./dying-backend.cases.mjs', import.meta.url).href;
const backend = createReferenceBackend();
const end = tokenizer.idOf('<|end|>') as number;
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'modelwright-'));
});
afterAll(() => rm(folder, { recursive: true }));

function artifact(configuration: ModelConfiguration): ModelArtifact {
  return {
    ...{ name: 'writer', version: '1', sha256: '', model: writer, bytes: writeOnnx(writer).bytes },
    configuration: { ...configuration, generation: { maxConcurrent: 2, maxLength: 40 } },
    processing: generation,
    tokenizers: new Map([['tokenizer.json', tokenizer]]),
  };
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
  const states: boolean[] = [];
  const [dangerous, deadly] = tokenizer.encode('🙂ä') as [number, number];
  const options = { deadly, dangerous, memory: join(folder, 'died') };
  const entry = hostProgram('isolate/process-entry');
  const processes = new SpareProcess({ backend: { module, options }, entry });
  const onChange = ({ isRunning }: { readonly isRunning: boolean }): void => void states.push(isRunning);
  const service = (await createGenerationService(artifact({}), {
    backend,
    openDecoder: (one, plan) => openProcessDecoder(one, plan, { processes, onChange }),
  })) as LoadedGeneration;
  const answers = await Promise.all([answer(service, 'all is well'), answer(service, 'then 🙂 comes')]);
  expect(answers).toEqual([await expected('all is well'), await expected('then 🙂 comes')]);
  expect(states).toEqual([false, true]);
  await expect(answer(service, 'the änd')).rejects.toMatchObject({ code: 'model-unavailable' });
  await service.dispose();
}, 30_000);

test('texts are decoded in a thread where the model wants one', async () => {
  const make = nodeServing({
    backendModule: { module, options: {} },
    workerEntry: hostProgram('workers/thread-entry'),
  });
  const events = { emit: () => undefined, subscribe: () => () => undefined };
  const served = await make(artifact({ workers: 1 }), { backend, events });
  const service = served.generation as GenerationService;
  expect(await answer(service, 'a thread')).toBe(await expected('a thread'));
  await served.dispose(0);
}, 30_000);

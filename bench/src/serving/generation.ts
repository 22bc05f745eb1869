/**
 * What continuous batching gives: tokens a second of a small GPT over OpenAI's API with rows that join and leave, and with one text after
 * the other; and how long a client waits for its first token. Both have to give the same texts.
 *
 * usage: generation [--requests 64] [--clients 16] [--rows 8] [--out generation.local.json]
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { createBackend } from '@modelwright/backend-onnxruntime';
import { Model } from '@modelwright/core';
import { processingKey } from '@modelwright/deployment';
import { gpt } from '@modelwright/models';
import { writeOnnx } from '@modelwright/onnx';
import { memoryRepository } from '@modelwright/server';
import { serve } from '@modelwright/server/node';
import { characterTokenizer } from '@modelwright/text';
import { quantile } from '../measurement.js';
import { formatColumns } from '../table.js';

/** What sharing the steps of the decoder has to give at least. */
const leastGain = 1.5;

const { values } = parseArgs({
  options: {
    requests: { type: 'string', default: '64' },
    clients: { type: 'string', default: '16' },
    rows: { type: 'string', default: '8' },
    out: { type: 'string' },
  },
});

const tokenizer = characterTokenizer({ vocabulary: [...'\n abcdefghijklmnopqrstuvwxyz.,'] });
const { name, graph, parameters } = gpt({
  vocabularySize: 5000,
  sequenceLength: 256,
  layers: 6,
  heads: 6,
  width: 384,
  initializerRange: 0.1,
});
const outputs = { logits: { kind: 'generation', tokenizer: 'tokenizer.json' } };
const metadata = { [processingKey]: JSON.stringify({ outputs }) };
const files = {
  'model.onnx': writeOnnx(new Model({ name, graph, parameters, metadata })).bytes,
  'tokenizer.json': new TextEncoder().encode(JSON.stringify(tokenizer)),
};
const rowCounts = { continuous: Number(values.rows), 'one by one': 1 };
const backend = await createBackend();
const server = await serve({
  backend,
  port: 0,
  models: memoryRepository({
    continuous: { configuration: { generation: { maxConcurrent: rowCounts.continuous } }, versions: { 1: files } },
    single: { configuration: { generation: { maxConcurrent: 1 } }, versions: { 1: files } },
  }),
});

/** Prompts and answers of many lengths, the same for the same number. The model's scores of the tokens that no text has are held down. */
function bodyOf(index: number, model: string): string {
  const prompt = 'the words of a text that is asked to go on, and '.repeat(1 + (index % 4)).slice(index % 11);
  const max_tokens = 8 + ((index * 13) % 56);
  return JSON.stringify({
    model,
    prompt,
    max_tokens,
    temperature: 0,
    stream: true,
    stream_options: { include_usage: true },
  });
}

interface Answer {
  readonly text: string;
  readonly tokens: number;
  readonly firstMilliseconds: number;
  readonly milliseconds: number;
}

async function ask(index: number, model: string): Promise<Answer> {
  const started = performance.now();
  const response = await fetch(`${server.url}/v1/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: bodyOf(index, model),
  });
  if (!response.ok || response.body === null) throw new Error(`${response.status} ${await response.text()}`);
  let text = '';
  let tokens = 0;
  let firstMilliseconds = 0;
  let rest = '';
  for await (const bytes of response.body.pipeThrough(new TextDecoderStream())) {
    if (firstMilliseconds === 0) firstMilliseconds = performance.now() - started;
    const events = (rest + bytes).split('\n\n');
    rest = events.pop() ?? '';
    for (const event of events) {
      if (event === 'data: [DONE]') continue;
      const { choices, usage, error } = JSON.parse(event.slice('data: '.length));
      if (error !== undefined) throw new Error(error.message);
      text += choices[0]?.text ?? '';
      tokens = usage?.completion_tokens ?? tokens;
    }
  }
  return { text, tokens, firstMilliseconds, milliseconds: performance.now() - started };
}

async function measure(
  model: string,
  requests: number,
): Promise<{ readonly seconds: number; readonly answers: readonly Answer[] }> {
  const answers: Answer[] = [];
  let next = 0;
  const client = async (): Promise<void> => {
    while (next < requests) {
      const index = next++;
      answers[index] = await ask(index, model);
    }
  };
  const started = performance.now();
  await Promise.all(Array.from({ length: Number(values.clients) }, client));
  return { seconds: (performance.now() - started) / 1000, answers };
}

const models = { continuous: 'continuous', 'one by one': 'single' };
const results = [];
for (const [label, model] of Object.entries(models)) {
  await measure(model, 4);
  const { seconds, answers } = await measure(model, Number(values.requests));
  const tokens = answers.reduce((sum, answer) => sum + answer.tokens, 0);
  const first = answers.map(({ firstMilliseconds }) => firstMilliseconds);
  results.push({
    label,
    tokensPerSecond: tokens / seconds,
    firstP50: quantile(first, 0.5),
    firstP99: quantile(first, 0.99),
    answerP50: quantile(
      answers.map(({ milliseconds }) => milliseconds),
      0.5,
    ),
    texts: answers.map(({ text }) => text),
  });
}
await server.close();
await backend.dispose();

const [continuous, single] = results as [(typeof results)[number], (typeof results)[number]];
const gain = continuous.tokensPerSecond / single.tokensPerSecond;
const differing = continuous.texts.filter((text, index) => text !== single.texts[index]).length;
const isMet = gain >= leastGain && differing === 0;
const rows = results.map(({ label, tokensPerSecond, firstP50, firstP99, answerP50 }) => [
  label,
  ...[tokensPerSecond, firstP50, firstP99, answerP50].map((value) => value.toFixed(0)),
]);
process.stdout.write(
  `${formatColumns([['', 'tokens/s', 'first token p50 ms', 'p99 ms', 'answer p50 ms'], ...rows])}\n\n` +
    `continuous batching: ${gain.toFixed(2)}× (wanted ${leastGain}×), ${differing} texts differ: ${isMet ? 'met' : 'MISSED'}\n`,
);
if (values.out !== undefined)
  writeFileSync(
    values.out,
    `${JSON.stringify({ ...values, gain, differing, results: results.map(({ texts: _, ...rest }) => rest) }, undefined, 2)}\n`,
  );
process.exit(isMet ? 0 : 1);

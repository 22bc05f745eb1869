/**
 * Generation with and without the cache of keys and values, one beside the other: greedy tokens must be the same, and a token
 * at the end of the text must be cheaper by the promised factor. Rounds alternate; ratios are taken in each, then their median.
 *
 * With `--torch`, PyTorch generates with a cache as well, in each round, in the best of three settings of its threads.
 *
 * usage: generation [--torch] [--rounds 5] [--tokens 256] [--models characters,words] [--out results.local.json]
 */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { createPredictor, type Predictor, Tensor } from '@modelwright/core';
import { type GptOptions, gpt } from '@modelwright/models';
import { createGenerator, type TextGenerator } from '@modelwright/text';
import { loadBackend } from 'modelwright';
import { quantile } from './measurement.js';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    tokens: { type: 'string', default: '256' },
    models: { type: 'string', default: 'characters,words' },
    backend: { type: 'string', default: 'onnxruntime' },
    torch: { type: 'boolean', default: false },
    out: { type: 'string' },
  },
});

/** Tokens at the end of the text that are timed. */
const window = 64;
/** The same where each costs a pass over the whole text. */
const slowWindow = 12;
/** A token takes less than a slice of time that the system gives to others: what lies above tells of them. */
const share = 0.2;
const leastRatio = 5;
const tokens = Number(values.tokens);

/** nanoGPT's setting for a CPU with a longer context, and a model of 30 million weights over a vocabulary of words. */
const models: { readonly [name: string]: GptOptions } = {
  characters: { vocabularySize: 65, sequenceLength: 512, layers: 4, heads: 4, width: 128, initializerRange: 0.2 },
  words: { vocabularySize: 16_384, sequenceLength: 512, layers: 8, heads: 8, width: 512, initializerRange: 0.1 },
};

interface Row {
  readonly model: string;
  readonly weights: number;
  readonly tokens: number;
  readonly cachedMilliseconds: number;
  readonly uncachedMilliseconds: number;
  /** How many times as fast a token is with the cache, in each round. */
  readonly ratios: readonly number[];
  readonly ratio: number;
  readonly tokensPerSecond: number;
  /** How many times as fast as PyTorch with a cache. */
  readonly overTorch: number | undefined;
  readonly areEqual: boolean;
}

const rows: Row[] = [];
for (const name of values.models.split(',')) rows.push(await measure(name, models[name] as GptOptions));
process.stdout.write(`${formatRows(rows)}\n`);
if (values.out !== undefined) writeFileSync(values.out, `${JSON.stringify(rows, null, 2)}\n`);
process.exitCode = rows.every(({ areEqual, ratio }) => areEqual && ratio >= leastRatio) ? 0 : 1;

async function measure(name: string, options: GptOptions): Promise<Row> {
  const model = gpt(options);
  const backend = await loadBackend(values.backend);
  const generator = await createGenerator(model, { backend, maxLength: tokens });
  const predictor = await createPredictor(model, backend);
  const text = [1, ...(await cached(generator)).ids];
  const rounds: { readonly fast: number; readonly slow: number; readonly torch: number }[] = [];
  let areEqual = true;
  for (let round = 0; round < Number(values.rounds); round++) {
    const fast = await cached(generator);
    const slow = await uncached(predictor, text);
    areEqual &&= slow.ids.every((id, index) => id === text[tokens - slowWindow + index]);
    rounds.push({
      fast: quantile(fast.milliseconds, share),
      slow: quantile(slow.milliseconds, share),
      torch: byTorch(options),
    });
  }
  areEqual &&= await isWhollyEqual(predictor, text);
  await backend.dispose();
  const ratios = rounds.map(({ fast, slow }) => slow / fast);
  const cachedMilliseconds = quantile(
    rounds.map(({ fast }) => fast),
    0.5,
  );
  return {
    model: name,
    weights: model.parameterCount,
    tokens,
    cachedMilliseconds,
    uncachedMilliseconds: quantile(
      rounds.map(({ slow }) => slow),
      0.5,
    ),
    ratios,
    ratio: quantile(ratios, 0.5),
    tokensPerSecond: 1000 / cachedMilliseconds,
    overTorch: values.torch
      ? quantile(
          rounds.map(({ fast, torch }) => torch / fast),
          0.5,
        )
      : undefined,
    areEqual,
  };
}

/** Milliseconds of a token in PyTorch at its best; NaN where it is not asked for. */
function byTorch({ vocabularySize: vocabulary, layers, heads, width }: GptOptions): number {
  if (!values.torch) return Number.NaN;
  const sizes = JSON.stringify({ vocabulary, layers, heads, width, tokens, window, share });
  const script = fileURLToPath(new URL('../peers/torch_generation.py', import.meta.url));
  const settings = [{}, { OMP_WAIT_POLICY: 'passive' }, { OPENBLAS_NUM_THREADS: '1' }];
  const times = settings.map((setting) => {
    const env = { ...process.env, ...setting };
    const { stdout } = spawnSync(process.env['BENCH_PYTHON'] ?? '/usr/bin/python3', [script, sizes], {
      env,
      encoding: 'utf8',
    });
    return (JSON.parse(stdout) as { milliseconds: number }).milliseconds;
  });
  return Math.min(...times);
}

interface Timed {
  readonly ids: readonly number[];
  readonly milliseconds: readonly number[];
}

/** A text of all tokens; the last ones timed. */
async function cached(generator: TextGenerator): Promise<Timed> {
  const ids: number[] = [];
  const milliseconds: number[] = [];
  let before = performance.now();
  for await (const { token } of generator.generate([1], { maxTokens: tokens - 1, temperature: 0 })) {
    ids.push(token);
    const now = performance.now();
    if (ids.length >= tokens - window) milliseconds.push(now - before);
    before = now;
  }
  return { ids, milliseconds };
}

/** The last tokens, each from the whole text before it. */
async function uncached(predictor: Predictor, text: readonly number[]): Promise<Timed> {
  const ids: number[] = [];
  const milliseconds: number[] = [];
  for (let length = tokens - slowWindow; length < tokens; length++) {
    const before = performance.now();
    ids.push((await mostLikely(predictor, text.slice(0, length))).at(-1) as number);
    milliseconds.push(performance.now() - before);
  }
  return { ids, milliseconds };
}

/** One pass over the whole text says what would follow each of its tokens. */
async function isWhollyEqual(predictor: Predictor, text: readonly number[]): Promise<boolean> {
  const next = await mostLikely(predictor, text.slice(0, -1));
  return next.every((id, index) => id === text[index + 1]);
}

async function mostLikely(predictor: Predictor, ids: readonly number[]): Promise<number[]> {
  const { logits } = await predictor.predict({ tokens: new Tensor('int32', [1, ids.length], Int32Array.from(ids)) });
  const { data, shape } = logits as Tensor;
  const size = shape[2] as number;
  return ids.map((_, place) => {
    const row = (data as Float32Array).subarray(place * size, (place + 1) * size);
    return row.reduce((best, logit, id) => (logit > (row[best] as number) ? id : best), 0);
  });
}

function formatRows(all: readonly Row[]): string {
  const lines = all.map(
    (row) =>
      `| ${row.model}, ${(row.weights / 1e6).toFixed(1)} M | ${row.uncachedMilliseconds.toFixed(2)} | ${row.cachedMilliseconds.toFixed(2)} | ${row.ratio.toFixed(1)} | ${row.tokensPerSecond.toFixed(0)} | ${row.overTorch?.toFixed(1) ?? '–'} | ${row.areEqual ? 'yes' : 'NO'} |`,
  );
  return [
    `| a token at ${tokens} | without cache, ms | with cache, ms | ratio | tokens/s | over PyTorch with cache | same tokens |`,
    '| --- | --- | --- | --- | --- | --- | --- |',
    ...lines,
  ].join('\n');
}

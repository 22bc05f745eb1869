import { isModelwrightError, type Model } from '@modelwright/core';
import { expect, it } from 'vitest';
import { readOnnx, writeOnnx } from '../src/index.js';
import { externalDataOf, fixtureNames, loadFixture } from './fixtures.js';
import { Dice, mutate } from './mutate.js';
import { nodeTests } from './node-tests.js';
import { networks } from './own-ops.cases.js';

// The full run of 20,000 files is `node packages/onnx/scripts/fuzz.mjs`.
const fileCount = Number(process.env['MODELWRIGHT_FUZZ_FILES'] ?? 1500);
const firstSeed = Number(process.env['MODELWRIGHT_FUZZ_SEED'] ?? 1);
const longestMilliseconds = 3000;
const mostGrowthBytes = 2 ** 30;

interface Outcome {
  readonly seed: number;
  readonly code: string;
  readonly milliseconds: number;
}

const seeds = [
  ...fixtureNames.map((name) => loadFixture(name).bytes),
  ...nodeTests.map(({ model }) => model),
  ...Object.values(networks).map(({ graph }) => writeOnnx(graph, { opset: 17 }).bytes),
];
const externalData = externalDataOf('external');

/** Reads one damaged file, and writes it again if it was read; gives the code of the refusal. */
function outcomeOf(seed: number): Outcome {
  const bytes = mutate(seeds, new Dice(seed));
  const started = performance.now();
  const code = attempt(() => {
    const model: Model = readOnnx(bytes, { file: 'damaged.onnx', externalData });
    return attempt(() => {
      writeOnnx(model);
      return 'read';
    }, `written, seed ${seed}`);
  }, `seed ${seed}`);
  return { seed, code, milliseconds: performance.now() - started };
}

function attempt(work: () => string, where: string): string {
  try {
    return work();
  } catch (error) {
    // Errors of others that were only dressed up as ours are bugs too: the file got past every check.
    const cause = isModelwrightError(error) ? error.cause : error;
    const isOurs = isModelwrightError(error) && (cause === undefined || isModelwrightError(cause));
    if (!isOurs) throw new Error(`${where}: ${(cause as Error)?.stack ?? cause}`, { cause: error });
    return error.code;
  }
}

it(`${fileCount} damaged files are read or refused, quickly and with a typed error`, { timeout: 3_600_000 }, () => {
  const before = process.memoryUsage().rss;
  let peak = before;
  const counts = new Map<string, number>();
  const slow: Outcome[] = [];
  // One of each kind: the same fault shows in many files.
  const failures = new Map<string, string>();
  for (let seed = firstSeed; seed < firstSeed + fileCount; seed++) {
    try {
      const outcome = outcomeOf(seed);
      counts.set(outcome.code, (counts.get(outcome.code) ?? 0) + 1);
      if (outcome.milliseconds > longestMilliseconds) slow.push(outcome);
    } catch (error) {
      const message = (error as Error).message.split('\n').slice(0, 4).join('\n');
      failures.set(message.replace(/^.*?seed \d+: /, ''), message);
    }
    if (seed % 100 === 0) peak = Math.max(peak, process.memoryUsage().rss);
  }
  if (process.env['MODELWRIGHT_FUZZ_FILES'] !== undefined) {
    process.stdout.write(
      `${JSON.stringify({ ...Object.fromEntries(counts), peakMegabytes: Math.round(peak / 2 ** 20) })}\n`,
    );
  }
  expect([...failures.values()]).toEqual([]);
  expect(slow).toEqual([]);
  expect(peak - before).toBeLessThan(mostGrowthBytes);
  // The mutations must neither leave files whole nor always destroy them at the first byte.
  expect(counts.get('read') ?? 0).toBeGreaterThan(fileCount / 50);
  expect(counts.get('invalid-model') ?? 0).toBeGreaterThan(fileCount / 50);
});

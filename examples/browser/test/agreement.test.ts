/**
 * One trained file and one training program on every backend of this machine: in Node, and in Chromium. All 2,000 held-out
 * digits come out within 1e-4 of the reference, with the same answer; 20 losses agree within 1e-3 of themselves.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { readOnnx } from '@modelwright/onnx';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeDigits } from '../digits-plugin.js';
import {
  allProbabilities,
  classesOf,
  largestDifference,
  largestRelativeDifference,
  lossTrace,
} from '../src/agreement.js';
import { backends } from '../src/backends.js';
import type { CompareHandle } from '../src/compare.js';
import { type Digits, pick, unpackDigits } from '../src/digits.js';
import { type NetworkKind, networks } from '../src/networks.js';
import { chromiumPath, Site } from './chromium.js';
import { type NodeBackend, nodeBackends, reference } from './node-backends.js';

const outputTolerance = 1e-4;
const lossTolerance = 1e-3;
const steps = 20;
const kinds = Object.keys(networks) as NetworkKind[];
const publicFolder = fileURLToPath(new URL('../public/', import.meta.url));
const minutes = 60_000;

interface PageGlobals {
  readonly modelwrightCompare: CompareHandle;
}

interface Findings {
  readonly probabilities: Float32Array;
  readonly traces: { readonly [kind in NetworkKind]: readonly number[] };
}

// The reference in Chromium is slow and the same code as in Node; WebGPU without a GPU takes minutes. MODELWRIGHT_FULL=1 spares
// nothing.
const fewer: { readonly [id: string]: number } = { reference: 100, 'onnxruntime:webgpu': 24 };
const digitsFor = (id: string): number =>
  process.env['MODELWRIGHT_FULL'] ? heldOut.count : (fewer[id] ?? heldOut.count);

// A step of the CNN takes seconds on a WebGPU without a GPU.
const stepsFor = (id: string, kind: NetworkKind): number =>
  id === 'onnxruntime:webgpu' && kind === 'cnn' && !process.env['MODELWRIGHT_FULL'] ? 4 : steps;

let heldOut: Digits;
let training: Digits;
let expected: Findings;

function firstOf(digits: Digits, count: number): Digits {
  return pick(
    digits,
    Array.from({ length: count }, (_, index) => index),
  );
}

async function findingsOf({ id, open }: NodeBackend, count: number): Promise<Findings> {
  const backend = await open();
  try {
    const model = readOnnx(readFileSync(`${publicFolder}digits.onnx`));
    return {
      probabilities: await allProbabilities(model, backend, firstOf(heldOut, count)),
      traces: {
        mlp: await lossTrace(backend, training, { network: 'mlp', steps: stepsFor(id, 'mlp') }),
        cnn: await lossTrace(backend, training, { network: 'cnn', steps: stepsFor(id, 'cnn') }),
      },
    };
  } finally {
    await backend.dispose();
  }
}

/** Largest differences from the reference, by place and backend; printed when all is done. */
const table: { [where: string]: { [what: string]: string } } = {};

function note(where: string, what: string, difference: number): number {
  table[where] = { ...table[where], [what]: difference.toExponential(1) };
  return difference;
}

function expectSameAnswers(where: string, probabilities: Float32Array, count = heldOut.count): void {
  expect(probabilities).toHaveLength(count * 10);
  const wanted = expected.probabilities.subarray(0, count * 10);
  expect(note(where, `outputs of ${count}`, largestDifference(probabilities, wanted))).toBeLessThan(outputTolerance);
  expect(classesOf(probabilities)).toEqual(classesOf(wanted));
}

function expectSameLosses(where: string, kind: NetworkKind, losses: readonly number[]): void {
  const wanted = expected.traces[kind].slice(0, losses.length);
  const found = note(where, `${losses.length} losses of ${kind}`, largestRelativeDifference(losses, wanted));
  expect(found).toBeLessThan(lossTolerance);
}

beforeAll(async () => {
  writeDigits(`${publicFolder}digits`);
  [heldOut, training] = ['held-out', 'training'].map((name) =>
    unpackDigits(readFileSync(`${publicFolder}digits/${name}.bin`)),
  ) as [Digits, Digits];
  expected = await findingsOf(reference, heldOut.count);
}, 10 * minutes);

afterAll(() => console.table(table));

it('the reference reads 97 of 100 held-out digits, and learns', () => {
  const classes = classesOf(expected.probabilities);
  expect(heldOut.count).toBe(2_000);
  expect(classes.filter((digit, row) => digit === heldOut.labels[row]).length).toBeGreaterThan(0.97 * heldOut.count);
  for (const kind of kinds) expect(expected.traces[kind].at(-1)).toBeLessThan(expected.traces[kind][0] as number);
});

describe('in Node', () => {
  for (const backend of nodeBackends) {
    const suffix = backend.missing === undefined ? '' : ` (skipped: ${backend.missing})`;
    it.skipIf(backend.missing)(
      `${backend.id} agrees with the reference${suffix}`,
      { timeout: 8 * minutes },
      async () => {
        const found = await findingsOf(backend, digitsFor(backend.id));
        expectSameAnswers(`node, ${backend.id}`, found.probabilities, digitsFor(backend.id));
        for (const kind of kinds) expectSameLosses(`node, ${backend.id}`, kind, found.traces[kind]);
      },
    );
  }
});

describe.skipIf(chromiumPath === undefined)('in Chromium (skipped where there is none)', () => {
  let site: Site;
  let page: Page;
  beforeAll(async () => {
    site = await Site.open();
    ({ page } = await site.visit('compare.html'));
  }, 2 * minutes);
  afterAll(() => site?.close());

  for (const { id } of backends) {
    it(`${id} gives the answers of the reference`, { timeout: 8 * minutes }, async () => {
      const given = await page.evaluate(
        ([id, count]) => (globalThis as unknown as PageGlobals).modelwrightCompare.probabilities(id, count),
        [id, digitsFor(id)] as const,
      );
      expectSameAnswers(`chromium, ${id}`, Float32Array.from(given), digitsFor(id));
    });

    for (const kind of kinds) {
      it(`${id} trains the ${kind} as the reference does`, { timeout: 8 * minutes }, async () => {
        const losses = await page.evaluate(
          ([id, kind, steps]) => (globalThis as unknown as PageGlobals).modelwrightCompare.lossTrace(id, kind, steps),
          [id, kind, stepsFor(id, kind)] as const,
        );
        expect(losses).toHaveLength(stepsFor(id, kind));
        expectSameLosses(`chromium, ${id}`, kind, losses);
      });
    }
  }
});

import { createReferenceBackend, type Model, tensor } from '@modelwright/core';
import { dense, sequential } from '@modelwright/models';
import { expect, test } from 'vitest';
import type { OptimizationContext } from '../../step.js';
import { pruneWeights } from './prune-weights.js';
import { scanSensitivity } from './scan-sensitivity.js';
import { weightSparsity } from './weight-sparsity.js';

const backend = createReferenceBackend();
const network = (): Model =>
  sequential({
    inputShape: [10],
    layers: [dense({ name: 'first', units: 10 }), dense({ name: 'last', units: 10 })],
    seed: 2,
  });
const samples = tensor(
  Array.from({ length: 16 }, (_, row) => Array.from({ length: 10 }, (_, at) => Math.sin(row * 7 + at * 3))),
);

// What a layer's zeros cost: the first ten times what the last do.
const price = (model: Model): number => {
  const [first, last] = weightSparsity(model).weights.map(({ sparsity }) => sparsity) as [number, number];
  return 1 - first * 0.1 - last * 0.01;
};

test('finds the ratios that together keep within a budget', async () => {
  const scan = await scanSensitivity(network(), { backend, evaluate: price, ratios: [0.9, 0.5, 0.7], maxLoss: 0.06 });
  expect(scan.score).toBe(1);
  expect(scan.layers.map(({ name }) => name)).toEqual(['first.kernel', 'last.kernel']);
  const losses = scan.layers.map(({ points }) => points.map(({ loss }) => Number(loss.toFixed(4))));
  expect(losses).toEqual([
    [0.05, 0.07, 0.09],
    [0.005, 0.007, 0.009],
  ]);
  expect(scan.proposal.ratios).toEqual({ 'last.kernel': 0.9, 'first.kernel': 0.5 });
  expect(scan.proposal.loss).toBeCloseTo(0.059, 6);
  expect(price(pruneWeights(network(), { ratios: scan.proposal.ratios }))).toBeCloseTo(scan.proposal.score, 12);
});

test('what fits alone but not together is left out', async () => {
  const { proposal } = await scanSensitivity(network(), { backend, evaluate: price, ratios: [0.5], maxLoss: 0.052 });
  expect(proposal.ratios).toEqual({ 'last.kernel': 0.5 });
  const none = await scanSensitivity(network(), { backend, evaluate: price, ratios: [0.5], maxLoss: 0.001 });
  expect(none.proposal).toEqual({ ratios: {}, score: 1, loss: 0 });
});

test('without a measure of its own, outputs on samples are compared', async () => {
  const scan = await scanSensitivity(network(), { backend, calibration: samples, ratios: [0.2, 0.5], maxLoss: 0.3 });
  for (const { points } of scan.layers) expect(points[1]?.loss).toBeGreaterThan(points[0]?.loss as number);
  expect(scan.proposal.loss).toBeLessThanOrEqual(0.3);
  expect(Object.keys(scan.proposal.ratios).length).toBeGreaterThan(0);
  await expect(scanSensitivity(network(), { backend })).rejects.toThrow(/evaluate.*calibration/);
});

test('any kind of pruning by layer can be scanned', async () => {
  const asked: object[] = [];
  const prune = (model: Model, ratios: { readonly [name: string]: number }): Model => {
    asked.push(ratios);
    return pruneWeights(model, { ratios });
  };
  await scanSensitivity(network(), { backend, evaluate: price, layers: ['last'], ratios: [0.5], prune, maxLoss: 1 });
  expect(asked).toEqual([{ last: 0.5 }, { last: 0.5 }]);
});

test('a step finds its ratios by scanning', async () => {
  const context: OptimizationContext = { backend, evaluate: async (model) => price(model), extensions: [] };
  const step = pruneWeights({ maxLoss: 0.06, exclude: ['first'] });
  expect(step.name).toBe('pruneWeights within 0.06');
  const { model, notes, extensions } = await step.apply(network(), context);
  expect(weightSparsity(model).weights.map(({ sparsity }) => sparsity)).toEqual([0, 0.95]);
  expect(notes?.[0]).toMatch(/^47.5 % of the weights are zero: first.kernel 0.0 %, last.kernel 95.0 %$/);
  expect(notes?.join()).toMatch(/nothing is faster,compressed file .* → .*,ratios found .* cost 0.00950/);
  expect(extensions?.map(({ name }) => name)).toEqual(['keepZeros']);
  const again = await pruneWeights({ ratio: 0.5 }).apply(model, { ...context, extensions: extensions ?? [] });
  expect(again.extensions?.map(({ name }) => name)).toEqual(['keepZeros2']);
  const shares = await pruneWeights({ maxLoss: 0.04, pattern: '2:4' }).apply(network(), context);
  expect(weightSparsity(shares.model).weights.map(({ sparsity }) => sparsity)).toEqual([0, 0.4]);
  const held = await pruneWeights({ maxLoss: 1e-9 }).apply(network(), context);
  expect(held.notes).toEqual(['no weight was pruned: each would have cost more than 1e-9']);
});

import { fromNumbers, type Model, ModelwrightError, type Tensor, toNumbers } from '@modelwright/core';
import { conv2d, dense, embedding, flatten, lstm, sequential } from '@modelwright/models';
import { readOnnx, writeOnnx } from '@modelwright/onnx';
import { describe, expect, test } from 'vitest';
import { prunableWeights } from './prunable-weights.js';
import { pruneWeights } from './prune-weights.js';
import { followsPattern, weightSparsity } from './weight-sparsity.js';

const small = (): Model =>
  sequential({
    inputShape: [8, 8, 3],
    layers: [
      conv2d({ name: 'stem', filters: 6, kernelSize: 3, activation: 'relu' }),
      conv2d({ name: 'body', filters: 10, kernelSize: 3, activation: 'relu' }),
      flatten(),
      dense({ name: 'head', units: 4 }),
    ],
    seed: 3,
  });

const sparsityOf = (model: Model): { [name: string]: number } =>
  Object.fromEntries(weightSparsity(model).weights.map(({ name, sparsity }) => [name, sparsity]));

describe('what is pruned', () => {
  test('each weight loses its smallest elements, biases and the given model none', () => {
    const model = small();
    const before = model.getWeights();
    const pruned = pruneWeights(model, { ratio: 0.75 });
    for (const { name, weight } of prunableWeights(pruned)) {
      const [old, now] = [toNumbers(before[name] as never), toNumbers(weight)];
      const gone = [...old].filter((_, at) => now[at] === 0).map(Math.abs);
      const left = [...now].filter((each) => each !== 0).map(Math.abs);
      expect(left.length).toBe(Math.round(old.length / 4));
      expect(Math.max(...gone)).toBeLessThanOrEqual(Math.min(...left));
    }
    expect(pruned.getWeights()['head.bias']).toBe(before['head.bias']);
    expect(model.getWeights()).toEqual(before);
    expect(pruned.parameters.map(({ name }) => name)).toEqual(model.parameters.map(({ name }) => name));
  });

  test('layers by name, and ratios of their own', () => {
    expect(sparsityOf(pruneWeights(small(), { ratio: 0.5, exclude: ['stem'] }))).toEqual({
      'stem.kernel': 0,
      'body.kernel': 0.5,
      'head.kernel': 0.5,
    });
    const chosen = pruneWeights(small(), { ratio: 0.5, include: [/kernel$/], ratios: { body: 0.9, 'head.kernel': 0 } });
    expect(sparsityOf(chosen)).toEqual({ 'stem.kernel': 0.5, 'body.kernel': 0.9, 'head.kernel': 0 });
    expect(sparsityOf(pruneWeights(small(), { ratios: { head: 0.25 } }))['stem.kernel']).toBe(0);
  });

  test('the least important of all layers, but never a whole layer', () => {
    const model = small();
    const { 'stem.kernel': stem } = model.getWeights();
    const tiny = toNumbers(stem as Tensor).map((each) => each * 1e-6);
    model.setWeights({ 'stem.kernel': fromNumbers('float32', (stem as Tensor).shape, tiny) });
    const pruned = pruneWeights(model, { ratio: 0.6, scope: 'global' });
    const { weights, sparsity } = weightSparsity(pruned);
    expect(sparsity).toBeCloseTo(0.6, 3);
    expect(weights[0]?.elements).toBe((weights[0]?.zeros as number) + 1);
  });

  test('embeddings and recurrent layers', () => {
    const layers = [embedding({ inputDim: 9, outputDim: 8 }), lstm({ units: 4 })];
    const model = sequential({ inputShape: [7], inputDType: 'int32', layers });
    const pruned = pruneWeights(model, { pattern: '2:4' });
    // Nothing is summed over the rows of a table.
    expect(weightSparsity(pruned).weights.map(({ sparsity }) => sparsity)).toEqual([0, 0.5, 0.5]);
    expect(sparsityOf(pruneWeights(model, { ratio: 0.25 }))['embedding.embeddings']).toBe(0.25);
  });

  test('a model from a file, whose weights have no layers', () => {
    const { bytes } = writeOnnx(small(), { trainingMetadata: false });
    const model = readOnnx(bytes);
    expect(model.layers).toEqual([]);
    const pruned = readOnnx(writeOnnx(pruneWeights(model, { ratio: 0.8 })).bytes);
    expect(weightSparsity(pruned).sparsity).toBeCloseTo(0.8, 2);
  });
});

describe('patterns', () => {
  const kept = (pattern: '4x1' | '2x3' | '2:4', options = {}): void => {
    const ratio = pattern === '2:4' ? {} : { ratio: 0.5 };
    for (const weight of prunableWeights(pruneWeights(small(), { pattern, ...ratio, ...options }))) {
      expect(followsPattern(weight, pattern), `${weight.name} ${pattern}`).toBe(true);
    }
  };

  test('blocks of outputs × inputs are zero as a whole', () => {
    kept('4x1');
    kept('2x3', { pooling: 'max' });
    expect(weightSparsity(pruneWeights(small(), { pattern: '4x1', ratio: 0.5 })).sparsity).toBeCloseTo(0.5, 1);
  });

  test('two of four inputs are kept; those of a short group stay', () => {
    kept('2:4');
    const { 'stem.kernel': stem, 'body.kernel': body } = sparsityOf(pruneWeights(small(), { pattern: '2:4' }));
    // Three inputs: one goes. Six: two of four, none of two.
    expect([stem, body]).toEqual([1 / 3, 1 / 3]);
  });

  test('unstructured zeros follow none', () => {
    const pruned = prunableWeights(pruneWeights(small(), { ratio: 0.5 }));
    expect(pruned.some((weight) => followsPattern(weight, '4x1'))).toBe(false);
    expect(pruned.some((weight) => followsPattern(weight, '1:3'))).toBe(false);
  });
});

test('mistakes are named', () => {
  const attempt = (options: object): string => {
    try {
      pruneWeights(small(), options);
      return 'none';
    } catch (error) {
      return error instanceof ModelwrightError ? `${error.code}: ${error.message}` : String(error);
    }
  };
  expect(attempt({ ratio: 1 })).toMatch(/^invalid-argument: the ratio .* is 1; from 0 to below 1/);
  expect(attempt({ ratios: { head: -0.1 } })).toMatch(/head.kernel/);
  expect(attempt({ ratio: 0.5, exclude: ['tail'] })).toMatch(
    /'tail' names no weight .* stem.kernel, body.kernel, head.kernel/,
  );
  expect(attempt({ ratio: 0.5, ratios: { tail: 0.5 } })).toMatch(/'tail' names no weight/);
  expect(attempt({ pattern: '4:2' })).toMatch(/'4:2' is no pattern/);
  expect(attempt({ pattern: '2:4', ratio: 0.5 })).toMatch(/says the ratio itself/);
  expect(attempt({ ratio: 0.5, scope: 'global', ratios: { head: 0.9 } })).toMatch(/takes one ratio/);
  expect(attempt({})).toMatch(/nothing .* would be pruned/);
});

import { readFileSync } from 'node:fs';
import {
  decodeSafetensors,
  evaluateGraph,
  isModelwrightError,
  type Model,
  Tensor,
  type TensorMap,
  toNumbers,
} from '@modelwright/core';
import { describe, expect, test } from 'vitest';
import { bertEncoder } from '../zoo/bert-encoder.js';
import { gpt } from '../zoo/gpt.js';
import { bertWeights } from './bert-weights.js';
import { gpt2Weights } from './gpt2-weights.js';
import { loadWeights } from './load-weights.js';

interface Packed {
  readonly shape: readonly number[];
  readonly data: readonly number[];
}

const fixture = (name: string): Buffer => readFileSync(new URL(`../../fixtures/pretrained/${name}`, import.meta.url));
const expected = JSON.parse(fixture('expected.json').toString()) as {
  readonly gpt2: { readonly [name: string]: Packed };
  readonly bert: { readonly [name: string]: Packed };
};
const tensorsOf = (name: string): TensorMap => decodeSafetensors(fixture(`${name}.safetensors`), name).tensors;
const integers = ({ shape, data }: Packed): Tensor => new Tensor('int32', shape, Int32Array.from(data));

/** The largest difference between what a model gives (computed in float64) and what PyTorch gave. */
function deviation(given: Tensor | undefined, wanted: Packed | undefined): number {
  const values = toNumbers(given as Tensor);
  expect(given?.shape).toEqual(wanted?.shape);
  return Math.max(...values.map((value, index) => Math.abs(value - (wanted?.data[index] as number))));
}

describe('GPT-2', () => {
  const options = { vocabularySize: 17, sequenceLength: 12, width: 16, heads: 4, layers: 2 };
  const logitsOf = ({ graph }: Model): Tensor | undefined => {
    const tokens = integers(expected.gpt2['tokens'] as Packed);
    return evaluateGraph(graph, { tokens }, { keepFloat64: true })['logits'];
  };

  test.each([
    ['gpt2', 'float32'],
    ['gpt2-float16', 'float16'],
    ['gpt2-bfloat16', 'bfloat16'],
  ])('%s gives the logits that PyTorch gives', (file, dtype) => {
    const model = gpt(options);
    const report = loadWeights(model, tensorsOf(file), { map: gpt2Weights });
    expect(report.missing).toEqual([]);
    expect(report.leftOver).toEqual([]);
    expect(report.matched).toHaveLength(model.parameters.length);
    expect(report.matched[0]?.parameter).toBe('wte.embeddings');
    expect(deviation(logitsOf(model), expected.gpt2[dtype])).toBeLessThan(1e-6);
  });

  test('a head of its own is turned round', () => {
    const model = gpt({ ...options, tieWeights: false });
    loadWeights(model, tensorsOf('gpt2-float16'), { map: gpt2Weights });
    expect(deviation(logitsOf(model), expected.gpt2['float16'])).toBeLessThan(1e-6);
  });

  test('says what is left over and what is missing', () => {
    const more = gpt({ ...options, layers: 3 });
    const codeAndMessage = caught(() => loadWeights(more, tensorsOf('gpt2'), { map: gpt2Weights }));
    expect(codeAndMessage).toMatch(
      /^checkpoint-mismatch: only 28 of 40 weights of model 'gpt'.*missing: h\.2\.ln_1\.gamma/,
    );
    const before = more.getWeights()['h.2.ln_1.gamma'];
    const report = loadWeights(more, tensorsOf('gpt2'), { map: gpt2Weights, allowMissing: true });
    expect(report.missing).toHaveLength(12);
    expect(more.getWeights()['h.2.ln_1.gamma']).toBe(before);
    const fewer = loadWeights(gpt({ ...options, layers: 1 }), tensorsOf('gpt2'), { map: gpt2Weights });
    expect(fewer.leftOver).toHaveLength(12);
    expect(fewer.leftOver.every((name) => name.startsWith('h.1.'))).toBe(true);
  });

  test('refuses other shapes, and then changes nothing', () => {
    const model = gpt({ ...options, sequenceLength: 13 });
    const before = model.getWeights();
    expect(caught(() => loadWeights(model, tensorsOf('gpt2'), { map: gpt2Weights }))).toBe(
      "shape-mismatch: weight 'wpe.embeddings' has shape [13,16]; 'wpe.weight' has [12,16]",
    );
    expect(model.getWeights()).toEqual(before);
  });

  test('refuses files of something else', () => {
    expect(
      caught(() => loadWeights(gpt(options), tensorsOf('bert'), { map: gpt2Weights, allowMissing: true })),
    ).toMatch(/^checkpoint-mismatch: no weight of model 'gpt' found/);
  });
});

describe('BERT', () => {
  const options = {
    ...{ vocabularySize: 19, sequenceLength: 10, segments: 2 },
    ...{ width: 16, heads: 4, intermediate: 24, layers: 2 },
  };

  test.each([
    ['bert', ['classifier.bias', 'classifier.weight']],
    ['bert-old', []],
  ])('%s gives the vectors that PyTorch gives, with padding left out', (file, leftOver) => {
    const model = bertEncoder(options);
    const report = loadWeights(model, tensorsOf(file), { map: bertWeights });
    expect(report.missing).toEqual([]);
    expect(report.leftOver).toEqual(leftOver);
    const { tokens, types, hidden, pooled } = expected.bert;
    const inputs = { tokens: integers(tokens as Packed), segments: integers(types as Packed) };
    const given = evaluateGraph(model.graph, inputs, { keepFloat64: true });
    expect(deviation(given['sequence'], hidden)).toBeLessThan(1e-6);
    expect(deviation(given['pooled'], pooled)).toBeLessThan(1e-6);
  });

  test('a square matrix is turned round as well', () => {
    const model = bertEncoder(options);
    const tensors = tensorsOf('bert');
    loadWeights(model, tensors, { map: bertWeights });
    const name = 'encoder.layer.0.attention.self.query';
    const kernel = toNumbers(model.getWeights()[`${name}.kernel`] as Tensor);
    const stored = toNumbers(tensors[`bert.${name}.weight`] as Tensor);
    expect(kernel[1]).toBe(stored[16]);
  });
});

function caught(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (isModelwrightError(error)) return `${error.code}: ${error.message}`;
    throw error;
  }
  return 'nothing was thrown';
}

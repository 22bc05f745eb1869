import { createPredictor, createReferenceBackend, evaluateGraph, type Tensor, toNumbers } from '@modelwright/core';
import { describe, expect, test } from 'vitest';
import { toKeras } from '../../weights/keras-layout.js';
import { type Expected, gradientGraph, recurrentCases } from './recurrent.cases.js';

const backend = createReferenceBackend();

/** Weights and inputs are float32: everything behind them is exact to about 1e-6 of what was summed up. */
function expectClose(given: Tensor | undefined, expected: Expected, what = expected.name): void {
  expect(given?.shape, what).toEqual(expected.shape);
  const numbers = toNumbers(given as Tensor);
  expected.data.forEach((value, index) => {
    const distance = Math.abs((numbers[index] as number) - value);
    expect(distance, `${what}[${index}] = ${numbers[index]}, not ${value}`).toBeLessThan(5e-6 * (1 + Math.abs(value)));
  });
}

describe.each(recurrentCases)('%s', (_id, prepare) => {
  test('computes what PyTorch computes', async () => {
    const { model, feeds, outputs } = prepare();
    const predictor = await createPredictor(model, backend);
    const results = await predictor.predict(feeds);
    expect(Object.keys(results)).toHaveLength(outputs.length);
    for (const output of outputs) expectClose(results[output.name], output);
  });

  test('has the gradients that PyTorch has', () => {
    const prepared = prepare();
    const results = evaluateGraph(gradientGraph(prepared), prepared.feeds, { keepFloat64: true });
    for (const output of prepared.outputs) expectClose(results[`training ${output.name}`], output, 'training form');
    for (const gradient of prepared.gradients) {
      const given = results[`d ${gradient.name}`] as Tensor;
      const isWeight = prepared.model.parameters.some(({ name }) => name === gradient.name);
      expectClose(
        isWeight ? toKeras(given, prepared.model.layoutOf(gradient.name)) : given,
        gradient,
        `d ${gradient.name}`,
      );
    }
  });
});

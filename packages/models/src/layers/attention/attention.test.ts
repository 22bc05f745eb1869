import { evaluateGraph, type Tensor, toNumbers } from '@modelwright/core';
import { describe, expect, test } from 'vitest';
import { toKeras } from '../../weights/keras-layout.js';
import { attentionCases, build, differentiated, type Packed, unpack } from './attention.cases.js';

function expectClose(given: Tensor | undefined, expected: Packed, what: string): void {
  expect(given?.shape, what).toEqual(expected.shape);
  const numbers = toNumbers(given as Tensor);
  const worst = Math.max(
    0,
    ...expected.data.map((value, at) => Math.abs((numbers[at] as number) - value) / (1 + Math.abs(value))),
  );
  // Inputs and weights are float32: what follows is exact to about 1e-6 of what was summed up.
  expect(worst, what).toBeLessThan(5e-6);
}

describe.each(attentionCases)('%s', (_, attentionCase) => {
  const built = build(attentionCase);

  test('gives what PyTorch gives, and has its gradients', () => {
    const { graph, inputs } = differentiated(built, attentionCase);
    const results = evaluateGraph(graph, inputs, { keepFloat64: true });
    attentionCase.outputs.forEach((output, index) => {
      expectClose(results[`y${index}`], output, `output ${index}`);
      expect(built.graph.outputs[index]?.value.shape.slice(1)).toEqual(output.shape.slice(1));
    });
    attentionCase.inputGradients.forEach((expected, index) => {
      if (expected) expectClose(results[`gradient of x${index}`], expected, `gradient of input ${index}`);
    });
    built.parameters.forEach(({ name }, index) => {
      const gradient = toKeras(results[`gradient of ${name}`] as Tensor, built.layoutOf(name));
      const expected = attentionCase.weightGradients[index];
      if (expected) expectClose(gradient, expected, `gradient of ${name}`);
    });
  });

  test('gives Keras its weights back', () => {
    expect(built.getKerasWeights()).toEqual(attentionCase.weights.map((weight) => unpack(weight)));
  });
});

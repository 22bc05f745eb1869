import {
  evaluateGraph,
  fromNumbers,
  GraphBuilder,
  inlineTrainingForm,
  type Tensor,
  toNumbers,
  type Value,
} from '@modelwright/core';
import { describe, expect, test } from 'vitest';
import {
  attention,
  dotProductAttention,
  einsumDense,
  groupedQueryAttention,
  input,
  type Layer,
  model,
  multiHeadAttention,
  positionEmbedding,
  reversibleEmbedding,
  rotaryEmbedding,
  transformerDecoder,
} from '../../index.js';

const x = fromNumbers(
  'float32',
  [2, 4, 8],
  Float64Array.from({ length: 64 }, (_, index) => Math.sin(index)),
);

/** What a layer gives for `x` in the form it trains in. */
function trained(layer: Layer): Tensor {
  const sequence = input({ name: 'x', shape: [4, 8] });
  const built = model({ inputs: sequence, outputs: layer(sequence) });
  const builder = new GraphBuilder('training');
  const bindings = new Map<Value, Value>([
    [built.graph.inputs[0] as Value, builder.input('x', 'float32', x.shape)],
    ...[...built.graph.constants].map(([value, held]): [Value, Value] => [value, builder.constant(held)]),
  ]);
  const counter = builder.constant(fromNumbers('int64', [], [3]));
  builder.output('y', inlineTrainingForm(builder, built.graph, bindings, { seed: 1, counter }).outputs[0] as Value);
  return evaluateGraph(builder.build(), { x })['y'] as Tensor;
}

describe('dropout of attention weights', () => {
  const shared = { headDim: 2, numQueryHeads: 4, numKeyValueHeads: 2, useCausalMask: true, name: 'layer' };

  test('that drops nothing gives what there is without', () => {
    const without = toNumbers(trained(groupedQueryAttention(shared)));
    toNumbers(trained(groupedQueryAttention({ ...shared, dropout: 1e-9 }))).forEach((number, index) => {
      expect(number).toBeCloseTo(without[index] as number, 6);
    });
  });

  test('that drops all leaves the bias', () => {
    const numbers = toNumbers(trained(groupedQueryAttention({ ...shared, dropout: 1, biasInitializer: 'ones' })));
    expect([...numbers]).toEqual(new Array(64).fill(1));
  });

  test('happens while training only', () => {
    const sequence = input({ name: 'x', shape: [4, 8] });
    const outputs = [0, 0.9].map((dropout) => {
      const layer = multiHeadAttention({ numHeads: 2, keyDim: 3, dropout, name: 'layer' });
      return evaluateGraph(model({ inputs: sequence, outputs: layer(sequence) }).graph, { x })['output'];
    });
    expect(outputs[1]).toEqual(outputs[0]);
  });
});

test('untied embeddings have a matrix for each way', () => {
  const tokens = input({ shape: [3], dtype: 'int32' });
  const words = reversibleEmbedding({ inputDim: 5, outputDim: 8, tieWeights: false, name: 'words' });
  const built = model({ inputs: tokens, outputs: words.reverse(words(tokens)) });
  expect(built.parameters.map(({ name, value }) => [name, value.shape])).toEqual([
    ['words.embeddings', [5, 8]],
    ['words.reverseEmbeddings', [8, 5]],
  ]);
});

test('an output of several axes', () => {
  const sequence = input({ shape: [null, 8] });
  const layer = multiHeadAttention({ numHeads: 2, keyDim: 4, outputShape: [3, 5] });
  expect(layer(sequence).shape).toEqual(['batch', 'input_1', 3, 5]);
});

describe('what does not fit is refused by the layer’s name', () => {
  const sequence = input({ shape: [4, 8] });
  test.each<[string, () => unknown]>([
    [
      "groupedQueryAttention 'g': 3 query heads cannot share 2 heads of keys and values evenly",
      () => groupedQueryAttention({ name: 'g', headDim: 2, numQueryHeads: 3, numKeyValueHeads: 2 })(sequence),
    ],
    [
      "attention 'a': takes sequences [batch, steps, features]",
      () => attention({ name: 'a' })(sequence, input({ shape: [8] })),
    ],
    [
      "dotProductAttention 'd': 8 features do not divide into 3 query heads",
      () => dotProductAttention({ name: 'd', numHeads: 3 })(sequence),
    ],
    [
      "positionEmbedding 'p': has 3 positions, but its input has 4 steps",
      () => positionEmbedding({ name: 'p', sequenceLength: 3 })(sequence),
    ],
    ["rotaryEmbedding 'r': cannot turn 3 of 8 features", () => rotaryEmbedding({ name: 'r', rotaryDim: 3 })(sequence)],
    ['transformerDecoder: numHeads is 0', () => transformerDecoder({ numHeads: 0, intermediateDim: 2 })],
    [
      "einsumDense 'e': equation 'abc->ab' is not of the form",
      () => einsumDense({ name: 'e', equation: 'abc->ab', outputShape: 4 })(sequence),
    ],
    [
      "einsumDense 'e': equation 'abc,cd->abd' leaves the extent of 'd' open",
      () => einsumDense({ name: 'e', equation: 'abc,cd->abd', outputShape: [4, null] })(sequence),
    ],
    [
      "einsumDense 'e': equation 'ab,bd->ad' has 2 axes 'ab' for 3",
      () => einsumDense({ name: 'e', equation: 'ab,bd->ad', outputShape: 4 })(sequence),
    ],
  ])('%s', (message, apply) => {
    expect(apply).toThrow(message);
  });
});

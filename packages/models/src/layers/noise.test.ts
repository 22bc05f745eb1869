import {
  evaluateGraph,
  fromNumbers,
  fullTensor,
  GraphBuilder,
  inferenceProgram,
  inlineTrainingForm,
  type Tensor,
  tensor,
  toNumbers,
  type Value,
} from '@modelwright/core';
import { describe, expect, test } from 'vitest';
import {
  alphaDropout,
  dropout,
  gaussianDropout,
  gaussianNoise,
  input,
  type Layer,
  type LayeredModel,
  model,
  spatialDropout1d,
  spatialDropout2d,
  spatialDropout3d,
} from '../index.js';

function modelOf(layer: Layer, shape: readonly number[]): LayeredModel {
  const x = input({ shape });
  return model({ inputs: x, outputs: layer(x) });
}

/** What the layer does to `x` in the training step `counter`. */
function train(layer: Layer, x: Tensor, { seed = 1, counter = 0 } = {}): number[] {
  const { graph } = modelOf(layer, x.shape.slice(1));
  const builder = new GraphBuilder('training');
  const fed = builder.input('x', 'float32', x.shape);
  const step = builder.constant(fromNumbers('int64', [], [counter]));
  const form = inlineTrainingForm(builder, graph, new Map([[graph.inputs[0] as Value, fed]]), { seed, counter: step });
  builder.output('y', form.outputs[0] as Value);
  return [...toNumbers(evaluateGraph(builder.build(), { x }, { keepFloat64: true })['y'] as Tensor)];
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
const deviation = (values: readonly number[]): number => {
  const center = mean(values);
  return Math.sqrt(mean(values.map((value) => (value - center) ** 2)));
};
const ones = fullTensor('float32', [40, 500], 1);

const noisy: [string, Layer, readonly number[]][] = [
  ['dropout', dropout({ rate: 0.3 }), [8]],
  ['spatialDropout1d', spatialDropout1d({ rate: 0.3 }), [4, 3]],
  ['spatialDropout2d', spatialDropout2d({ rate: 0.3 }), [4, 4, 3]],
  ['spatialDropout3d', spatialDropout3d({ rate: 0.3 }), [2, 2, 2, 3]],
  ['gaussianNoise', gaussianNoise({ stddev: 0.5 }), [8]],
  ['gaussianDropout', gaussianDropout({ rate: 0.3 }), [8]],
  ['alphaDropout', alphaDropout({ rate: 0.3 }), [8]],
];

test.each(noisy)('%s passes its input when it infers, and costs nothing then', (_, layer, shape) => {
  const built = modelOf(layer, shape);
  const x = fullTensor('float32', [2, ...shape], 3);
  expect(evaluateGraph(built.graph, { input: x })['output']).toEqual(x);
  expect(inferenceProgram(built).graph.nodes).toEqual([]);
});

test.each(noisy)('%s depends on seed and step alone while it trains', (_, layer, shape) => {
  const x = fullTensor('float32', [16, ...shape], 3);
  const first = train(layer, x);
  expect(train(layer, x)).toEqual(first);
  expect(train(layer, x, { counter: 1 })).not.toEqual(first);
  expect(train(layer, x, { seed: 2 })).not.toEqual(first);
});

test('dropout drops its share and keeps the mean', () => {
  const values = train(dropout({ rate: 0.3 }), ones);
  const dropped = values.filter((value) => value === 0).length / values.length;
  expect(dropped).toBeCloseTo(0.3, 1);
  expect(new Set(values.filter((value) => value !== 0).map((value) => value.toFixed(6)))).toEqual(
    new Set([(1 / 0.7).toFixed(6)]),
  );
  expect(mean(values)).toBeCloseTo(1, 1);
});

describe('spatial dropout', () => {
  test('drops whole channels of an example', () => {
    const values = train(spatialDropout2d({ rate: 0.5 }), fullTensor('float32', [4, 3, 3, 50], 1));
    const channels = Array.from({ length: 4 * 50 }, (_, index) => {
      const [example, channel] = [Math.floor(index / 50), index % 50];
      return new Set(Array.from({ length: 9 }, (_, place) => values[(example * 9 + place) * 50 + channel]));
    });
    expect(channels.every((seen) => seen.size === 1)).toBe(true);
    expect(mean(channels.map((seen) => (seen.has(0) ? 1 : 0)))).toBeCloseTo(0.5, 1);
  });

  test('knows channels that come first', () => {
    const values = train(
      spatialDropout2d({ rate: 0.5, dataFormat: 'channelsFirst' }),
      fullTensor('float32', [4, 50, 3, 3], 1),
    );
    const channels = Array.from({ length: 200 }, (_, index) => new Set(values.slice(index * 9, index * 9 + 9)));
    expect(channels.every((seen) => seen.size === 1)).toBe(true);
    expect(new Set(values).size).toBe(2);
  });
});

test('noise has the mean and deviation it promises', () => {
  const noise = train(gaussianNoise({ stddev: 0.5 }), fullTensor('float32', [40, 500], 3));
  expect(mean(noise)).toBeCloseTo(3, 1);
  expect(deviation(noise)).toBeCloseTo(0.5, 1);
  const product = train(gaussianDropout({ rate: 0.2 }), ones);
  expect(mean(product)).toBeCloseTo(1, 1);
  expect(deviation(product)).toBeCloseTo(0.5, 1);
});

test('alpha dropout keeps mean 0 and deviation 1', () => {
  const normal = train(gaussianNoise({ stddev: 1 }), fullTensor('float32', [40, 500], 0), { seed: 9 });
  const values = train(alphaDropout({ rate: 0.3 }), tensor(normal, { shape: [40, 500] }));
  expect(mean(values)).toBeCloseTo(0, 1);
  expect(deviation(values)).toBeCloseTo(1, 1);
});

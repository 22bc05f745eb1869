import { expect, test } from 'vitest';
import { comparedTimes, quantile } from './measurement.js';
import { buildModel, networks, samplesOf } from './networks.js';
import { peers } from './peers.js';
import { formatTable } from './table.js';

test('quantiles do not depend on order', () => {
  expect(quantile([5, 1, 4, 2, 3], 0.5)).toBe(3);
  expect(quantile([5, 1, 4, 2, 3], 0)).toBe(1);
  expect(quantile([7], 0.9)).toBe(7);
});

test('a training step counts as the mean of eight in a row, a prediction by itself', () => {
  const times = [1, 9, 1, 9, 1, 9, 1, 9, 17, 9];
  expect(comparedTimes(times, 'train')).toEqual([5, 7, 7]);
  expect(comparedTimes([2, 4], 'train')).toEqual([3]);
  expect(comparedTimes([], 'train')).toEqual([]);
  expect(comparedTimes(times, 'predict1')).toEqual(times);
});

test.each(Object.values(networks).filter(({ name }) => name !== 'wide'))(
  '$name takes the samples made for it',
  (network) => {
    const { x, y } = samplesOf(network, 3);
    const model = buildModel(network);
    const perSample = model.graph.inputs[0]?.shape.slice(1) as readonly number[];
    expect(x.length).toBe(3 * perSample.reduce((product, extent) => product * extent, 1));
    expect(y.every((label) => label >= 0 && label < 10)).toBe(true);
    expect(model.graph.outputs[0]?.value.shape.at(-1)).toBe(10);
  },
);

test('peers take part in networks that there are', () => {
  for (const peer of peers) for (const name of peer.networks ?? []) expect(networks).toHaveProperty(name);
});

test('the table has a column for each fact and a line for each row', () => {
  const row = {
    network: 'mlp',
    mode: 'train',
    peer: 'torch',
    medianMilliseconds: 1.234,
    p10Milliseconds: 1,
    maxMilliseconds: 9,
    ratio: 2,
  };
  const lines = formatTable([row, row]).split('\n');
  expect(lines).toHaveLength(4);
  expect(lines[2]).toContain('| 1.23 ');
  expect(new Set(lines.map(({ length }) => length)).size).toBe(1);
});

import { expect, test } from 'vitest';
import { GraphBuilder } from '../graph/graph-builder.js';
import { decompose } from '../passes/decompose.js';
import { evaluateGraph } from '../reference/evaluate.js';
import { tensor } from '../tensor/tensor.js';
import { counterUniform } from './counter-uniform.js';

const count = 100_000;

test('is uniform: mean, variance and every decile', () => {
  const numbers = counterUniform(42, 7, count);
  const mean = numbers.reduce((sum, u) => sum + u, 0) / count;
  const variance = numbers.reduce((sum, u) => sum + (u - mean) ** 2, 0) / count;
  // Three standard errors.
  expect(Math.abs(mean - 0.5)).toBeLessThan(3 * Math.sqrt(1 / 12 / count));
  expect(Math.abs(variance - 1 / 12)).toBeLessThan(3 * Math.sqrt(1 / 180 / count));
  const deciles = new Array<number>(10).fill(0);
  for (const u of numbers) deciles[Math.floor(u * 10)] = (deciles[Math.floor(u * 10)] as number) + 1;
  for (const held of deciles) expect(Math.abs(held - count / 10)).toBeLessThan(4 * Math.sqrt(0.09 * count));
});

test('neighbouring places, counters and seeds are uncorrelated', () => {
  const base = counterUniform(1, 1, count);
  const others = {
    'the next place': counterUniform(1, 1, count + 1).subarray(1),
    'the next counter': counterUniform(1, 2, count),
    'the next seed': counterUniform(2, 1, count),
    'a counter 2³² later': counterUniform(1, 1 + 2 ** 32, count),
  };
  for (const [what, other] of Object.entries(others)) {
    const covariance = base.reduce((sum, u, index) => sum + (u - 0.5) * ((other[index] as number) - 0.5), 0) / count;
    expect(Math.abs(covariance * 12), what).toBeLessThan(4 / Math.sqrt(count));
  }
});

test('is a pure function of seed, counter and place', () => {
  expect(counterUniform(5, 9n, 10)).toEqual(counterUniform(5, 9, 10));
  expect(counterUniform(5, 9, 10)).toEqual(counterUniform(5, 9, 100).slice(0, 10));
  expect(counterUniform(5, 9, 10)).not.toEqual(counterUniform(5, 10, 10));
});

test('standard ops give the same bits', () => {
  const builder = new GraphBuilder('uniform');
  const counter = builder.input('counter', 'int64', []);
  builder.output('u', builder.op('CounterUniform', [counter], { seed: 4_000_000_001, shape: [50, 20] }));
  const graph = decompose((node) => node.op === 'CounterUniform').run(builder.build());
  expect(graph.nodes.every(({ domain }) => domain === '')).toBe(true);
  for (const step of [0n, 1n, 2n ** 32n - 1n, 2n ** 32n, 2n ** 62n + 12345n]) {
    const { u } = evaluateGraph(graph, { counter: tensor(step) });
    expect(u?.data).toEqual(counterUniform(4_000_000_001, step, 1000));
  }
});

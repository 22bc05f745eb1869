import { fromNumbers, Tensor, type TensorMap } from '@modelwright/core';
import { describe, expect, it } from 'vitest';
import type { ServerEvent } from '../contract/events.js';
import { createDriftMonitor, type DriftMonitor } from './drift-monitor.js';

/** Uniform numbers, the same each time. */
function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

function monitor(): DriftMonitor {
  let time = 0;
  // Every look is a second later: nothing is passed over.
  return createDriftMonitor({ baselineExamples: 400, windowExamples: 400, now: () => (time += 1000) });
}

function feed(drift: DriftMonitor, examples: number, inputs: (index: number) => TensorMap): void {
  for (let index = 0; index < examples; index++) drift.listener(inference(inputs(index)));
}

function inference(inputs: TensorMap, count = 1): ServerEvent {
  return {
    kind: 'inference',
    requestId: 'r',
    protocol: 'test',
    principal: { id: 'p', kind: 'key', roles: [] },
    model: 'm',
    version: '1',
    sha256: '',
    outcome: 'success',
    count,
    totalNanoseconds: 1,
    inputs,
  };
}

const row = (...values: number[]): TensorMap => ({ x: fromNumbers('float32', [1, values.length], values) });

describe('the drift monitor', () => {
  it('finds inputs stable that go on as they began', () => {
    const drift = monitor();
    const next = numbers(1);
    feed(drift, 399, () => row(next(), next() ** 2));
    expect(drift.report('m')[0]).toMatchObject({ status: 'collecting', baselineExamples: 399 });
    feed(drift, 1200, () => row(next(), next() ** 2));
    const [report] = drift.report('m');
    expect(report).toMatchObject({ status: 'stable', baselineExamples: 400 });
    expect(report?.features.map(({ feature }) => feature).sort()).toEqual(['x[0]', 'x[1]']);
  });

  it.each<[string, (value: number) => number]>([
    ['moved', (value) => value + 0.4],
    ['narrower', (value) => 0.5 + (value - 0.5) / 4],
    ['stuck', () => 0.5],
    ['no numbers any more', () => Number.NaN],
    ['beyond all that was seen', (value) => value * 100],
  ])('finds the one feature whose values are %s', (_, change) => {
    const drift = monitor();
    const next = numbers(2);
    feed(drift, 400, () => row(next(), next()));
    feed(drift, 400, () => row(next(), change(next())));
    const [report] = drift.report('m');
    expect(report?.status).toBe('drifted');
    expect(report?.features[0]?.feature).toBe('x[1]');
    expect(report?.features[1]?.score).toBeLessThan(0.1);
    expect(drift.scores()).toEqual([{ model: 'm', version: '1', input: 'x', score: report?.score }]);
  });

  it('tells a constant from another constant', () => {
    const drift = monitor();
    feed(drift, 400, () => row(3));
    feed(drift, 400, () => row(3));
    expect(drift.report('m')[0]?.status).toBe('stable');
    feed(drift, 400, () => row(4));
    expect(drift.report('m')[0]?.status).toBe('drifted');
  });

  it('looks at pictures as a whole: darker ones are found', () => {
    const drift = monitor();
    const next = numbers(3);
    const picture = (light: number): TensorMap => ({
      x: fromNumbers(
        'float32',
        [1, 8, 8],
        Array.from({ length: 64 }, () => next() * light),
      ),
    });
    feed(drift, 400, () => picture(0.9 + 0.2 * next()));
    feed(drift, 400, () => picture(0.5 + 0.2 * next()));
    const [report] = drift.report('m');
    expect(report?.features.map(({ feature }) => feature).sort()).toEqual(['x.deviation', 'x.mean']);
    expect(report?.status).toBe('drifted');
  });

  it.each<[string, (word: number) => Tensor]>([
    [
      'token ids',
      (word) =>
        new Tensor(
          'int64',
          [1, 20],
          BigInt64Array.from({ length: 20 }, (_, index) => BigInt((word + index) % 1000)),
        ),
    ],
    ['texts', (word) => new Tensor('string', [1], [`word ${word % 1000}`])],
  ])('sees other %s, and none where they are alike', (_, make) => {
    const drift = monitor();
    const next = numbers(4);
    const from = (start: number): TensorMap => ({ x: make(start + Math.floor(next() * 30)) });
    feed(drift, 400, () => from(0));
    feed(drift, 400, () => from(0));
    expect(drift.report('m')[0]?.status).toBe('stable');
    feed(drift, 400, () => from(500));
    expect(drift.report('m')[0]?.status).toBe('drifted');
  });

  it('comes back when the inputs do, and begins anew when told to', () => {
    const drift = monitor();
    const next = numbers(5);
    feed(drift, 400, () => row(next()));
    feed(drift, 400, () => row(next() + 1));
    expect(drift.report('m')[0]?.status).toBe('drifted');
    feed(drift, 400, () => row(next()));
    expect(drift.report('m')[0]?.status).toBe('stable');
    drift.reset('m');
    expect(drift.report('m')).toEqual([]);
  });

  it('looks at no more examples in a second than it may, and at no failed request', () => {
    const drift = createDriftMonitor({ maxExamplesPerSecond: 10, now: () => 0 });
    for (let index = 0; index < 100; index++) drift.listener(inference(row(index)));
    drift.listener({ ...inference(row(0)), outcome: 'failure', version: '2' } as ServerEvent);
    expect(drift.report('m')).toMatchObject([{ version: '1', baselineExamples: 10 }]);
  });
});

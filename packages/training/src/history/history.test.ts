import { describe, expect, test } from 'vitest';
import { axisTicks, epochTicks, readableNumber } from './axis-ticks.js';
import { History } from './history.js';

function recorded(): History {
  const history = new History();
  history.record(1, { loss: 0.9, learningRate: 0.001 });
  history.record(2, { loss: Number.NaN, val_loss: 0.8, learningRate: 0.001 });
  history.record(3, { loss: 0.5, val_loss: 0.7, 'top<5>': 0.9, learningRate: 0.0005 });
  return history;
}

test('values line up with epochs; what is missing or not finite is null', () => {
  expect(recorded().toJSON()).toEqual({
    epochs: [1, 2, 3],
    values: {
      loss: [0.9, null, 0.5],
      learningRate: [0.001, 0.001, 0.0005],
      val_loss: [null, 0.8, 0.7],
      'top<5>': [null, null, 0.9],
    },
  });
});

test('comes back from JSON', () => {
  const copy = History.fromJSON(JSON.parse(JSON.stringify(recorded())));
  expect(copy.toJSON()).toEqual(recorded().toJSON());
  expect(() => History.fromJSON({ epochs: [1], values: { loss: [] } })).toThrow("'loss' has 0 values for 1 epochs");
});

describe('the plot', () => {
  const svg = recorded().toSvg({ title: 'A & B' });

  test('has one chart a metric, with validation in the chart of its metric', () => {
    const names = [...svg.matchAll(/class="ink name"[^>]*>([^<]*)</g)].map((match) => match[1]);
    expect(names).toEqual(['loss', 'top&lt;5&gt;', 'learningRate']);
    expect(svg).toContain('epoch 3, validation loss: 0.7');
    expect(svg).toContain('A &amp; B');
  });

  test('is self-contained and has no NaN in it', () => {
    expect(svg).not.toMatch(/NaN|Infinity|undefined/);
    expect(svg.replace('http://www.w3.org/2000/svg', '')).not.toMatch(/https?:|href|<script/);
  });

  test('breaks the line where a value is missing', () => {
    const loss = /class="line training" d="([^"]*)"/.exec(svg)?.[1] ?? '';
    expect(loss.match(/M/g)).toHaveLength(2);
  });

  test('stands with one epoch, none, or values that never change', () => {
    const single = new History();
    single.record(1, { loss: 0.5 });
    for (const history of [
      new History(),
      single,
      History.fromJSON({ epochs: [1, 2], values: { loss: [0, 0], bad: [null, null] } }),
    ]) {
      expect(history.toSvg()).not.toMatch(/NaN|Infinity|undefined/);
    }
  });

  test('the page holds the charts and a row an epoch', () => {
    const page = recorded().toHtml();
    expect(page.match(/<tr><th>\d/g)).toHaveLength(3);
    expect(page).toContain('<svg');
    expect(page).toContain('<th>top&lt;5&gt;</th>');
  });
});

describe('ticks', () => {
  test.each([
    [0.03, 0.97],
    [0, 1e-5],
    [-3, 12],
    [1999, 2001],
    [0.5, 0.5],
    [0, 0],
    [1e6, 5e6],
  ])('cover %f…%f with distinct labels', (least, greatest) => {
    const { start, end, values, labels } = axisTicks(least, greatest, 5);
    expect(start).toBeLessThanOrEqual(least);
    expect(end).toBeGreaterThanOrEqual(greatest - 1e-9 * Math.abs(greatest));
    expect(values.length).toBeGreaterThan(1);
    expect(values.length).toBeLessThan(9);
    expect(new Set(labels).size).toBe(labels.length);
    labels.forEach((label, index) => {
      expect(Math.abs(Number(label) - (values[index] as number))).toBeLessThan((end - start) * 0.01);
    });
  });

  test('epochs are whole numbers within the range', () => {
    expect(epochTicks(1, 4, 6)).toEqual([1, 2, 3, 4]);
    expect(epochTicks(1, 100, 6)).toEqual([20, 40, 60, 80, 100]);
    expect(epochTicks(3, 3, 6)).toEqual([3]);
  });

  test('numbers are short', () => {
    expect([0, 0.123456, 12345.6, 1e-5, -2e9].map(readableNumber)).toEqual([
      '0',
      '0.1235',
      '12350',
      '1.00e-5',
      '-2.00e9',
    ]);
  });
});

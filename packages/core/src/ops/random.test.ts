import { describe, expect, test } from 'vitest';
import { backpropagate } from '../gradient/backpropagate.js';
import type { Value } from '../graph/graph.js';
import { GraphBuilder } from '../graph/graph-builder.js';
import { evaluateGraph } from '../reference/evaluate.js';
import { fullTensor, type Tensor, tensor, toNumbers } from '../tensor/tensor.js';

const count = 40_000;

function draw(build: (builder: GraphBuilder) => Value): Float64Array {
  const builder = new GraphBuilder('random');
  builder.output('y', build(builder));
  return toNumbers(evaluateGraph(builder.build(), {})['y'] as Tensor);
}

const meanOf = (numbers: Float64Array): number => numbers.reduce((sum, x) => sum + x, 0) / numbers.length;
const momentOf = (numbers: Float64Array, order: number, centre: number): number =>
  numbers.reduce((sum, x) => sum + (x - centre) ** order, 0) / numbers.length;

describe('distributions', () => {
  test('RandomNormal has the moments of a normal distribution', () => {
    const numbers = draw((b) => b.op('RandomNormal', [], { shape: [count], mean: 2, scale: 3, seed: 1 }));
    // Four standard errors each.
    expect(Math.abs(meanOf(numbers) - 2)).toBeLessThan((4 * 3) / Math.sqrt(count));
    expect(Math.abs(momentOf(numbers, 2, 2) / 9 - 1)).toBeLessThan(4 * Math.sqrt(2 / count));
    expect(Math.abs(momentOf(numbers, 3, 2) / 27)).toBeLessThan(4 * Math.sqrt(15 / count));
    expect(Math.abs(momentOf(numbers, 4, 2) / 81 - 3)).toBeLessThan(4 * Math.sqrt(96 / count));
  });

  test('RandomUniform fills its range evenly', () => {
    const numbers = draw((b) => b.op('RandomUniform', [], { shape: [count], low: -3, high: 5, seed: 2 }));
    expect(numbers.every((x) => x >= -3 && x < 5)).toBe(true);
    expect(Math.abs(meanOf(numbers) - 1)).toBeLessThan((4 * 8) / Math.sqrt(12 * count));
    expect(Math.abs(momentOf(numbers, 2, 1) - 64 / 12)).toBeLessThan(0.1);
  });

  test('Bernoulli is one as often as it should be', () => {
    const numbers = draw((b) => b.op('Bernoulli', [b.constant(fullTensor('float32', [count], 0.3))], { seed: 3 }));
    expect(numbers.every((x) => x === 0 || x === 1)).toBe(true);
    expect(Math.abs(meanOf(numbers) - 0.3)).toBeLessThan(4 * Math.sqrt(0.21 / count));
  });

  test('Multinomial draws classes by the softmax of its logits', () => {
    const chances = [0.5, 0.2, 0.3];
    const logits = tensor([chances.map(Math.log), [0, -1e9, -1e9]]);
    const numbers = draw((b) => b.op('Multinomial', [b.constant(logits)], { sample_size: count, seed: 4 }));
    for (const [index, chance] of chances.entries()) {
      const share = numbers.subarray(0, count).filter((x) => x === index).length / count;
      expect(Math.abs(share - chance)).toBeLessThan(4 * Math.sqrt((chance * (1 - chance)) / count));
    }
    expect(numbers.subarray(count).every((x) => x === 0)).toBe(true);
  });
});

describe('seeds', () => {
  const normal = (seed?: number) =>
    draw((b) => b.op('RandomNormal', [], { shape: [8], ...(seed === undefined ? {} : { seed }) }));

  test('the same seed draws the same, another one or none others', () => {
    expect(normal(7)).toEqual(normal(7));
    expect(normal(7)).not.toEqual(normal(7.5));
    expect(normal()).not.toEqual(normal());
  });
});

describe('Dropout in training mode', () => {
  function dropout(ratio: number): {
    readonly y: Float64Array;
    readonly mask: Float64Array;
    readonly dx: Float64Array;
  } {
    const builder = new GraphBuilder('dropout');
    const x = builder.input('x', 'float64', [count]);
    const inputs = [x, builder.scalar(ratio, 'float64'), builder.constant(tensor(true))];
    const [y, mask] = builder.node('Dropout', inputs, { seed: 5 }, { outputs: 2 });
    builder.output('y', y as Value);
    builder.output('mask', mask as Value);
    builder.output('dx', backpropagate(builder, [{ value: y as Value }], [x])[0] as Value);
    const results = evaluateGraph(builder.build(), { x: fullTensor('float64', [count], 2) });
    const numbersOf = (name: string): Float64Array => toNumbers(results[name] as Tensor);
    return { y: numbersOf('y'), mask: numbersOf('mask'), dx: numbersOf('dx') };
  }

  test('drops as many as the ratio says and keeps the mean', () => {
    const { y, mask } = dropout(0.25);
    expect(Math.abs(meanOf(mask) - 0.75)).toBeLessThan(4 * Math.sqrt(0.1875 / count));
    expect(y.every((value, index) => Math.abs(value - ((mask[index] as number) * 2) / 0.75) < 1e-12)).toBe(true);
  });

  test('its gradient passes where values passed', () => {
    const { mask, dx } = dropout(0.4);
    expect(dx.every((value, index) => Math.abs(value - (mask[index] as number) / 0.6) < 1e-12)).toBe(true);
  });
});

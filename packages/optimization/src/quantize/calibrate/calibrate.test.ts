import {
  createReferenceBackend,
  GraphBuilder,
  isModelwrightError,
  Model,
  Tensor,
  type TensorMap,
} from '@modelwright/core';
import { expect, test } from 'vitest';
import { type Calibrator, calibrate } from './calibrate.js';
import { Histogram } from './histogram.js';
import { percentileRange } from './percentile.js';

const count = 4096;
const backend = createReferenceBackend();

function identity(): Model {
  const builder = new GraphBuilder('identity');
  builder.output('y', builder.op('Identity', [builder.input('x', 'float32', [count])]));
  return new Model({ name: 'identity', graph: builder.build(), parameters: [] });
}

/** Numbers like a bell around zero, one of them far out. */
function bell(outlier: number): TensorMap {
  const data = Float32Array.from({ length: count }, (_, at) => {
    const u = (at + 0.5) / count;
    return Math.sqrt(-2 * Math.log(u)) * Math.cos(at * 2.4);
  });
  data[100] = outlier;
  return { x: new Tensor('float32', [count], data) };
}

const rangeBy = async (calibrator: Calibrator, batches = [bell(40), bell(1)]) => {
  const model = identity();
  const [x] = model.graph.inputs;
  const ranges = await calibrate(model, model.graph.inputs, calibrator, { backend, calibration: batches });
  return ranges.get(x as never) as { low: number; high: number };
};

test('minMax covers all that was seen', async () => {
  expect((await rangeBy('minMax')).high).toBe(40);
});

test('movingAverage weighs the extremes of batches', async () => {
  const [first, second] = [await rangeBy('minMax', [bell(40)]), await rangeBy('minMax', [bell(1)])];
  const { high } = await rangeBy({ method: 'movingAverage', momentum: 0.75 });
  expect(high).toBeCloseTo(0.75 * first.high + 0.25 * second.high, 4);
});

test('percentile and entropy leave an outlier out and cover the rest', async () => {
  for (const calibrator of [{ method: 'percentile', percentile: 99.9 }, 'entropy'] as const) {
    const { low, high } = await rangeBy(calibrator);
    expect(high).toBeLessThan(12);
    expect(high).toBeGreaterThan(1.5);
    expect(low).toBeLessThan(-1.5);
  }
});

test('entropy keeps an even distribution whole', async () => {
  const even = {
    x: new Tensor(
      'float32',
      [count],
      Float32Array.from({ length: count }, (_, at) => at / count - 0.25),
    ),
  };
  const { low, high } = await rangeBy('entropy', [even]);
  expect(low).toBeLessThan(-0.24);
  expect(high).toBeGreaterThan(0.73);
});

test('a percentile counts from both ends', () => {
  const histogram = new Histogram({ low: 0, high: 1000 }, 1000);
  histogram.observe(Float64Array.from({ length: 1000 }, (_, at) => at));
  expect(percentileRange(histogram, 98)).toEqual({ low: 10, high: 990 });
});

test('what is not finite is named, and so is a calibrator that does not exist', async () => {
  const broken = { x: new Tensor('float32', [count], new Float32Array(count).fill(Number.NaN)) };
  await expect(rangeBy('minMax', [broken])).rejects.toSatisfy((error) => isModelwrightError(error, 'not-finite'));
  await expect(rangeBy('median' as never)).rejects.toThrow("there is no calibrator 'median'");
  await expect(rangeBy('minMax', [])).rejects.toThrow('gave no batch');
});

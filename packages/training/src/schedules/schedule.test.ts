import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { Schedule } from './schedule.js';
import * as schedules from './schedule.js';

interface ScheduleCase {
  readonly schedule: string;
  readonly options: object;
  readonly rates: readonly number[];
}

const cases = JSON.parse(
  readFileSync(new URL('../../fixtures/schedules.json', import.meta.url), 'utf8'),
) as readonly ScheduleCase[];
const factories = schedules as unknown as { readonly [name: string]: (options: object) => Schedule };

test.each(cases.map((each) => [`${each.schedule} ${JSON.stringify(each.options)}`, each] as const))(
  '%s gives the rates of PyTorch',
  (_, { schedule, options, rates }) => {
    const made = (factories[schedule] as (options: object) => Schedule)(options);
    rates.forEach((rate, step) => {
      expect(made.at({ step, totalSteps: undefined }), `step ${step}`).toBeCloseTo(rate, 12);
    });
  },
);

test('a warm-up rises in a straight line to the peak, from which the cosine falls over the rest of the run', () => {
  const schedule = schedules.cosineDecay({ initialLearningRate: 0.2, warmupSteps: 10 });
  const at = (step: number): number => schedule.at({ step, totalSteps: 110 });
  expect(at(0)).toBe(0);
  expect(at(5)).toBeCloseTo(at(10) / 2, 12);
  expect(at(10)).toBe(0.2);
  expect(at(60)).toBeCloseTo(0.1, 12);
  expect(at(110)).toBeCloseTo(0, 12);
});

test('a polynomial that cycles starts over at each end', () => {
  const schedule = schedules.polynomialDecay({
    initialLearningRate: 1,
    endLearningRate: 0,
    decaySteps: 10,
    cycle: true,
  });
  const at = (step: number): number => schedule.at({ step, totalSteps: undefined });
  expect(at(10)).toBe(0);
  expect(at(15)).toBeCloseTo(0.25, 12);
  expect(at(11)).toBeGreaterThan(at(15));
});

test('piecewise rates change after their boundaries', () => {
  const schedule = schedules.piecewiseConstantDecay({ boundaries: [2, 5], values: [3, 2, 1] });
  const rates = [0, 2, 3, 5, 6].map((step) => schedule.at({ step, totalSteps: undefined }));
  expect(rates).toEqual([3, 3, 2, 2, 1]);
});

test('a schedule over the whole run says so when its length is unknown', () => {
  expect(() => schedules.oneCycle({ maxLearningRate: 1 }).at({ step: 0, totalSteps: undefined })).toThrow(
    /oneCycle: the number of steps is needed/,
  );
  expect(() => schedules.toSchedule(-1)).toThrow(/learning rate -1 is not a number ≥ 0/);
});

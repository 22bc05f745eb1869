import { Tensor, toNumbers } from '@modelwright/core';
import { expect, test } from 'vitest';
import { activationParameters, dequantizeTensor, quantizeTensor, weightParameters } from './affine.js';
import { candidateSchemes } from './candidate-schemes.js';
import { defaultScheme, weightLevels } from './scheme.js';

const numbers = (count: number, factor = 1): Float32Array =>
  Float32Array.from({ length: count }, (_, at) => Math.sin(at * 1.7) * factor);
const vector = (data: Float32Array): Tensor => new Tensor('float32', [data.length], data);

test.each([
  { dtype: 'uint8', symmetric: false },
  { dtype: 'uint8', symmetric: true },
  { dtype: 'int8', symmetric: false },
  { dtype: 'int8', symmetric: true },
] as const)(
  'activations in $dtype, symmetric $symmetric, come back within half a step, and zero exactly',
  (options) => {
    for (const range of [
      { low: -0.3, high: 2 },
      { low: 0, high: 6 },
      { low: 0.5, high: 3 },
      { low: -4, high: -1 },
      { low: 0, high: 0 },
    ]) {
      const parameters = activationParameters(range, options);
      const [step = 0] = parameters.scales;
      const x = [0, range.low, range.high, (range.low + range.high) / 2];
      const back = toNumbers(dequantizeTensor(quantizeTensor(vector(Float32Array.from(x)), parameters), parameters));
      expect(back[0]).toBe(0);
      back.forEach((each, at) => {
        expect(Math.abs(each - (x[at] as number))).toBeLessThanOrEqual(step * 0.51);
      });
    }
  },
);

test('each channel of a weight has its own scale, and zeros stay zero', () => {
  const weight = new Tensor(
    'float32',
    [3, 40],
    numbers(120).map((each, at) => each * 10 ** Math.floor(at / 40)),
  );
  weight.data[7] = 0;
  const parameters = weightParameters(weight, { dtype: 'int8', levels: 127, axis: 0 });
  const [a = 0, b = 0, c = 0] = parameters.scales;
  expect(b / a).toBeCloseTo(10, 1);
  expect(c / b).toBeCloseTo(10, 1);
  expect(quantizeTensor(weight, parameters, 127).data[7]).toBe(0);
});

test('least squares clip an outlier where that costs less', () => {
  const data = numbers(4000, 0.1);
  data[5] = 0.5;
  const error = (range: 'max' | 'mse'): number => {
    const parameters = weightParameters(vector(data), { dtype: 'int8', levels: 7, axis: undefined, range });
    const back = toNumbers(dequantizeTensor(quantizeTensor(vector(data), parameters, 7), parameters));
    return back.reduce((sum, each, at) => sum + (each - (data[at] as number)) ** 2, 0);
  };
  expect(error('mse')).toBeLessThan(error('max') * 0.8);
});

test('without VNNI no two products of a scheme exceed the 16 bits in which they are added, or uint8 weights are used', () => {
  const schemes = candidateSchemes({ vnni: false }).map(({ scheme }) => ({ ...defaultScheme, ...scheme }));
  expect(schemes.length).toBeGreaterThan(1);
  for (const scheme of schemes)
    if (scheme.weight === 'int8') expect(2 * 255 * weightLevels(scheme)).toBeLessThanOrEqual(2 ** 15 - 1);
  expect(2 * 255 * weightLevels(defaultScheme)).toBeGreaterThan(2 ** 15);
});

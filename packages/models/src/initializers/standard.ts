import { ModelwrightError } from '@modelwright/core';
import type { Initializer, InitializerContext } from './initializer.js';
import { createRandom, type Random } from './random.js';

export interface SeedOption {
  /** Overrides the seed that model and weight name give. */
  readonly seed?: number;
}

/** All 0. */
export function zeros(): Initializer {
  return constant({ value: 0 });
}

/** All 1. */
export function ones(): Initializer {
  return constant({ value: 1 });
}

/** All `value`. */
export function constant({ value }: { readonly value: number }): Initializer {
  return deferred((shape) => new Float64Array(countOf(shape)).fill(value));
}

/** Normal with `mean` (0) and `stddev` (0.05). */
export function randomNormal(
  options: SeedOption & { readonly mean?: number; readonly stddev?: number } = {},
): Initializer {
  const { mean = 0, stddev = 0.05, seed } = options;
  return drawn(seed, (random) => mean + stddev * random.normal());
}

/** Uniform in [`minValue` (−0.05), `maxValue` (0.05)). */
export function randomUniform(
  options: SeedOption & { readonly minValue?: number; readonly maxValue?: number } = {},
): Initializer {
  const { minValue = -0.05, maxValue = 0.05, seed } = options;
  return drawn(seed, (random) => minValue + (maxValue - minValue) * random.uniform());
}

/** Normal with `mean` (0) and `stddev` (0.05), drawn again beyond two standard deviations. */
export function truncatedNormal(
  options: SeedOption & { readonly mean?: number; readonly stddev?: number } = {},
): Initializer {
  const { mean = 0, stddev = 0.05, seed } = options;
  return drawn(seed, (random) => mean + stddev * truncated(random));
}

export interface VarianceScalingOptions extends SeedOption {
  /** Default 1. */
  readonly scale?: number;
  /** Default `fanIn`. */
  readonly mode?: 'fanIn' | 'fanOut' | 'fanAvg';
  /** `normal` is the truncated one. Default `normal`. */
  readonly distribution?: 'normal' | 'truncatedNormal' | 'untruncatedNormal' | 'uniform';
}

// Standard deviation of a unit normal cut off at ±2: makes up for what the cut takes away.
const truncatedDeviation = 0.8796256610342398;

/**
 * Variance `scale / fan`, so that signals keep their size from layer to layer.
 *
 * @throws {@link ModelwrightError} `invalid-argument` unless `scale` is positive.
 */
export function varianceScaling(options: VarianceScalingOptions = {}): Initializer {
  const { scale = 1, mode = 'fanIn', distribution = 'normal', seed } = options;
  if (!(scale > 0)) {
    throw new ModelwrightError('invalid-argument', `varianceScaling: scale is ${scale}; it has to be positive`, {
      given: scale,
    });
  }
  return deferred((shape, context) => {
    const fan = { fanIn: context.fanIn, fanOut: context.fanOut, fanAvg: (context.fanIn + context.fanOut) / 2 }[mode];
    const deviation = Math.sqrt(scale / Math.max(1, fan));
    const limit = Math.sqrt(3) * deviation;
    const draw = {
      normal: (random: Random) => (deviation / truncatedDeviation) * truncated(random),
      truncatedNormal: (random: Random) => (deviation / truncatedDeviation) * truncated(random),
      untruncatedNormal: (random: Random) => deviation * random.normal(),
      uniform: (random: Random) => limit * (2 * random.uniform() - 1),
    }[distribution];
    return drawn(seed, draw)(shape, context);
  });
}

/** Variance `2 / (fanIn + fanOut)`, truncated normal. @see Glorot and Bengio, AISTATS 2010. */
export function glorotNormal(options: SeedOption = {}): Initializer {
  return varianceScaling({ ...options, scale: 1, mode: 'fanAvg', distribution: 'normal' });
}

/** Variance `2 / (fanIn + fanOut)`, uniform: the default of kernels. @see Glorot and Bengio, AISTATS 2010. */
export function glorotUniform(options: SeedOption = {}): Initializer {
  return varianceScaling({ ...options, scale: 1, mode: 'fanAvg', distribution: 'uniform' });
}

/** Variance `2 / fanIn`, truncated normal: for ReLU. @see He et al., arXiv:1502.01852. */
export function heNormal(options: SeedOption = {}): Initializer {
  return varianceScaling({ ...options, scale: 2, mode: 'fanIn', distribution: 'normal' });
}

/** Variance `2 / fanIn`, uniform. @see He et al., arXiv:1502.01852. */
export function heUniform(options: SeedOption = {}): Initializer {
  return varianceScaling({ ...options, scale: 2, mode: 'fanIn', distribution: 'uniform' });
}

/** Variance `1 / fanIn`, truncated normal: for SELU. @see Klambauer et al., arXiv:1706.02515. */
export function lecunNormal(options: SeedOption = {}): Initializer {
  return varianceScaling({ ...options, scale: 1, mode: 'fanIn', distribution: 'normal' });
}

/** Variance `1 / fanIn`, uniform. */
export function lecunUniform(options: SeedOption = {}): Initializer {
  return varianceScaling({ ...options, scale: 1, mode: 'fanIn', distribution: 'uniform' });
}

/**
 * A random matrix `[∏ leading extents, last]` with orthonormal columns (rows where it is wider than high), times `gain`.
 *
 * @see Saxe et al., arXiv:1312.6120.
 */
export function orthogonal({ gain = 1, seed }: SeedOption & { readonly gain?: number } = {}): Initializer {
  return (shape, context) => {
    if (shape.length < 2) throw tooFewAxes('orthogonal', shape);
    const columns = shape.at(-1) as number;
    const rows = countOf(shape.slice(0, -1));
    const random = randomOf(seed, context);
    const vectors = orthonormalVectors(Math.min(rows, columns), Math.max(rows, columns), random);
    const values = new Float64Array(rows * columns);
    vectors.forEach((vector, index) => {
      vector.forEach((value, at) => {
        values[rows >= columns ? at * columns + index : index * columns + at] = gain * value;
      });
    });
    return values;
  };
}

/** `gain` on the diagonal, 0 elsewhere; for matrices. */
export function identity({ gain = 1 }: { readonly gain?: number } = {}): Initializer {
  return (shape) => {
    if (shape.length !== 2) throw tooFewAxes('identity', shape);
    const [rows, columns] = shape as readonly [number, number];
    const values = new Float64Array(rows * columns);
    for (let index = 0; index < Math.min(rows, columns); index++) values[index * columns + index] = gain;
    return values;
  };
}

function drawn(seed: number | undefined, draw: (random: Random) => number): Initializer {
  return deferred((shape, context) => {
    const random = randomOf(seed, context);
    const values = new Float64Array(countOf(shape));
    for (let index = 0; index < values.length; index++) values[index] = draw(random);
    return values;
  });
}

function deferred(initializer: Initializer): Initializer {
  return Object.assign(initializer, { deferred: true });
}

function randomOf(seed: number | undefined, context: InitializerContext): Random {
  return seed === undefined ? context.random : createRandom(seed);
}

function truncated(random: Random): number {
  for (;;) {
    const value = random.normal();
    if (Math.abs(value) < 2) return value;
  }
}

/** `count` orthonormal vectors by Gram and Schmidt, done twice: once is not exact enough for long vectors. */
function orthonormalVectors(count: number, length: number, random: Random): readonly Float64Array[] {
  const vectors: Float64Array[] = [];
  while (vectors.length < count) {
    const vector = Float64Array.from({ length }, () => random.normal());
    for (let pass = 0; pass < 2; pass++) for (const other of vectors) subtractProjection(vector, other);
    const norm = Math.sqrt(dot(vector, vector));
    if (norm > 1e-9) vectors.push(vector.map((value) => value / norm));
  }
  return vectors;
}

function subtractProjection(vector: Float64Array, onto: Float64Array): void {
  const share = dot(vector, onto);
  for (let index = 0; index < vector.length; index++)
    vector[index] = (vector[index] as number) - share * (onto[index] as number);
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let index = 0; index < a.length; index++) sum += (a[index] as number) * (b[index] as number);
  return sum;
}

function countOf(shape: readonly number[]): number {
  return shape.reduce((product, extent) => product * extent, 1);
}

function tooFewAxes(name: string, shape: readonly number[]): ModelwrightError {
  return new ModelwrightError(
    'shape-mismatch',
    `the initializer '${name}' is for matrices, not for a weight of shape [${shape}]`,
    {
      given: shape,
    },
  );
}

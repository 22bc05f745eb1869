import type { Value } from '@modelwright/core';
import { movingAverage } from './moving-average.js';
import type { CommonOptimizerOptions, Optimizer } from './optimizer.js';

export interface RmspropOptions extends CommonOptimizerOptions {
  /** Decay of the mean of squared gradients, default 0.9 (PyTorch: 0.99). */
  readonly rho?: number;
  /** Default 0. */
  readonly momentum?: number;
  /** Default 1e-7, under the root (PyTorch: 1e-8, outside of it). */
  readonly epsilon?: number;
  /** Divide by the standard deviation of gradients instead of their root mean square. Default false. */
  readonly centered?: boolean;
}

/**
 * RMSProp: `v′ = ρv + (1−ρ)g²`, `w′ = w − η·g / √(v′ + ε)`, with momentum and centring if asked for.
 *
 * @param options.learningRate - η, default 0.001 (PyTorch: 0.01).
 * @see Hinton, Neural networks for machine learning, lecture 6e; Graves, arXiv:1308.0850, §4.2 (centred).
 */
export function rmsprop(options: RmspropOptions = {}): Optimizer {
  const { learningRate = 0.001, rho = 0.9, momentum = 0, epsilon = 1e-7, centered = false } = options;
  return {
    name: 'rmsprop',
    options,
    learningRate,
    slots: [{ name: 'v' }, ...(centered ? [{ name: 'average' }] : []), ...(momentum > 0 ? [{ name: 'momentum' }] : [])],
    prepare: ({ learningRate: rate }) => ({ shared: { rate } }),
    update({ arithmetic: a, weight, gradient, slots, shared }) {
      const v = movingAverage(a, { average: slots['v'] as Value, next: a.square(gradient), decay: rho });
      const mean = centered
        ? { average: movingAverage(a, { average: slots['average'] as Value, next: gradient, decay: rho }) }
        : undefined;
      const spread = mean === undefined ? v : a.subtract(v, a.square(mean.average));
      const step = a.divide(a.multiply(gradient, shared['rate'] as Value), a.squareRoot(a.add(spread, epsilon)));
      if (momentum === 0) return { weight: a.subtract(weight, step), slots: { v, ...mean } };
      const velocity = a.add(a.multiply(slots['momentum'] as Value, momentum), step);
      return { weight: a.subtract(weight, velocity), slots: { v, ...mean, momentum: velocity } };
    },
  };
}

export interface AdagradOptions extends CommonOptimizerOptions {
  /** What the sums of squares start from, default 0.1 (PyTorch: 0). */
  readonly initialAccumulatorValue?: number;
  /** Default 1e-7, under the root (PyTorch: 1e-10, outside of it). */
  readonly epsilon?: number;
}

/**
 * AdaGrad: `s′ = s + g²`, `w′ = w − η·g / √(s′ + ε)`.
 *
 * @param options.learningRate - η, default 0.001 (PyTorch: 0.01).
 * @see Duchi et al., Adaptive subgradient methods for online learning and stochastic optimization, 2011.
 */
export function adagrad(options: AdagradOptions = {}): Optimizer {
  const { learningRate = 0.001, initialAccumulatorValue = 0.1, epsilon = 1e-7 } = options;
  return {
    name: 'adagrad',
    options,
    learningRate,
    slots: [{ name: 'accumulator', initial: initialAccumulatorValue }],
    prepare: ({ learningRate: rate }) => ({ shared: { rate } }),
    update({ arithmetic: a, weight, gradient, slots, shared }) {
      const accumulator = a.add(slots['accumulator'] as Value, a.square(gradient));
      const scale = a.squareRoot(a.add(accumulator, epsilon));
      const step = a.divide(a.multiply(gradient, shared['rate'] as Value), scale);
      return { weight: a.subtract(weight, step), slots: { accumulator } };
    },
  };
}

export interface AdadeltaOptions extends CommonOptimizerOptions {
  /** Decay of both means, default 0.95 (PyTorch: 0.9). */
  readonly rho?: number;
  /** Default 1e-7 (PyTorch: 1e-6). */
  readonly epsilon?: number;
}

/**
 * AdaDelta: `s′ = ρs + (1−ρ)g²`, `Δ = g·√(d + ε) / √(s′ + ε)`, `d′ = ρd + (1−ρ)Δ²`, `w′ = w − η·Δ`.
 *
 * @param options.learningRate - η, default 0.001 (the paper and PyTorch: 1).
 * @see Zeiler, arXiv:1212.5701.
 */
export function adadelta(options: AdadeltaOptions = {}): Optimizer {
  const { learningRate = 0.001, rho = 0.95, epsilon = 1e-7 } = options;
  return {
    name: 'adadelta',
    options,
    learningRate,
    slots: [{ name: 'squares' }, { name: 'deltas' }],
    prepare: ({ learningRate: rate }) => ({ shared: { rate } }),
    update({ arithmetic: a, weight, gradient, slots, shared }) {
      const deltas = slots['deltas'] as Value;
      const squares = movingAverage(a, { average: slots['squares'] as Value, next: a.square(gradient), decay: rho });
      const ratio = a.divide(a.squareRoot(a.add(deltas, epsilon)), a.squareRoot(a.add(squares, epsilon)));
      const delta = a.multiply(gradient, ratio);
      return {
        weight: a.subtract(weight, a.multiply(delta, shared['rate'] as Value)),
        slots: { squares, deltas: movingAverage(a, { average: deltas, next: a.square(delta), decay: rho }) },
      };
    },
  };
}

export interface LionOptions extends CommonOptimizerOptions {
  /** Share of the momentum in the step, default 0.9. */
  readonly beta1?: number;
  /** Decay of the momentum, default 0.99. */
  readonly beta2?: number;
}

/**
 * Lion: `w′ = w − η·sign(β₁m + (1−β₁)g)`, `m′ = β₂m + (1−β₂)g`.
 *
 * @param options.learningRate - η, default 0.001.
 * @see Chen et al., arXiv:2302.06675.
 */
export function lion(options: LionOptions = {}): Optimizer {
  const { learningRate = 0.001, beta1 = 0.9, beta2 = 0.99 } = options;
  return {
    name: 'lion',
    options,
    learningRate,
    slots: [{ name: 'momentum' }],
    prepare: ({ learningRate: rate }) => ({ shared: { rate } }),
    update({ arithmetic: a, weight, gradient, slots, shared }) {
      const momentum = slots['momentum'] as Value;
      const direction = a.sign(movingAverage(a, { average: momentum, next: gradient, decay: beta1 }));
      return {
        weight: a.subtract(weight, a.multiply(direction, shared['rate'] as Value)),
        slots: { momentum: movingAverage(a, { average: momentum, next: gradient, decay: beta2 }) },
      };
    },
  };
}

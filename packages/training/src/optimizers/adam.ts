import type { Value } from '@modelwright/core';
import { movingAverage } from './moving-average.js';
import type { CommonOptimizerOptions, Optimizer, StepContext } from './optimizer.js';

export interface AdamOptions extends CommonOptimizerOptions {
  /** Decay of the mean of gradients, default 0.9. */
  readonly beta1?: number;
  /** Decay of the mean of squared gradients, default 0.999. */
  readonly beta2?: number;
  /** Default 1e-7 (PyTorch: 1e-8). */
  readonly epsilon?: number;
  /** Divide by the largest second moment so far. Default false. */
  readonly amsgrad?: boolean;
}

/**
 * Adam: `m′ = β₁m + (1−β₁)g`, `v′ = β₂v + (1−β₂)g²`, `w′ = w − η·m̂ / (√v̂ + ε)` with the moments freed of their bias.
 *
 * ε stands as in the paper's algorithm 1 and in PyTorch; Keras scales it by `√(1−β₂ᵗ)`, which matters only for gradients
 * near ε and only in the first steps.
 *
 * @param options.learningRate - η, default 0.001.
 * @see Kingma and Ba, arXiv:1412.6980, algorithm 1; Reddi et al., arXiv:1904.09237 (AMSGrad).
 */
export function adam(options: AdamOptions = {}): Optimizer {
  return adamNamed('adam', options);
}

/**
 * Adam with decoupled weight decay.
 *
 * @param options.weightDecay - Default 0.004 (PyTorch: 0.01).
 * @see Loshchilov and Hutter, arXiv:1711.05101.
 */
export function adamW(options: AdamOptions = {}): Optimizer {
  return adamNamed('adamW', { weightDecay: 0.004, ...options });
}

function adamNamed(name: string, options: AdamOptions): Optimizer {
  const { learningRate = 0.001, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-7, amsgrad = false } = options;
  return {
    name,
    options,
    learningRate,
    slots: [{ name: 'm' }, { name: 'v' }, ...(amsgrad ? [{ name: 'vMax' }] : [])],
    prepare(context) {
      const { arithmetic: a, learningRate: rate } = context;
      // η·m̂/(√v̂ + ε) = (η·√c₂/c₁)·m / (√v + ε·√c₂) with c = 1 − βᵗ: all corrections fall on scalars.
      const root = a.squareRoot(biasCorrection(context, beta2));
      const factor = a.divide(a.multiply(rate, root), biasCorrection(context, beta1));
      return { shared: { factor, epsilon: a.multiply(root, epsilon) } };
    },
    update({ arithmetic: a, weight, gradient, slots, shared }) {
      const m = movingAverage(a, { average: slots['m'] as Value, next: gradient, decay: beta1 });
      const v = movingAverage(a, { average: slots['v'] as Value, next: a.square(gradient), decay: beta2 });
      const largest = amsgrad ? { vMax: a.maximum(slots['vMax'] as Value, v) } : undefined;
      const scale = a.add(a.squareRoot(largest?.vMax ?? v), shared['epsilon'] as Value);
      const step = a.divide(a.multiply(m, shared['factor'] as Value), scale);
      return { weight: a.subtract(weight, step), slots: { m, v, ...largest } };
    },
  };
}

/**
 * Adam with the infinity norm: `u′ = max(β₂u, |g|)`, `w′ = w − η/(1−β₁ᵗ) · m′ / (u′ + ε)`.
 *
 * PyTorch adds ε inside the maximum.
 *
 * @see Kingma and Ba, arXiv:1412.6980, §7.1.
 */
export function adamax(options: Omit<AdamOptions, 'amsgrad'> = {}): Optimizer {
  const { learningRate = 0.001, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-7 } = options;
  return {
    name: 'adamax',
    options,
    learningRate,
    slots: [{ name: 'm' }, { name: 'u' }],
    prepare: (context) => ({
      shared: { factor: context.arithmetic.divide(context.learningRate, biasCorrection(context, beta1)) },
    }),
    update({ arithmetic: a, weight, gradient, slots, shared }) {
      const m = movingAverage(a, { average: slots['m'] as Value, next: gradient, decay: beta1 });
      const u = a.maximum(a.multiply(slots['u'] as Value, beta2), a.absolute(gradient));
      const step = a.divide(a.multiply(m, shared['factor'] as Value), a.add(u, epsilon));
      return { weight: a.subtract(weight, step), slots: { m, u } };
    },
  };
}

/**
 * Adam with Nesterov momentum, `μₜ = β₁(1 − ½·0.96ᵗ)`: `m̂ = μₜ₊₁·m/(1 − ∏μ·μₜ₊₁) + (1−μₜ)·g/(1 − ∏μ)`.
 *
 * PyTorch's `NAdam` slows the schedule of μ down by `momentum_decay` (0.004 there, 1 in the paper and here).
 *
 * @see Dozat, Incorporating Nesterov momentum into Adam, 2016.
 */
export function nadam(options: Omit<AdamOptions, 'amsgrad'> = {}): Optimizer {
  const { learningRate = 0.001, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-7 } = options;
  return {
    name: 'nadam',
    options,
    learningRate,
    slots: [{ name: 'm' }, { name: 'v' }],
    scalars: { product: 1 },
    prepare(context) {
      const { arithmetic: a, step, learningRate: rate, scalars } = context;
      const momentumAt = (t: Value): Value => a.multiply(a.subtract(1, a.multiply(a.power(0.96, t), 0.5)), beta1);
      const [now, next] = [momentumAt(step), momentumAt(a.add(step, 1))];
      const product = a.multiply(scalars['product'] as Value, now);
      const ofMoment = a.divide(a.multiply(rate, next), a.subtract(1, a.multiply(product, next)));
      const ofGradient = a.divide(a.multiply(rate, a.subtract(1, now)), a.subtract(1, product));
      const rootScale = a.divide(1, a.squareRoot(biasCorrection(context, beta2)));
      return { shared: { ofMoment, ofGradient, rootScale }, scalars: { product } };
    },
    update({ arithmetic: a, weight, gradient, slots, shared }) {
      const m = movingAverage(a, { average: slots['m'] as Value, next: gradient, decay: beta1 });
      const v = movingAverage(a, { average: slots['v'] as Value, next: a.square(gradient), decay: beta2 });
      const direction = a.add(
        a.multiply(m, shared['ofMoment'] as Value),
        a.multiply(gradient, shared['ofGradient'] as Value),
      );
      const scale = a.add(a.multiply(a.squareRoot(v), shared['rootScale'] as Value), epsilon);
      return { weight: a.subtract(weight, a.divide(direction, scale)), slots: { m, v } };
    },
  };
}

// 1 − βᵗ
function biasCorrection({ arithmetic: a, step }: StepContext, beta: number): Value {
  return a.subtract(1, a.power(beta, step));
}

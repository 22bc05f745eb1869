import { ModelwrightError } from '@modelwright/core';
import type { CommonOptimizerOptions, Optimizer, UpdateContext } from './optimizer.js';

export interface SgdOptions extends CommonOptimizerOptions {
  /** Default 0. */
  readonly momentum?: number;
  /** Look ahead along the momentum. Default false. */
  readonly nesterov?: boolean;
}

/**
 * Gradient descent, with momentum if asked for: `v′ = μ·v − η·g`, `w′ = w + v′` (Nesterov: `w′ = w + μ·v′ − η·g`).
 *
 * PyTorch keeps the learning rate out of `v`; both are equal while the learning rate is constant.
 *
 * @param options.learningRate - η, default 0.01.
 * @see Sutskever et al., On the importance of initialization and momentum in deep learning, 2013.
 */
export function sgd(options: SgdOptions = {}): Optimizer {
  const { learningRate = 0.01, momentum = 0, nesterov = false } = options;
  if (momentum < 0 || momentum > 1) {
    throw new ModelwrightError('invalid-argument', `sgd: momentum ${momentum} is not within 0…1`, { given: momentum });
  }
  return {
    name: 'sgd',
    options,
    learningRate,
    slots: momentum === 0 ? [] : [{ name: 'momentum' }],
    prepare: ({ learningRate: rate }) => ({ shared: { rate } }),
    update: (context) => (momentum === 0 ? plainStep(context) : momentumStep(context, { momentum, nesterov })),
  };
}

function plainStep({ arithmetic: a, weight, gradient, shared }: UpdateContext): ReturnType<Optimizer['update']> {
  return { weight: a.subtract(weight, a.multiply(gradient, shared['rate'] as never)), slots: {} };
}

function momentumStep(
  { arithmetic: a, weight, gradient, slots, shared }: UpdateContext,
  { momentum, nesterov }: { readonly momentum: number; readonly nesterov: boolean },
): ReturnType<Optimizer['update']> {
  const step = a.multiply(gradient, shared['rate'] as never);
  const velocity = a.subtract(a.multiply(slots['momentum'] as never, momentum), step);
  const move = nesterov ? a.subtract(a.multiply(velocity, momentum), step) : velocity;
  return { weight: a.add(weight, move), slots: { momentum: velocity } };
}

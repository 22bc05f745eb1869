import { ModelwrightError } from '@modelwright/core';
import { adam, adamax, adamW, nadam } from './adam.js';
import { adadelta, adagrad, lion, rmsprop } from './adaptive.js';
import type { Optimizer } from './optimizer.js';
import { sgd } from './sgd.js';

/** Names `createTrainer` takes for an optimizer. */
export type OptimizerName = 'sgd' | 'adam' | 'adamW' | 'adamax' | 'nadam' | 'rmsprop' | 'adagrad' | 'adadelta' | 'lion';

const optimizers: { readonly [N in OptimizerName]: () => Optimizer } = {
  sgd,
  adam,
  adamW,
  adamax,
  nadam,
  rmsprop,
  adagrad,
  adadelta,
  lion,
};

/** All names of optimizers. */
export const optimizerNames: readonly OptimizerName[] = Object.keys(optimizers) as OptimizerName[];

/**
 * The optimizer a user meant.
 *
 * @throws {@link ModelwrightError} `invalid-argument` listing the names for an unknown one.
 */
export function toOptimizer(like: OptimizerName | Optimizer): Optimizer {
  if (typeof like === 'object') return like;
  if (Object.hasOwn(optimizers, like)) return optimizers[like]();
  throw new ModelwrightError(
    'invalid-argument',
    `there is no optimizer '${String(like)}'; there are: ${optimizerNames.join(', ')}`,
    { given: like, allowed: optimizerNames },
  );
}

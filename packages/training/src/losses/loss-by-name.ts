import { ModelwrightError } from '@modelwright/core';
import {
  binaryCrossentropy,
  binaryFocalCrossentropy,
  categoricalCrossentropy,
  categoricalFocalCrossentropy,
  kullbackLeiblerDivergence,
  sparseCategoricalCrossentropy,
} from './classification.js';
import { ctc } from './ctc.js';
import { customLoss, type Loss, type LossFunction } from './loss.js';
import {
  categoricalHinge,
  cosineSimilarity,
  hinge,
  huber,
  logCosh,
  meanAbsoluteError,
  meanAbsolutePercentageError,
  meanSquaredError,
  meanSquaredLogarithmicError,
  poisson,
  squaredHinge,
} from './regression.js';

/** Names `createTrainer` takes for a loss. */
export type LossName =
  | 'meanSquaredError'
  | 'meanAbsoluteError'
  | 'meanAbsolutePercentageError'
  | 'meanSquaredLogarithmicError'
  | 'huber'
  | 'logCosh'
  | 'hinge'
  | 'squaredHinge'
  | 'categoricalHinge'
  | 'binaryCrossentropy'
  | 'categoricalCrossentropy'
  | 'sparseCategoricalCrossentropy'
  | 'binaryFocalCrossentropy'
  | 'categoricalFocalCrossentropy'
  | 'kullbackLeiblerDivergence'
  | 'poisson'
  | 'cosineSimilarity'
  | 'ctc'
  | 'mse'
  | 'mae'
  | 'mape'
  | 'msle';

const losses: { readonly [N in LossName]: () => Loss } = {
  meanSquaredError,
  meanAbsoluteError,
  meanAbsolutePercentageError,
  meanSquaredLogarithmicError,
  huber,
  logCosh,
  hinge,
  squaredHinge,
  categoricalHinge,
  binaryCrossentropy,
  categoricalCrossentropy,
  sparseCategoricalCrossentropy,
  binaryFocalCrossentropy,
  categoricalFocalCrossentropy,
  kullbackLeiblerDivergence,
  poisson,
  cosineSimilarity,
  ctc,
  mse: meanSquaredError,
  mae: meanAbsoluteError,
  mape: meanAbsolutePercentageError,
  msle: meanSquaredLogarithmicError,
};

/** All names of losses. */
export const lossNames: readonly LossName[] = Object.keys(losses) as LossName[];

/** A loss by name, as an object, or as a function of symbolic values. */
export type LossLike = LossName | Loss | LossFunction;

/** Whether `name` is the name of a loss. */
export function isLossName(name: string): name is LossName {
  return Object.hasOwn(losses, name);
}

/**
 * The loss a user meant.
 *
 * @throws {@link ModelwrightError} `invalid-argument` listing the names for an unknown one.
 */
export function toLoss(like: LossLike): Loss {
  if (typeof like === 'object') return like;
  if (typeof like === 'function') return customLoss(like.name || 'customLoss', like);
  if (isLossName(like)) return losses[like]();
  throw new ModelwrightError(
    'invalid-argument',
    `there is no loss '${String(like)}'; there are: ${lossNames.join(', ')}`,
    {
      given: like,
      allowed: lossNames,
    },
  );
}

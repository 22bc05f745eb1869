import { ModelwrightError, Tensor } from '@modelwright/core';
import type { Random } from './random.js';
import * as named from './standard.js';

/** What an initializer may use. */
export interface InitializerContext {
  /** Seeded by the model's seed and the weight's name. */
  readonly random: Random;
  /** Numbers that one output is made of, and that one input goes into. */
  readonly fanIn: number;
  readonly fanOut: number;
}

/** Gives a new weight its values. */
export interface Initializer {
  /**
   * @param shape - In Keras's layout: `[…, in, out]`.
   * @returns the values in row-major order.
   */
  (shape: readonly number[], context: InitializerContext): ArrayLike<number> | Tensor;
  /**
   * Never fails, and depends on its arguments alone: it is called when the values are first read, or never when other
   * weights are set before. Default false.
   */
  readonly deferred?: boolean;
}

/** Names of the initializers that need no options. */
export type InitializerName =
  | 'zeros'
  | 'ones'
  | 'randomNormal'
  | 'randomUniform'
  | 'truncatedNormal'
  | 'varianceScaling'
  | 'glorotNormal'
  | 'glorotUniform'
  | 'heNormal'
  | 'heUniform'
  | 'lecunNormal'
  | 'lecunUniform'
  | 'orthogonal'
  | 'identity';

/** A name, an initializer, or the values themselves (in Keras's layout). */
export type InitializerLike = InitializerName | Initializer | Tensor;

const byName: { readonly [N in InitializerName]: () => Initializer } = {
  zeros: named.zeros,
  ones: named.ones,
  randomNormal: named.randomNormal,
  randomUniform: named.randomUniform,
  truncatedNormal: named.truncatedNormal,
  varianceScaling: named.varianceScaling,
  glorotNormal: named.glorotNormal,
  glorotUniform: named.glorotUniform,
  heNormal: named.heNormal,
  heUniform: named.heUniform,
  lecunNormal: named.lecunNormal,
  lecunUniform: named.lecunUniform,
  orthogonal: named.orthogonal,
  identity: named.identity,
};

/**
 * The initializer that is meant.
 *
 * @throws {@link ModelwrightError} `invalid-argument` for an unknown name.
 */
export function initializerOf(like: InitializerLike): Initializer {
  if (typeof like === 'function') return like;
  if (like instanceof Tensor) return () => like;
  const create = Object.hasOwn(byName, like) ? byName[like] : undefined;
  if (create !== undefined) return create();
  const allowed = Object.keys(byName);
  throw new ModelwrightError(
    'invalid-argument',
    `there is no initializer '${like}'; there are: ${allowed.join(', ')}`,
    {
      given: like,
      allowed,
    },
  );
}

/** Fan-in and fan-out of a weight in Keras's layout: convolution kernels count their window. */
export function fansOf(shape: readonly number[]): { readonly fanIn: number; readonly fanOut: number } {
  if (shape.length === 0) return { fanIn: 1, fanOut: 1 };
  if (shape.length === 1) return { fanIn: shape[0] as number, fanOut: shape[0] as number };
  const window = shape.slice(0, -2).reduce((product, extent) => product * extent, 1);
  return { fanIn: window * (shape.at(-2) as number), fanOut: window * (shape.at(-1) as number) };
}

import { ModelwrightError, type Regularizer } from '@modelwright/core';

/** Adds `l1 · Σ|w|` (default 0.01) to the loss. */
export function l1({ l1: factor = 0.01 }: { readonly l1?: number } = {}): Regularizer {
  return { l1: factor };
}

/** Adds `l2 · Σw²` (default 0.01) to the loss. */
export function l2({ l2: factor = 0.01 }: { readonly l2?: number } = {}): Regularizer {
  return { l2: factor };
}

/** Adds `l1 · Σ|w| + l2 · Σw²` (default 0.01 each) to the loss. */
export function l1l2(options: { readonly l1?: number; readonly l2?: number } = {}): Regularizer {
  return { l1: options.l1 ?? 0.01, l2: options.l2 ?? 0.01 };
}

/** Regularizers with Keras's default factors, by name. */
export type RegularizerName = 'l1' | 'l2' | 'l1l2';

/** A name or a regularizer. */
export type RegularizerLike = RegularizerName | Regularizer;

const byName: { readonly [N in RegularizerName]: () => Regularizer } = { l1, l2, l1l2 };

/**
 * The regularizer that is meant.
 *
 * @throws {@link ModelwrightError} `invalid-argument` for an unknown name.
 */
export function regularizerOf(like: RegularizerLike): Regularizer {
  if (typeof like === 'object') return like;
  if (Object.hasOwn(byName, like)) return byName[like]();
  const allowed = Object.keys(byName);
  throw new ModelwrightError(
    'invalid-argument',
    `there is no regularizer '${like}'; there are: ${allowed.join(', ')}`,
    {
      given: like,
      allowed,
    },
  );
}

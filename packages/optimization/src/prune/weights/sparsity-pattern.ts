import { ModelwrightError } from '@modelwright/core';

/**
 * Which weights go together:
 * - `unstructured`: each by itself;
 * - `4x1`: blocks of 4 outputs × 1 input (any numbers), which are zero or not as a whole;
 * - `2:4`: at most 2 of every 4 inputs of an output are not zero (any numbers).
 *
 * Outputs and inputs are those of the layer: filters and channels of a convolution, whose kernel positions are taken each
 * by itself.
 */
export type SparsityPattern = 'unstructured' | `${number}x${number}` | `${number}:${number}`;

/** What a {@link SparsityPattern} says. */
export type SparsityRule =
  | { readonly kind: 'unstructured' }
  | { readonly kind: 'blocks'; readonly outputs: number; readonly inputs: number }
  | { readonly kind: 'share'; readonly kept: number; readonly of: number };

/**
 * Reads a pattern.
 *
 * @throws {@link ModelwrightError} `invalid-argument` if it is none.
 */
export function sparsityRuleOf(pattern: SparsityPattern): SparsityRule {
  if (pattern === 'unstructured') return { kind: 'unstructured' };
  const [, first, sign, second] = /^([1-9]\d*)([x:])([1-9]\d*)$/.exec(pattern) ?? [];
  const [left, right] = [Number(first), Number(second)];
  if (sign === 'x') return { kind: 'blocks', outputs: left, inputs: right };
  if (sign === ':' && left < right) return { kind: 'share', kept: left, of: right };
  throw new ModelwrightError(
    'invalid-argument',
    `'${pattern}' is no pattern of sparsity; there are 'unstructured', blocks of outputs × inputs such as '4x1', and ` +
      "shares that are kept such as '2:4'",
    { given: pattern },
  );
}

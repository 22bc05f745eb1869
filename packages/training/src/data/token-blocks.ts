import { ModelwrightError, Tensor } from '@modelwright/core';
import { Dataset } from './dataset.js';
import { createRandom } from './random.js';
import { rowSource } from './row-order.js';
import type { Rows } from './rows.js';
import type { Sample } from './sample.js';

/** Options of {@link tokenBlocks}. */
export interface TokenBlockOptions {
  /** Tokens of a block. */
  readonly blockLength: number;
  /** Tokens from the start of one block to that of the next. Default: `blockLength`, so that each token is seen once. */
  readonly stride?: number;
}

/** Options of {@link randomTokenBlocks}. */
export interface RandomTokenBlockOptions {
  /** Tokens of a block. */
  readonly blockLength: number;
  /** Blocks of an epoch. */
  readonly count: number;
  /** Default 0. Where blocks start depends on seed and epoch alone. */
  readonly seed?: number;
}

/**
 * A long row of token ids cut into blocks, for a language model: the target at each place is the token that follows.
 *
 * @param tokens - Ids, in order. An `Int32Array` is used where it lies.
 * @returns examples int32 `[blockLength]` with targets int32 `[blockLength]`.
 * @throws {@link ModelwrightError} `invalid-argument` when there are not at least `blockLength + 1` tokens.
 * @example
 * tokenBlocks(tokenizer.encode(text), { blockLength: 64 }).shuffle().batch(12);
 */
export function tokenBlocks(
  tokens: ArrayLike<number>,
  { blockLength, stride = blockLength }: TokenBlockOptions,
): Dataset {
  requireCount('stride', stride);
  const starts = countStarts(tokens, blockLength);
  return Dataset.ofRows(blockRows(tokens, { blockLength, count: Math.ceil(starts / stride), stride }));
}

/**
 * Blocks that start anywhere, drawn anew in each epoch (with replacement), as language models are usually trained.
 *
 * @param tokens - Ids, in order. An `Int32Array` is used where it lies.
 * @returns `count` examples int32 `[blockLength]` with targets int32 `[blockLength]`.
 * @throws {@link ModelwrightError} `invalid-argument` when there are not at least `blockLength + 1` tokens.
 * @example
 * randomTokenBlocks(tokens, { blockLength: 64, count: 12 * 2000 }).batch(12); // 2,000 steps
 */
export function randomTokenBlocks(
  tokens: ArrayLike<number>,
  { blockLength, count, seed = 0 }: RandomTokenBlockOptions,
): Dataset {
  requireCount('count', count);
  const starts = countStarts(tokens, blockLength);
  const rows = blockRows(tokens, { blockLength, count: starts, stride: 1 });
  const order = (epoch: number): Uint32Array => {
    const random = createRandom(seed, epoch);
    return Uint32Array.from({ length: count }, () => random.nextBelow(starts));
  };
  return new Dataset(rowSource({ rows, count, order }));
}

/** How many places there are where a block and the token behind it fit. */
function countStarts(tokens: ArrayLike<number>, blockLength: number): number {
  requireCount('blockLength', blockLength);
  if (tokens.length > blockLength) return tokens.length - blockLength;
  throw new ModelwrightError(
    'invalid-argument',
    `${tokens.length} tokens have no room for a block of ${blockLength} and the token that follows`,
    { given: tokens.length, allowed: blockLength + 1 },
  );
}

interface Blocks {
  readonly blockLength: number;
  readonly count: number;
  readonly stride: number;
}

function blockRows(tokens: ArrayLike<number>, { blockLength, count, stride }: Blocks): Rows {
  const ids = tokens instanceof Int32Array ? tokens : Int32Array.from(tokens);
  const cut = (indices: Uint32Array, offset: number, into: Int32Array): Int32Array => {
    indices.forEach((index, row) => {
      const start = index * stride + offset;
      into.set(ids.subarray(start, start + blockLength), row * blockLength);
    });
    return into;
  };
  const memory = (indices: Uint32Array, tensor: unknown): Int32Array =>
    tensor instanceof Tensor ? (tensor.data as Int32Array) : new Int32Array(indices.length * blockLength);
  const gather = (indices: Uint32Array, into?: Sample): Sample => {
    const shape = [indices.length, blockLength];
    return {
      inputs: new Tensor('int32', shape, cut(indices, 0, memory(indices, into?.inputs))),
      targets: new Tensor('int32', shape, cut(indices, 1, memory(indices, into?.targets))),
    };
  };
  const row = (index: number): Sample => {
    const start = index * stride;
    return {
      inputs: new Tensor('int32', [blockLength], ids.slice(start, start + blockLength)),
      targets: new Tensor('int32', [blockLength], ids.slice(start + 1, start + 1 + blockLength)),
    };
  };
  return { count, gather, row };
}

function requireCount(what: string, count: number): void {
  if (Number.isInteger(count) && count >= 1) return;
  throw new ModelwrightError('invalid-argument', `blocks of tokens: ${what} is ${count}; an integer ≥ 1 is expected`, {
    given: count,
  });
}

import { fromNumbers, ModelwrightError, padSequences, type Tensor } from '@modelwright/core';
import type { Tokenizer } from './tokenizer.js';

/** Options of {@link encodeBatch}. */
export interface EncodeBatchOptions {
  /** Ids a row: a number, or `longest` (the default), the length of the longest text of the batch. */
  readonly length?: number | 'longest';
  /** Rows are never longer than this. Default: no limit. */
  readonly maxLength?: number;
  /** Where short rows are filled up. Default `post`. */
  readonly padding?: 'pre' | 'post';
  /** Where long rows are cut; start and end tokens stay. Default `post`. */
  readonly truncating?: 'pre' | 'post';
  /** Token put in front of each text. */
  readonly startToken?: string;
  /** Token put behind each text. */
  readonly endToken?: string;
  /** What fills up. Default: the tokenizer's pad id, or 0. */
  readonly padId?: number;
}

/** A batch of texts as a network takes it. */
export interface EncodedBatch {
  /** `[texts, length]`. */
  readonly ids: Tensor<'int32'>;
  /** `[texts, length]`: true where an id belongs to the text, false where it fills up. */
  readonly mask: Tensor<'bool'>;
  /** `[texts]`: how many ids of each row belong to the text. */
  readonly lengths: Tensor<'int32'>;
}

/**
 * Texts as rows of ids of one length.
 *
 * @throws {@link ModelwrightError} `invalid-argument` for a start or end token that the vocabulary lacks, or a length
 *   without room for them.
 * @example
 * const { ids, mask } = encodeBatch(tokenizer, ['a short one', 'and one that is longer'], { maxLength: 128 });
 */
export function encodeBatch(
  tokenizer: Tokenizer,
  texts: readonly string[],
  options: EncodeBatchOptions = {},
): EncodedBatch {
  const { padding = 'post', padId = tokenizer.padId ?? 0 } = options;
  const start = specialIds(tokenizer, options.startToken);
  const end = specialIds(tokenizer, options.endToken);
  const room = longestRow(options) - start.length - end.length;
  if (!(room >= 0)) {
    throw new ModelwrightError('invalid-argument', 'rows are too short for the start and end tokens', {
      given: longestRow(options),
      allowed: start.length + end.length,
    });
  }
  const rows = texts.map((text) => [...start, ...cut(tokenizer.encode(text), room, options.truncating), ...end]);
  const length = typeof options.length === 'number' ? Math.min(options.length, longestRow(options)) : undefined;
  const shared = { padding, ...(length === undefined ? {} : { length }) };
  return {
    ids: padSequences(rows, { ...shared, value: padId }) as Tensor<'int32'>,
    mask: padSequences(
      rows.map((row) => row.map(() => 1)),
      { ...shared, dtype: 'bool' },
    ) as Tensor<'bool'>,
    lengths: fromNumbers(
      'int32',
      [rows.length],
      rows.map((row) => row.length),
    ),
  };
}

function longestRow({ length, maxLength = Number.POSITIVE_INFINITY }: EncodeBatchOptions): number {
  return typeof length === 'number' ? Math.min(length, maxLength) : maxLength;
}

function cut(ids: readonly number[], room: number, truncating: 'pre' | 'post' = 'post'): readonly number[] {
  if (ids.length <= room) return ids;
  return truncating === 'post' ? ids.slice(0, room) : ids.slice(ids.length - room);
}

function specialIds(tokenizer: Tokenizer, token: string | undefined): readonly number[] {
  if (token === undefined) return [];
  const id = tokenizer.idOf(token);
  if (id !== undefined) return [id];
  throw new ModelwrightError('invalid-argument', `the vocabulary has no token ${JSON.stringify(token)}`, {
    given: token,
  });
}

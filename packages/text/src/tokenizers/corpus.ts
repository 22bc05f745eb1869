/** Texts to learn a vocabulary from: one text, or many. */
export type Corpus = string | Iterable<string>;

/** The texts of a corpus, one after the other. */
export function textsOf(corpus: Corpus): Iterable<string> {
  return typeof corpus === 'string' ? [corpus] : corpus;
}

/** Which tokens of a corpus make it into a vocabulary. */
export interface VocabularyLimits {
  /** Tokens seen less often are left out. Default 1. */
  readonly minFrequency?: number;
  /** Tokens at most, special ones counted; the most frequent stay. Default: no limit. */
  readonly maxSize?: number;
}

/**
 * Tokens by falling frequency, equals in the order of their code units, so that the same corpus always gives the same list.
 *
 * @param reserved - How many places special tokens take.
 */
export function frequentTokens(
  counts: ReadonlyMap<string, number>,
  { minFrequency = 1, maxSize = Number.POSITIVE_INFINITY }: VocabularyLimits,
  reserved: number,
): string[] {
  const kept = [...counts].filter(([, count]) => count >= minFrequency);
  kept.sort(([a, countOfA], [b, countOfB]) => countOfB - countOfA || (a < b ? -1 : 1));
  return kept.slice(0, Math.max(maxSize - reserved, 0)).map(([token]) => token);
}

/** Counts `tokens` into `counts`. */
export function countInto(counts: Map<string, number>, tokens: Iterable<string>): void {
  for (const token of tokens) counts.set(token, (counts.get(token) ?? 0) + 1);
}

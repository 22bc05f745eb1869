import { pairKey, pairOf } from './merge-pairs.js';
import { PriorityQueue } from './priority-queue.js';

/** What is learnt: the tokens in the order of their ids, and the pairs in the order in which they are merged. */
export interface LearntMerges {
  readonly tokens: readonly string[];
  readonly merges: readonly (readonly [left: string, right: string])[];
}

export interface TrainMergesOptions {
  /** Tokens before the first merge; the characters of all words are among them. */
  readonly alphabet: readonly string[];
  /** Stop at so many tokens. */
  readonly vocabularySize: number;
  /** Stop when the most frequent pair occurs less often. */
  readonly minFrequency: number;
}

interface Candidate {
  readonly count: number;
  readonly key: number;
}

/**
 * Learns byte-pair merges: again and again the most frequent pair of neighbours becomes a token; of equals the pair with the
 * lower ids. Counts are kept up to date word by word, and a pair looks only at the words that have it.
 *
 * @param words - How often each word occurs, in characters of the alphabet.
 * @see Sennrich et al., arXiv:1508.07909, §3.2.
 */
export function trainMerges(words: ReadonlyMap<string, number>, options: TrainMergesOptions): LearntMerges {
  const { alphabet, vocabularySize, minFrequency } = options;
  const tokens = [...alphabet];
  const ids = new Map(tokens.map((token, id) => [token, id]));
  const pairs = new PairCounts(words, ids);
  const merges: [string, string][] = [];
  while (tokens.length < vocabularySize) {
    const best = pairs.takeMostFrequent();
    if (best === undefined || best.count < Math.max(minFrequency, 1)) break;
    const [left, right] = pairOf(best.key);
    const [leftToken, rightToken] = [tokens[left] as string, tokens[right] as string];
    const token = leftToken + rightToken;
    // Two pairs can spell the same token, which then has two merges.
    const id = ids.get(token) ?? tokens.length;
    if (id === tokens.length) tokens.push(token);
    ids.set(token, id);
    merges.push([leftToken, rightToken]);
    pairs.merge(best.key, id);
  }
  return { tokens, merges };
}

/** How often each pair of neighbours occurs, and in which words. */
class PairCounts {
  readonly #words: number[][] = [];
  readonly #frequencies: number[] = [];
  readonly #counts = new Map<number, number>();
  readonly #places = new Map<number, Set<number>>();
  readonly #queue: PriorityQueue<Candidate> = new PriorityQueue(
    (a, b) => a.count > b.count || (a.count === b.count && a.key < b.key),
  );

  constructor(words: ReadonlyMap<string, number>, ids: ReadonlyMap<string, number>) {
    for (const [word, frequency] of words) {
      const symbols = Array.from(word, (character) => ids.get(character) as number);
      const index = this.#words.push(symbols) - 1;
      this.#frequencies.push(frequency);
      for (let place = 0; place + 1 < symbols.length; place++) {
        this.#add(pairKey(symbols[place] as number, symbols[place + 1] as number), index);
      }
    }
    for (const [key, count] of this.#counts) this.#queue.push({ key, count });
  }

  takeMostFrequent(): Candidate | undefined {
    for (let best = this.#queue.pop(); best !== undefined; best = this.#queue.pop()) {
      const count = this.#counts.get(best.key) ?? 0;
      if (count === best.count) return best;
      if (count > 0) this.#queue.push({ key: best.key, count });
    }
    return undefined;
  }

  /** Makes the pair `key` the symbol `id` in all words. */
  merge(key: number, id: number): void {
    const grown = new Set<number>();
    const places = this.#places.get(key) ?? [];
    this.#places.delete(key);
    for (const index of places) this.#mergeWord(index, { key, id, grown });
    this.#counts.set(key, 0);
    for (const pair of grown) {
      const count = this.#counts.get(pair) as number;
      if (count > 0) this.#queue.push({ key: pair, count });
    }
  }

  #mergeWord(
    index: number,
    { key, id, grown }: { readonly key: number; readonly id: number; readonly grown: Set<number> },
  ): void {
    const symbols = this.#words[index] as number[];
    const [left, right] = pairOf(key);
    const merged: number[] = [];
    const replace = (before: number, after: number): void => {
      this.#remove(before, index);
      this.#add(after, index);
      grown.add(after);
    };
    for (let place = 0; place < symbols.length; place++) {
      if (symbols[place] !== left || symbols[place + 1] !== right) {
        merged.push(symbols[place] as number);
        continue;
      }
      const previous = merged.at(-1);
      if (previous !== undefined) replace(pairKey(previous, left), pairKey(previous, id));
      merged.push(id);
      place++;
      const following = symbols[place + 1];
      if (following !== undefined) replace(pairKey(right, following), pairKey(id, following));
    }
    this.#words[index] = merged;
  }

  #add(key: number, index: number): void {
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + (this.#frequencies[index] as number));
    const places = this.#places.get(key);
    if (places === undefined) this.#places.set(key, new Set([index]));
    else places.add(index);
  }

  #remove(key: number, index: number): void {
    this.#counts.set(key, (this.#counts.get(key) ?? 0) - (this.#frequencies[index] as number));
  }
}

import { PriorityQueue } from './priority-queue.js';

/** What a pair of neighbours becomes, and how early it was learnt: lower ranks are merged first. */
export interface Merge {
  readonly rank: number;
  readonly id: number;
}

/** The merges of a tokenizer by {@link pairKey}. */
export type Merges = ReadonlyMap<number, Merge>;

const idLimit = 2 ** 26;

/** One number for a pair of ids, ordered as the pairs are. */
export function pairKey(left: number, right: number): number {
  return left * idLimit + right;
}

/** The pair that {@link pairKey} made a number of. */
export function pairOf(key: number): readonly [left: number, right: number] {
  return [Math.floor(key / idLimit), key % idLimit];
}

interface Candidate extends Merge {
  readonly place: number;
  readonly key: number;
}

/**
 * Merges neighbours until no pair is left that can be: the earliest learnt first, of equals the leftmost.
 *
 * O(n log n) in the length of the word, so that a text without any space does no harm.
 */
export function mergePairs(word: readonly number[], merges: Merges): number[] {
  const ids = [...word];
  const next = ids.map((_, place) => place + 1);
  const previous = ids.map((_, place) => place - 1);
  const queue = new PriorityQueue<Candidate>((a, b) => a.rank < b.rank || (a.rank === b.rank && a.place < b.place));
  const offer = (place: number): void => {
    const right = next[place] as number;
    if (place < 0 || right >= ids.length) return;
    const key = pairKey(ids[place] as number, ids[right] as number);
    const merge = merges.get(key);
    if (merge !== undefined) queue.push({ ...merge, place, key });
  };
  for (let place = 0; place < ids.length; place++) offer(place);
  for (let found = queue.pop(); found !== undefined; found = queue.pop()) {
    const { place, key, id } = found;
    const right = next[place] as number;
    // Either side may have been merged away since this pair was offered.
    if (ids[place] === gone || right >= ids.length || pairKey(ids[place] as number, ids[right] as number) !== key) {
      continue;
    }
    ids[place] = id;
    ids[right] = gone;
    next[place] = next[right] as number;
    if ((next[place] as number) < ids.length) previous[next[place] as number] = place;
    offer(place);
    offer(previous[place] as number);
  }
  return ids.filter((id) => id !== gone);
}

const gone = -1;

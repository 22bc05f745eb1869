/** Anything that is a row of elements: a text counts its characters (code points). */
export type Elements = string | ArrayLike<unknown>;

/**
 * How many elements must be put in, taken out or replaced to make one sequence the other.
 *
 * @see Levenshtein, "Binary codes capable of correcting deletions, insertions, and reversals", 1966.
 * @example
 * editDistance('kitten', 'sitting'); // 3
 */
export function editDistance(first: Elements, second: Elements): number {
  const [a, b] = [elementsOf(first), elementsOf(second)];
  // One row of the table: distances of the first i elements of `a` to each beginning of `b`.
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 0; i < a.length; i++) {
    const next = [i + 1];
    for (let j = 0; j < b.length; j++) {
      const replaced = (row[j] as number) + (a[i] === b[j] ? 0 : 1);
      next.push(Math.min(replaced, (row[j + 1] as number) + 1, (next[j] as number) + 1));
    }
    row = next;
  }
  return row[b.length] as number;
}

function elementsOf(elements: Elements): ArrayLike<unknown> {
  return typeof elements === 'string' ? [...elements] : elements;
}

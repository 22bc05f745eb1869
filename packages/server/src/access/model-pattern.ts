/**
 * A matcher for lists of model patterns: names in which `*` stands for any characters; one with `!` in front takes away again, wherever
 * it stands. `['*', '!payroll-*']` is every model but those of payroll.
 */
export interface ModelPatterns {
  matches(model: string): boolean;
  /** Whether it covers whatever there is: `*`, and nothing is taken away. */
  readonly isEverything: boolean;
}

/** Compiles patterns; see {@link ModelPatterns}. */
export function compilePatterns(patterns: readonly string[]): ModelPatterns {
  const wanted = patterns.filter((pattern) => !pattern.startsWith('!')).map(compile);
  const unwanted = patterns.filter((pattern) => pattern.startsWith('!')).map((pattern) => compile(pattern.slice(1)));
  return {
    matches: (model) => wanted.some((test) => test(model)) && !unwanted.some((test) => test(model)),
    isEverything: patterns.includes('*') && unwanted.length === 0,
  };
}

/** Compares piece by piece: a pattern can never make a match slow, as a regular expression could. */
function compile(pattern: string): (name: string) => boolean {
  const [head = '', ...pieces] = pattern.split('*');
  const tail = pieces.pop();
  if (tail === undefined) return (name) => name === pattern;
  return (name) => {
    if (!name.startsWith(head)) return false;
    let at = head.length;
    for (const piece of pieces) {
      const found = name.indexOf(piece, at);
      if (found < 0) return false;
      at = found + piece.length;
    }
    return name.length - tail.length >= at && name.endsWith(tail);
  };
}

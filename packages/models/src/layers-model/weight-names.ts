/** What the name of a weight is made of, however it separates and capitalizes words. */
export class WeightName {
  /** `block/conv_1/moving_mean:0` → `block`, `conv1`, `movingmean` */
  readonly words: readonly string[];
  /** `block/conv1/movingmean` */
  readonly path: string;
  /** `blockconv1movingmean` */
  readonly letters: string;

  constructor(tokens: readonly string[]) {
    this.words = tokens.map((token) => token.toLowerCase().replace(/[^a-z0-9]/g, ''));
    this.path = this.words.join('/');
    this.letters = this.words.join('');
  }

  /** Words of the layer and what is around it. */
  get layers(): readonly string[] {
    return this.words.slice(0, -1);
  }

  endsWith({ path }: { readonly path: string }): boolean {
    return `/${this.path}`.endsWith(`/${path}`);
  }

  /** Without the word before the last: `lstm/lstm_cell/kernel` → `lstm/kernel`; undefined when nothing would be left of the layer. */
  withoutInner(): WeightName | undefined {
    return this.words.length < 3 ? undefined : new WeightName([...this.words.slice(0, -2), ...this.words.slice(-1)]);
  }
}

/** Tokens of a name: `block/conv_1/kernel:0` → `block`, `conv_1`, `kernel` */
export function tokensOf(name: string): readonly string[] {
  return name.replace(/:\d+$/, '').split(/[/.]/);
}

/**
 * Numbers of layers, counted from the first: some begin with `conv2d`, others with `conv2d_1`, and a second model of a program
 * goes on where the first has ended.
 */
export function renumbered(names: readonly (readonly string[])[]): readonly (readonly string[])[] {
  const least = new Map<string, number>();
  for (const token of names.flat()) {
    const { base, number } = numberOf(token);
    least.set(base, Math.min(number, least.get(base) ?? number));
  }
  return names.map((tokens) =>
    tokens.map((token) => {
      const { base, number } = numberOf(token);
      const counted = number - (least.get(base) as number);
      return counted === 0 ? base : `${base}_${counted}`;
    }),
  );
}

function numberOf(token: string): { readonly base: string; readonly number: number } {
  const [, base, digits] = /^(.*[A-Za-z0-9])_(\d+)$/.exec(token) ?? [];
  return base === undefined ? { base: token, number: 0 } : { base, number: Number(digits) };
}

import { ModelwrightError } from '@modelwright/core';

/** The tokens of a vocabulary that mean something other than themselves. */
export interface SpecialTokens {
  /** Fills up short rows; stands first in the vocabulary, so that its id is 0, which `embedding({ maskZero })` skips. */
  readonly padToken?: string;
  /** Stands for whatever the vocabulary lacks. Without one, such text is left out when encoding. */
  readonly unknownToken?: string;
  /** Further tokens with a meaning of their own (start, end, separator), in the order of their ids. */
  readonly specialTokens?: readonly string[];
}

/** Tokens and their ids: the id of a token is its place in the list. */
export class Vocabulary {
  readonly tokens: readonly string[];
  readonly padId: number | undefined;
  readonly unknownId: number | undefined;
  /** Ids that `decode` leaves out. */
  readonly specialIds: ReadonlySet<number>;
  readonly #special: SpecialTokens;
  readonly #ids: ReadonlyMap<string, number>;

  /**
   * @param tokens - All tokens in the order of their ids, the special ones among them.
   * @throws {@link ModelwrightError} `invalid-argument` for a token listed twice, or a special token that is not listed.
   */
  constructor(tokens: readonly string[], special: SpecialTokens = {}) {
    this.tokens = tokens;
    this.#special = special;
    this.#ids = new Map(tokens.map((token, id) => [token, id]));
    if (this.#ids.size < tokens.length) {
      const twice = tokens.find((token, id) => this.#ids.get(token) !== id);
      throw new ModelwrightError('invalid-argument', `the vocabulary lists ${JSON.stringify(twice)} twice`, {
        given: twice,
      });
    }
    this.specialIds = new Set(specialTokensOf(special).map((token) => this.#idOfSpecial(token)));
    this.padId = special.padToken === undefined ? undefined : this.#ids.get(special.padToken);
    this.unknownId = special.unknownToken === undefined ? undefined : this.#ids.get(special.unknownToken);
  }

  idOf(token: string): number | undefined {
    return this.#ids.get(token);
  }

  /** The tokens that are not special, for those ids that name one; the unknown token stands for itself. */
  textsOf(ids: Iterable<number>): string[] {
    const texts: string[] = [];
    for (const id of ids) {
      const token = this.tokens[id];
      if (token === undefined) throw unknownId(id, this.tokens.length);
      if (id === this.unknownId || !this.specialIds.has(id)) texts.push(token);
    }
    return texts;
  }

  /** The special tokens by the names of their options. */
  get special(): SpecialTokens {
    return this.#special;
  }

  #idOfSpecial(token: string): number {
    const id = this.#ids.get(token);
    if (id !== undefined) return id;
    throw new ModelwrightError(
      'invalid-argument',
      `the special token ${JSON.stringify(token)} is not in the vocabulary`,
      {
        given: token,
      },
    );
  }
}

/** The special tokens in the order in which they stand at the front of a vocabulary. */
export function specialTokensOf({ padToken, unknownToken, specialTokens = [] }: SpecialTokens): readonly string[] {
  const named = [padToken, unknownToken].filter((token) => token !== undefined);
  return [...new Set([...named, ...specialTokens])];
}

/** The error for an id that no token has. */
export function unknownId(id: number, vocabularySize: number): ModelwrightError {
  return new ModelwrightError(
    'value-out-of-range',
    `there is no token ${id}; the vocabulary has the ids 0 to ${vocabularySize - 1}`,
    { given: id, allowed: [0, vocabularySize - 1] },
  );
}

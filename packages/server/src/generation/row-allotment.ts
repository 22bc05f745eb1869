import type { RowDecoder } from './row-decoder.js';
import type { Sequence } from './sequence.js';

/** What a row of the session holds, and for whom. */
interface Row {
  /** The tokens in its buffers. */
  tokens: number[];
  scope: string | undefined;
  sequence: Sequence | undefined;
  /** When it was last given away, by a counter. */
  turn: number;
}

/** Gives rows of a session to sequences; one whose prompt begins as what a free row still holds goes on from there. */
export class RowAllotment {
  readonly #session: RowDecoder;
  readonly #rows: readonly Row[];
  #turn = 0;

  constructor(session: RowDecoder) {
    this.#session = session;
    this.#rows = Array.from({ length: session.batch }, () => ({
      tokens: [],
      scope: undefined,
      sequence: undefined,
      turn: 0,
    }));
  }

  /** Sequences that have a row, those that have it longest first. */
  running(): (readonly [row: number, sequence: Sequence])[] {
    const taken: (readonly [number, Sequence])[] = [];
    for (const [row, { sequence }] of this.#rows.entries()) if (sequence !== undefined) taken.push([row, sequence]);
    return taken.sort(([one], [other]) => (this.#rows[one] as Row).turn - (this.#rows[other] as Row).turn);
  }

  /** Rows that nobody has. */
  get freeCount(): number {
    return this.#rows.filter(({ sequence }) => sequence === undefined).length;
  }

  /** Gives a free row away: of those that hold most of the prompt, the one that was not used for the longest time. */
  give(sequence: Sequence): void {
    let best: { readonly row: number; readonly common: number } | undefined;
    for (const [row, { sequence: taken, turn }] of this.#rows.entries()) {
      if (taken !== undefined) continue;
      const common = this.#commonLength(row, sequence);
      const isBetter =
        best === undefined ||
        common > best.common ||
        (common === best.common && turn < (this.#rows[best.row] as Row).turn);
      if (isBetter) best = { row, common };
    }
    if (best === undefined) return;
    const row = this.#rows[best.row] as Row;
    this.#session.rewind(best.row, best.common);
    row.tokens.length = best.common;
    row.scope = sequence.scope;
    row.sequence = sequence;
    row.turn = ++this.#turn;
    sequence.began(best.common);
  }

  /** Notes that a row holds more. */
  hold(row: number, tokens: readonly number[]): void {
    this.#rows[row]?.tokens.push(...tokens);
  }

  /** Takes a row back; what it holds stays for a prompt that begins alike. */
  free(row: number): void {
    (this.#rows[row] as Row).sequence = undefined;
  }

  /** All rows hold nothing any more: buffers are lost, or may hold anything. Those who have a row keep it. */
  forget(): void {
    for (const [index, row] of this.#rows.entries()) {
      this.#session.rewind(index, 0);
      row.tokens = [];
    }
  }

  /** How much of its prompt a row holds; one token at least is left to be read, since it gives the scores of the next. */
  #commonLength(index: number, { prompt, scope }: Sequence): number {
    const row = this.#rows[index] as Row;
    if (scope === undefined || row.scope !== scope) return 0;
    const most = Math.min(row.tokens.length, this.#session.heldBy(index), prompt.length - 1);
    for (let at = 0; at < most; at++) if (row.tokens[at] !== prompt[at]) return at;
    return Math.max(most, 0);
  }
}

import type { Tokenizer } from '../tokenizers/tokenizer.js';

/** What the decoder writes for bytes that do not make a character yet. */
const incomplete = '\ufffd';
/** How much of a prompt the first new token is decoded with. */
const contextTokens = 8;

/**
 * The text of a row as it grows: a character that takes several tokens comes when it is whole, and what may be the
 * beginning of a text to stop at is held back until it is known.
 */
export class TextStream {
  readonly #tokenizer: Tokenizer;
  readonly #stops: readonly string[];
  readonly #ids: number[];
  // Text is decoded from a little before what is new: some tokenizers write the first token of a text differently.
  #from = 0;
  #read: number;
  #pending = '';

  /** @param before - Tokens that the row begins with, whose text is known. */
  constructor(tokenizer: Tokenizer, stops: readonly string[], before: readonly number[] = []) {
    this.#ids = before.slice(-contextTokens);
    this.#read = this.#ids.length;
    this.#tokenizer = tokenizer;
    this.#stops = stops.filter((stop) => stop !== '');
  }

  /** Takes a token in. @returns whether the text has reached one of those it stops at, which is then cut off. */
  push(id: number): boolean {
    this.#ids.push(id);
    const text = this.#newText();
    if (text.endsWith(incomplete)) return false;
    this.#accept(text);
    const found = this.#stops.map((stop) => this.#pending.indexOf(stop)).filter((at) => at >= 0);
    if (found.length === 0) return false;
    this.#pending = this.#pending.slice(0, Math.min(...found));
    return true;
  }

  /** What can be told by now. */
  take(): string {
    const held = Math.max(0, ...this.#stops.map((stop) => overlap(this.#pending, stop)));
    const text = this.#pending.slice(0, this.#pending.length - held);
    this.#pending = this.#pending.slice(text.length);
    return text;
  }

  /** The rest, when no token follows. */
  end(isStopped: boolean): string {
    if (!isStopped) this.#accept(this.#newText());
    const text = this.#pending;
    this.#pending = '';
    return text;
  }

  #newText(): string {
    const known = this.#tokenizer.decode(this.#ids.slice(this.#from, this.#read));
    return this.#tokenizer.decode(this.#ids.slice(this.#from)).slice(known.length);
  }

  #accept(text: string): void {
    this.#pending += text;
    this.#from = this.#read;
    this.#read = this.#ids.length;
  }
}

/** How many characters at the end of `text` begin `stop`. */
function overlap(text: string, stop: string): number {
  for (let length = Math.min(stop.length - 1, text.length); length > 0; length--)
    if (text.endsWith(stop.slice(0, length))) return length;
  return 0;
}

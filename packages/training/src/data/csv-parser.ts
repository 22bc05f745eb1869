import { ModelwrightError } from '@modelwright/core';

/** Text in pieces, as streams give it: strings, or UTF-8 bytes. */
export type TextPieces = Iterable<string | Uint8Array> | AsyncIterable<string | Uint8Array>;

/** One record and the line it starts on, counted from 1. */
export interface CsvRecord {
  readonly fields: readonly string[];
  readonly line: number;
}

const longestField = 16 * 1024 * 1024;

/**
 * Splits delimited text into records as RFC 4180 has it: fields may be quoted, quotes inside are doubled, quoted fields may
 * hold delimiters and line breaks. Empty lines are passed over. Nothing but the current record is held.
 *
 * @param delimiter - One character.
 * @throws {@link ModelwrightError} `invalid-data` naming the line, for a quote left open or text after a closing quote.
 */
export async function* parseCsv(pieces: TextPieces, delimiter = ','): AsyncGenerator<CsvRecord> {
  const splitter = new CsvSplitter(delimiter);
  const decoder = new TextDecoder();
  for await (const piece of pieces) {
    yield* splitter.push(typeof piece === 'string' ? piece : decoder.decode(piece, { stream: true }));
  }
  yield* splitter.push(decoder.decode());
  yield* splitter.end();
}

const lineFeed = 10;
const carriageReturn = 13;
const quote = 34;

/** `start`: nothing of the field yet; `closed`: behind its closing quote. */
type State = 'start' | 'plain' | 'quoted' | 'closed';

class CsvSplitter {
  readonly #delimiter: number;
  #state: State = 'start';
  #field = '';
  #fields: string[] = [];
  #line = 1;
  #recordLine = 1;
  #previous = 0;

  constructor(delimiter: string) {
    if (delimiter.length !== 1) {
      throw new ModelwrightError('invalid-argument', `a CSV delimiter is one character, '${delimiter}' was given`, {
        given: delimiter,
      });
    }
    this.#delimiter = delimiter.charCodeAt(0);
  }

  // Looks at character codes and cuts fields out whole: several times faster than going character by character.
  *push(text: string): Generator<CsvRecord> {
    let from = 0;
    for (let at = 0; at < text.length; at++) {
      const code = text.charCodeAt(at);
      const previous = this.#previous;
      this.#previous = code;
      if (this.#state === 'quoted') {
        if (code === quote) {
          this.#append(text.slice(from, at));
          this.#state = 'closed';
          from = at + 1;
        } else if (isBreak(code, previous)) this.#line++;
      } else if (code === this.#delimiter) {
        this.#endField(text.slice(from, at));
        from = at + 1;
      } else if (code === lineFeed || code === carriageReturn) {
        if (isBreak(code, previous)) yield* this.#endRecord(text.slice(from, at));
        from = at + 1;
      } else if (code === quote && this.#state !== 'plain') {
        if (this.#state === 'closed') this.#append('"');
        this.#state = 'quoted';
        from = at + 1;
      } else if (this.#state === 'closed') throw this.#fail(`'${text[at]}' follows a closing quote`);
      else this.#state = 'plain';
    }
    this.#append(text.slice(from));
  }

  *end(): Generator<CsvRecord> {
    if (this.#state === 'quoted') throw this.#fail('a quoted field is not closed');
    yield* this.#endRecord('');
  }

  #append(text: string): void {
    this.#field += text;
    if (this.#field.length > longestField) throw this.#fail(`a field is longer than ${longestField} characters`);
  }

  #endField(rest: string): void {
    this.#fields.push(this.#field === '' ? rest : this.#field + rest);
    this.#field = '';
    this.#state = 'start';
  }

  *#endRecord(rest: string): Generator<CsvRecord> {
    const blank = this.#fields.length === 0 && this.#state === 'start';
    if (!blank) {
      this.#endField(rest);
      yield { fields: this.#fields, line: this.#recordLine };
      this.#fields = [];
    }
    this.#line++;
    this.#recordLine = this.#line;
  }

  #fail(what: string): ModelwrightError {
    return new ModelwrightError('invalid-data', `CSV line ${this.#recordLine}: ${what}`, { given: this.#recordLine });
  }
}

// "\r\n" is one break, also when a piece ends between the two.
function isBreak(code: number, previous: number): boolean {
  return code === carriageReturn || (code === lineFeed && previous !== carriageReturn);
}

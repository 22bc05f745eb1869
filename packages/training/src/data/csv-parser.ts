import { ModelwrightError } from '@modelwright/core';

/** Text in pieces, as streams give it: strings, or UTF-8 bytes. */
export type TextPieces = Iterable<string | Uint8Array> | AsyncIterable<string | Uint8Array>;

/** One record and the line it starts on, counted from 1. */
export interface CsvRecord {
  readonly fields: readonly string[];
  readonly line: number;
}

const longestRecord = 16 * 1024 * 1024;

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

type State = 'start' | 'plain' | 'quoted' | 'closed';

class CsvSplitter {
  readonly #delimiter: string;
  #state: State = 'start';
  #field = '';
  #fields: string[] = [];
  #line = 1;
  #recordLine = 1;
  #lastWasReturn = false;

  constructor(delimiter: string) {
    if (delimiter.length !== 1) {
      throw new ModelwrightError('invalid-argument', `a CSV delimiter is one character, '${delimiter}' was given`, {
        given: delimiter,
      });
    }
    this.#delimiter = delimiter;
  }

  *push(text: string): Generator<CsvRecord> {
    for (const character of text) {
      const isBreak = character === '\n' || character === '\r';
      // "\r\n" is one break, also when a piece ends between the two.
      const secondHalf = character === '\n' && this.#lastWasReturn;
      this.#lastWasReturn = character === '\r';
      if (this.#state === 'quoted') this.#inQuotes(character, isBreak && !secondHalf);
      else if (isBreak) {
        if (!secondHalf) yield* this.#endRecord();
      } else this.#outsideQuotes(character);
    }
  }

  *end(): Generator<CsvRecord> {
    if (this.#state === 'quoted') throw this.#fail('a quoted field is not closed');
    yield* this.#endRecord();
  }

  #inQuotes(character: string, countsAsLine: boolean): void {
    if (countsAsLine) this.#line++;
    if (character === '"') this.#state = 'closed';
    else this.#append(character);
  }

  #outsideQuotes(character: string): void {
    if (character === this.#delimiter) this.#endField();
    else if (character === '"' && this.#state === 'start') this.#state = 'quoted';
    else if (character === '"' && this.#state === 'closed') {
      this.#append('"');
      this.#state = 'quoted';
    } else if (this.#state === 'closed') throw this.#fail(`'${character}' follows a closing quote`);
    else {
      this.#append(character);
      this.#state = 'plain';
    }
  }

  #append(character: string): void {
    this.#field += character;
    if (this.#field.length > longestRecord) throw this.#fail(`a field is longer than ${longestRecord} characters`);
  }

  #endField(): void {
    this.#fields.push(this.#field);
    this.#field = '';
    this.#state = 'start';
  }

  *#endRecord(): Generator<CsvRecord> {
    const blank = this.#fields.length === 0 && this.#state === 'start';
    if (!blank) {
      this.#endField();
      yield { fields: this.#fields, line: this.#recordLine };
    }
    this.#fields = [];
    this.#line++;
    this.#recordLine = this.#line;
  }

  #fail(what: string): ModelwrightError {
    return new ModelwrightError('invalid-data', `CSV line ${this.#recordLine}: ${what}`, { given: this.#recordLine });
  }
}

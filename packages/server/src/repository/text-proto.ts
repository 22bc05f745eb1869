import { ModelwrightError } from '@modelwright/core';

/** A message of protobuf's text format: fields by name, each with all its values in order. */
export interface TextMessage {
  readonly [field: string]: readonly TextValue[];
}

/** A number, text or bool as it is written; names of enums are texts. */
export type TextValue = string | number | boolean | TextMessage;

const token = /\s+|#[^\n]*|("(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|[-+]?[\w.]+(?:[-+]\d+)?|[{}[\]<>:,;])/gy;
const deepest = 32;

/**
 * Reads protobuf's text format (`config.pbtxt`) without a schema: `name: value`, `name { … }`, lists in brackets, comments.
 *
 * @param file - What errors call it.
 * @throws {@link ModelwrightError} `invalid-configuration` with the line.
 */
export function parseTextProto(text: string, file: string): TextMessage {
  const reader = new TextProtoReader(text, file);
  const message = reader.message(undefined, 0);
  return message;
}

class TextProtoReader {
  readonly #tokens: { readonly text: string; readonly at: number }[] = [];
  readonly #text: string;
  readonly #file: string;
  #next = 0;

  constructor(text: string, file: string) {
    this.#text = text;
    this.#file = file;
    token.lastIndex = 0;
    for (let at = 0; at < text.length; at = token.lastIndex) {
      const match = token.exec(text);
      if (match === null) throw this.#wrong(at, `'${text[at]}' is not expected`);
      if (match[1] !== undefined) this.#tokens.push({ text: match[1], at });
    }
  }

  /** Fields up to `end`, or to the end of the file. */
  message(end: string | undefined, depth: number): TextMessage {
    if (depth > deepest) throw this.#wrong(this.#at, 'messages are nested too deeply');
    const fields: Record<string, TextValue[]> = Object.create(null);
    for (;;) {
      const name = this.#take();
      if (name === end) return fields;
      if (name === undefined) throw this.#wrong(this.#at, `'${end}' is missing`);
      if (name === ',' || name === ';') continue;
      if (!/^[A-Za-z_]\w*$/.test(name)) throw this.#wrong(this.#at, `'${name}' is no name of a field`);
      fields[name] = [...(fields[name] ?? []), ...this.#values(depth)];
    }
  }

  #values(depth: number): TextValue[] {
    const hasColon = this.#peek() === ':';
    if (hasColon) this.#take();
    if (this.#peek() !== '[') return [this.#value(depth, hasColon)];
    this.#take();
    const values: TextValue[] = [];
    while (this.#peek() !== ']') {
      if (this.#peek() === ',') this.#take();
      else values.push(this.#value(depth, true));
    }
    this.#take();
    return values;
  }

  #value(depth: number, mayBeScalar: boolean): TextValue {
    const text = this.#take();
    if (text === '{') return this.message('}', depth + 1);
    if (text === '<') return this.message('>', depth + 1);
    if (text === undefined || !mayBeScalar || /^[}\]>:,;]$/.test(text))
      throw this.#wrong(this.#at, 'a value is missing');
    if (text.startsWith('"') || text.startsWith("'")) return this.#string(text);
    if (text === 'true' || text === 'false') return text === 'true';
    return /^[-+]?[\d.]/.test(text) ? this.#number(text) : text;
  }

  /** Neighbouring strings are one. */
  #string(first: string): string {
    let text = unquote(first);
    for (let next = this.#peek(); next?.startsWith('"') || next?.startsWith("'"); next = this.#peek()) {
      text += unquote(next);
      this.#take();
    }
    return text;
  }

  #number(text: string): number {
    const value = Number(text.replace(/f$/, ''));
    if (Number.isNaN(value)) throw this.#wrong(this.#at, `'${text}' is no number`);
    return value;
  }

  get #at(): number {
    return this.#tokens[Math.max(0, this.#next - 1)]?.at ?? 0;
  }

  #peek(): string | undefined {
    return this.#tokens[this.#next]?.text;
  }

  #take(): string | undefined {
    return this.#tokens[this.#next++]?.text;
  }

  #wrong(at: number, what: string): ModelwrightError {
    const line = this.#text.slice(0, at).split('\n').length;
    return new ModelwrightError('invalid-configuration', `${this.#file}, line ${line}: ${what}`, { file: this.#file });
  }
}

const escapes: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r' };

function unquote(text: string): string {
  return text.slice(1, -1).replace(/\\(.)/g, (_, escaped: string) => escapes[escaped] ?? escaped);
}

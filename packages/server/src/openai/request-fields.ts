import { ModelwrightError } from '@modelwright/core';
import { isMarkedInteger } from '../open-inference/exact-json.js';
import { isJsonObject, type JsonObject } from '../open-inference/request-body.js';

/** Reads fields of a request; `null` counts as left out. Every error names the field, which clients find as `param`. */
export class RequestFields {
  readonly #body: JsonObject;

  constructor(body: JsonObject) {
    this.#body = body;
  }

  /** The field as it came; undefined where it is left out. */
  raw(name: string): unknown {
    return this.#body[name] ?? undefined;
  }

  /** @throws {@link ModelwrightError} `invalid-argument` if it is not there. */
  required(name: string): unknown {
    const given = this.raw(name);
    if (given === undefined) throw invalidField(name, 'is missing');
    return given;
  }

  text(name: string): string | undefined {
    const given = this.raw(name);
    if (given === undefined || typeof given === 'string') return given;
    throw invalidField(name, 'must be a text');
  }

  flag(name: string): boolean | undefined {
    const given = this.raw(name);
    if (given === undefined || typeof given === 'boolean') return given;
    throw invalidField(name, 'must be true or false');
  }

  /** A number within bounds, both included. */
  number(name: string, [low, high]: readonly [number, number]): number | undefined {
    const told = this.raw(name);
    if (told === undefined) return undefined;
    // Integers of 16 digits and more are parsed apart, so that none is rounded unseen.
    const given = isMarkedInteger(told) ? Number(told.slice(1)) : told;
    if (typeof given === 'number' && given >= low && given <= high) return given;
    throw invalidField(name, `must be a number from ${low} to ${high}`);
  }

  /** A whole number within bounds, both included. */
  integer(name: string, bounds: readonly [number, number]): number | undefined {
    const given = this.number(name, bounds);
    if (given === undefined || Number.isInteger(given)) return given;
    throw invalidField(name, 'must be a whole number');
  }

  object(name: string): RequestFields | undefined {
    const given = this.raw(name);
    if (given === undefined) return undefined;
    if (isJsonObject(given)) return new RequestFields(given);
    throw invalidField(name, 'must be an object');
  }

  /** One text, or a list of at most `most`. */
  texts(name: string, most: number): readonly string[] | undefined {
    const given = this.raw(name);
    if (given === undefined) return undefined;
    const list: readonly unknown[] = Array.isArray(given) ? given : [given];
    if (list.length > most) throw invalidField(name, `may hold ${most} texts at most`);
    return list.map((text) => {
      if (typeof text !== 'string') throw invalidField(name, 'must be a text or a list of texts');
      return text;
    });
  }

  /** Refuses fields that ask for what is not there. @param harmless - Tells the values that ask for nothing. */
  refuse(name: string, harmless: (given: unknown) => boolean): void {
    const given = this.raw(name);
    if (given !== undefined && !harmless(given)) throw invalidField(name, 'is not supported here');
  }
}

/** The error for a field that is not as it must be. */
export function invalidField(name: string, problem: string): ModelwrightError {
  return new ModelwrightError('invalid-argument', `'${name}' ${problem}`, { input: name });
}

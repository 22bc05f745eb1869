import { type DescField, type DescMessage, ScalarType } from '@bufbuild/protobuf';
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';
import { ModelwrightError } from '@modelwright/core';
import type { ReadLimits } from '../limits.js';

/**
 * Walks the encoded message without decoding it and refuses what would be unsafe or too costly to decode: fields that
 * end outside their message, wrong wire types, groups, too deep nesting, too many messages or list entries.
 *
 * The pass skips over tensor data, so it costs time in the number of fields, not in the size of the weights.
 *
 * @param schema - Message type of the whole of `bytes`.
 * @throws {@link ModelwrightError} `invalid-model` for a damaged encoding, `limit-exceeded` past a limit.
 */
export function checkWire(schema: DescMessage, bytes: Uint8Array, limits: ReadLimits): void {
  new WireCheck(bytes, limits).message(rulesOf(schema), bytes.byteLength, schema.name);
}

interface FieldRule {
  readonly name: string;
  readonly wireType: WireType;
  readonly child: DescMessage | undefined;
  readonly isList: boolean;
  readonly isText: boolean;
  /** A packed list is allowed in place of single values. */
  readonly packable: boolean;
}

type MessageRules = ReadonlyMap<number, FieldRule>;
const rulesCache = new WeakMap<DescMessage, MessageRules>();

function rulesOf(schema: DescMessage): MessageRules {
  const known = rulesCache.get(schema);
  if (known !== undefined) return known;
  const rules = new Map(schema.fields.map((field) => [field.number, ruleOf(field)] as const));
  rulesCache.set(schema, rules);
  return rules;
}

function ruleOf(field: DescField): FieldRule {
  const scalar = field.fieldKind === 'enum' ? ScalarType.INT32 : field.scalar;
  const wireType = wireTypeOf(scalar);
  return {
    name: field.name,
    wireType,
    child: field.message,
    isList: field.fieldKind === 'list',
    isText: scalar === ScalarType.STRING,
    packable: field.fieldKind === 'list' && wireType !== WireType.LengthDelimited,
  };
}

function wireTypeOf(scalar: ScalarType | undefined): WireType {
  switch (scalar) {
    case undefined:
    case ScalarType.STRING:
    case ScalarType.BYTES:
      return WireType.LengthDelimited;
    case ScalarType.FLOAT:
    case ScalarType.FIXED32:
    case ScalarType.SFIXED32:
      return WireType.Bit32;
    case ScalarType.DOUBLE:
    case ScalarType.FIXED64:
    case ScalarType.SFIXED64:
      return WireType.Bit64;
    default:
      return WireType.Varint;
  }
}

const mostSingleFields = 1000;

class WireCheck {
  readonly #reader: BinaryReader;
  readonly #bytes: Uint8Array;
  readonly #limits: ReadLimits;
  #depth = 0;
  #messages = 0;
  #listValues = 0;

  constructor(bytes: Uint8Array, limits: ReadLimits) {
    this.#reader = new BinaryReader(bytes);
    this.#bytes = bytes;
    this.#limits = limits;
  }

  message(rules: MessageRules, end: number, path: string): void {
    if (++this.#depth > this.#limits.maxDepth) throw this.#tooMuch('levels of nesting', 'maxDepth', path);
    if (++this.#messages > this.#limits.maxMessages) throw this.#tooMuch('messages', 'maxMessages', path);
    let single = 0;
    while (this.#reader.pos < end) {
      if (this.#field(rules, end, path)) continue;
      // A field that is no list may come again, and the last one counts; millions of them only cost time.
      if (++single > mostSingleFields) throw this.#damaged('single fields are repeated', path);
    }
    this.#depth--;
  }

  /** Passes over one field; whether it may be an entry of a list (of one that only a newer ONNX knows, perhaps). */
  #field(rules: MessageRules, end: number, path: string): boolean {
    const [number, wireType] = this.#tag(path);
    const rule = rules.get(number);
    const valueEnd = this.#valueEnd(wireType, end, path);
    if (rule === undefined) {
      this.#reader.pos = valueEnd;
      this.#addListValues(1, path);
      return true;
    }
    const isPacked = rule.packable && wireType === WireType.LengthDelimited;
    if (wireType !== rule.wireType && !isPacked) {
      throw this.#damaged(`field '${rule.name}' has wire type ${wireType} instead of ${rule.wireType}`, path);
    }
    this.#count(rule, isPacked ? this.#packedCount(rule, valueEnd, path) : 1, path);
    if (rule.isText && valueEnd - this.#reader.pos > this.#limits.maxStringBytes) {
      throw this.#tooMuch('bytes of text', 'maxStringBytes', path);
    }
    if (rule.child === undefined) this.#reader.pos = valueEnd;
    else this.message(rulesOf(rule.child), valueEnd, `${path}.${rule.name}`);
    return rule.isList;
  }

  #tag(path: string): [number, WireType] {
    try {
      return this.#reader.tag();
    } catch {
      throw this.#damaged('a field has an illegal tag', path);
    }
  }

  /** Where the value ends; afterwards the reader stands at its first byte (behind the length, if it has one). */
  #valueEnd(wireType: WireType, end: number, path: string): number {
    const valueBytes = this.#valueBytes(wireType, path);
    const valueEnd = this.#reader.pos + valueBytes;
    if (valueEnd > end) throw this.#damaged('a field ends after the message that holds it', path);
    return valueEnd;
  }

  #valueBytes(wireType: WireType, path: string): number {
    if (wireType === WireType.Varint) return this.#varintBytes(this.#reader.pos, path);
    if (wireType === WireType.Bit32) return 4;
    if (wireType === WireType.Bit64) return 8;
    if (wireType !== WireType.LengthDelimited) throw this.#damaged('groups are not part of the format', path);
    const prefixBytes = this.#varintBytes(this.#reader.pos, path);
    if (prefixBytes > 5) throw this.#damaged('a length does not fit in 32 bits', path);
    return this.#reader.uint32();
  }

  #varintBytes(start: number, path: string): number {
    for (let count = 1; count <= 10; count++) {
      const byte = this.#bytes[start + count - 1];
      if (byte === undefined) break;
      if (byte < 0x80) return count;
    }
    throw this.#damaged('a number is not terminated', path);
  }

  #packedCount(rule: FieldRule, end: number, path: string): number {
    const start = this.#reader.pos;
    if (rule.wireType === WireType.Bit32) return (end - start) / 4;
    if (rule.wireType === WireType.Bit64) return (end - start) / 8;
    let count = 0;
    for (let at = start; at < end; count++) {
      at += this.#varintBytes(at, path);
      if (at > end) throw this.#damaged('a list of numbers ends within a number', path);
    }
    return count;
  }

  #count(rule: FieldRule, values: number, path: string): void {
    if (!Number.isInteger(values)) throw this.#damaged(`field '${rule.name}' ends within a number`, path);
    if (rule.isList && rule.child === undefined) this.#addListValues(values, path);
  }

  #addListValues(count: number, path: string): void {
    this.#listValues += count;
    if (this.#listValues > this.#limits.maxListValues) throw this.#tooMuch('list entries', 'maxListValues', path);
  }

  #damaged(what: string, path: string): ModelwrightError {
    const message = `not a valid ONNX file: ${what} (byte ${this.#reader.pos}, in ${path})`;
    return new ModelwrightError('invalid-model', message);
  }

  #tooMuch(what: string, limit: keyof ReadLimits, path: string): ModelwrightError {
    return new ModelwrightError(
      'limit-exceeded',
      `the ONNX file has more than ${this.#limits[limit]} ${what} (in ${path}); the option limits.${limit} raises the bound`,
      { allowed: this.#limits[limit] },
    );
  }
}

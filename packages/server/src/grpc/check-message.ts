import { type DescField, type DescMessage, ScalarType } from '@bufbuild/protobuf';
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';
import { ModelwrightError } from '@modelwright/core';

/** What a message may cost to decode, whatever its size. */
export interface MessageLimits {
  /** Messages within it; one takes a few hundred bytes. */
  readonly maxMessages: number;
  /** Entries of its lists: extents, texts of BYTES tensors. */
  readonly maxValues: number;
}

/** Far more than any real request has. */
export const defaultMessageLimits: MessageLimits = { maxMessages: 4096, maxValues: 2 ** 18 };

/**
 * Walks an encoded message before it is decoded: two bytes on the wire can become an object of hundreds, so a small body could fill the
 * memory. Data of tensors are passed over, so the walk costs time in the number of fields.
 *
 * @throws {@link ModelwrightError} `invalid-argument` for a damaged encoding, `limit-exceeded` past a limit.
 */
export function checkMessage(
  schema: DescMessage,
  bytes: Uint8Array,
  limits: MessageLimits = defaultMessageLimits,
): void {
  const walk: Walk = { bytes, reader: new BinaryReader(bytes), limits, messages: 0, values: 0 };
  try {
    walkMessage(walk, schema, bytes.byteLength);
  } catch (error) {
    if (error instanceof ModelwrightError) throw error;
    throw damaged(schema, 'it ends too early or has an illegal tag', error);
  }
}

interface Walk {
  readonly bytes: Uint8Array;
  readonly reader: BinaryReader;
  readonly limits: MessageLimits;
  messages: number;
  values: number;
}

function walkMessage(walk: Walk, schema: DescMessage, end: number): void {
  if (++walk.messages > walk.limits.maxMessages) throw tooMuch('messages', walk.limits.maxMessages);
  const fields = fieldsOf(schema);
  const { reader } = walk;
  while (reader.pos < end) {
    const [number, wireType] = reader.tag();
    const field = fields.get(number);
    if (wireType === WireType.LengthDelimited) {
      const length = reader.uint32();
      const stop = reader.pos + length;
      if (stop > end) throw damaged(schema, 'a field ends behind it');
      walkValue(walk, field, stop);
      reader.pos = stop;
    } else {
      if (wireType === WireType.StartGroup || wireType === WireType.EndGroup) throw damaged(schema, 'it has a group');
      if (field !== undefined && wireType !== wireTypeOf(field)) throw misread(field);
      skipNumber(walk, wireType);
      countValues(walk, 1);
    }
  }
  if (reader.pos !== end) throw damaged(schema, 'a field ends behind it');
}

function walkValue(walk: Walk, field: DescField | undefined, stop: number): void {
  if (field === undefined) countValues(walk, 1);
  else if (field.fieldKind === 'map') {
    // An entry and its key; its value counts itself.
    walk.messages += 2;
    if (walk.messages > walk.limits.maxMessages) throw tooMuch('messages', walk.limits.maxMessages);
    walkEntry(walk, field, stop);
  } else if (field.message !== undefined) walkMessage(walk, field.message, stop);
  else if (isDelimited(field)) {
    countValues(walk, 1);
    if (field.scalar === ScalarType.STRING) checkText(walk, field.name, stop);
  } else walkNumbers(walk, field, stop);
}

/** A packed list: a number takes one byte at least. */
function walkNumbers(walk: Walk, field: DescField, stop: number): void {
  const { reader } = walk;
  const wireType = wireTypeOf(field);
  countValues(walk, stop - reader.pos);
  if (field.fieldKind !== 'list') throw misread(field);
  while (reader.pos < stop) skipNumber(walk, wireType);
  if (reader.pos !== stop) throw misread(field);
}

/** Unlike the reader's own `skip`, past no integer that is longer than any can be. */
function skipNumber({ reader }: Walk, wireType: WireType): void {
  if (wireType === WireType.Varint) reader.uint64();
  else reader.skip(wireType);
}

/** Key and value of an entry are fields 1 and 2. */
function walkEntry(walk: Walk, field: DescField & { readonly fieldKind: 'map' }, end: number): void {
  const { reader } = walk;
  while (reader.pos < end) {
    const [number, wireType] = reader.tag();
    if (wireType === WireType.LengthDelimited) {
      const stop = reader.uint32() + reader.pos;
      if (stop > end) throw new ModelwrightError('invalid-argument', `an entry of '${field.name}' ends behind it`);
      if (number === 1 && field.mapKey === ScalarType.STRING) checkText(walk, field.name, stop);
      else if (number === 2 && field.message !== undefined) walkMessage(walk, field.message, stop);
      reader.pos = stop;
    } else {
      const isText = number === 1 && field.mapKey === ScalarType.STRING;
      if (isText || (number === 2 && field.message !== undefined)) throw misread(field);
      skipNumber(walk, wireType);
    }
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

function checkText({ bytes, reader }: Walk, name: string, stop: number): void {
  try {
    utf8.decode(bytes.subarray(reader.pos, stop));
  } catch (cause) {
    throw new ModelwrightError('invalid-argument', `the text '${name}' of the message is not valid UTF-8`, { cause });
  }
}

function countValues(walk: Walk, count: number): void {
  walk.values += count;
  if (walk.values > walk.limits.maxValues) throw tooMuch('entries of lists', walk.limits.maxValues);
}

/** How single values of a field stand on the wire. */
function wireTypeOf(field: DescField): WireType {
  if (isDelimited(field)) return WireType.LengthDelimited;
  switch (field.scalar) {
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

/** Whether its values have their length before them; single numbers in the place of packed tensor data would be misread. */
function isDelimited(field: DescField): boolean {
  if (field.message !== undefined || field.fieldKind === 'map') return true;
  return field.scalar === ScalarType.STRING || field.scalar === ScalarType.BYTES;
}

const fieldsBySchema = new WeakMap<DescMessage, ReadonlyMap<number, DescField>>();

function fieldsOf(schema: DescMessage): ReadonlyMap<number, DescField> {
  const known = fieldsBySchema.get(schema);
  if (known !== undefined) return known;
  const fields = new Map(schema.fields.map((field) => [field.number, field] as const));
  fieldsBySchema.set(schema, fields);
  return fields;
}

function damaged(schema: DescMessage, what: string, cause?: unknown): ModelwrightError {
  return new ModelwrightError('invalid-argument', `the message ${schema.name} is damaged: ${what}`, { cause });
}

function misread({ name, parent }: DescField): ModelwrightError {
  return damaged(parent, `'${name}' has the wrong wire type`);
}

function tooMuch(what: string, allowed: number): ModelwrightError {
  return new ModelwrightError('limit-exceeded', `a request may have ${allowed} ${what} at most`, { allowed });
}

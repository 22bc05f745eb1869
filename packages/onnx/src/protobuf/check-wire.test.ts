import { create, toBinary } from '@bufbuild/protobuf';
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { isModelwrightError } from '@modelwright/core';
import { describe, expect, it } from 'vitest';
import { loadFixture } from '../../test/fixtures.js';
import { AttributeProtoSchema, GraphProtoSchema, ModelProtoSchema } from '../generated/onnx.generated.js';
import { defaultReadLimits } from '../limits.js';
import { checkWire } from './check-wire.js';
import { decodeModel } from './decode-model.js';

const check =
  (bytes: Uint8Array, limits = defaultReadLimits) =>
  () =>
    checkWire(ModelProtoSchema, bytes, limits);
const withCode = (code: string) => expect.objectContaining({ code });

/** Wraps `inner` as the only field of a message, as often as asked. */
function nested(depth: number): Uint8Array {
  let bytes: Uint8Array = toBinary(GraphProtoSchema, create(GraphProtoSchema, { name: 'innermost' }));
  for (let level = 0; level < depth; level++) {
    const attribute = new BinaryWriter().tag(6, WireType.LengthDelimited).bytes(bytes).finish();
    const node = new BinaryWriter().tag(5, WireType.LengthDelimited).bytes(attribute).finish();
    bytes = new BinaryWriter().tag(1, WireType.LengthDelimited).bytes(node).finish();
  }
  return new BinaryWriter().tag(7, WireType.LengthDelimited).bytes(bytes).finish();
}

describe('checkWire', () => {
  it('accepts every file a real writer made', () => {
    for (const name of ['if-captures', 'stored-typed', 'functions']) check(loadFixture(name).bytes)();
  });

  it('refuses a file cut off anywhere, or the decoder finds no graph', () => {
    const { bytes } = loadFixture('gemm-7');
    for (let length = 0; length < bytes.length; length++) {
      let refused: unknown;
      try {
        decodeModel(bytes.subarray(0, length), defaultReadLimits);
      } catch (error) {
        refused = error;
      }
      // Whole fields may be missing at the end; then the rest is a valid file.
      if (refused !== undefined) expect(isModelwrightError(refused, 'invalid-model')).toBe(true);
    }
  });

  it('refuses nesting beyond the limit before anything is decoded', () => {
    expect(check(nested(32))).not.toThrow();
    expect(check(nested(33))).toThrow(withCode('limit-exceeded'));
    expect(check(nested(2000))).toThrow(withCode('limit-exceeded'));
  });

  it('refuses a flood of empty messages', () => {
    const nodes = new Uint8Array(200).map((_, index) => (index % 2 === 0 ? 0x0a : 0));
    const bytes = new BinaryWriter().tag(7, WireType.LengthDelimited).bytes(nodes).finish();
    expect(check(bytes, { ...defaultReadLimits, maxMessages: 101 })).toThrow(withCode('limit-exceeded'));
    expect(check(bytes, { ...defaultReadLimits, maxMessages: 102 })).not.toThrow();
  });

  it('refuses single fields that come again and again', () => {
    const names = new Uint8Array(4000).map((_, index) => (index % 2 === 0 ? 0x12 : 0));
    expect(check(names)).toThrow(withCode('invalid-model'));
  });

  it('counts the entries of packed lists', () => {
    const attribute = create(AttributeProtoSchema, { name: 'a', ints: new Array<bigint>(50).fill(1n) });
    const bytes = toBinary(AttributeProtoSchema, attribute);
    expect(() => checkWire(AttributeProtoSchema, bytes, { ...defaultReadLimits, maxListValues: 49 })).toThrow(
      withCode('limit-exceeded'),
    );
  });

  it.each([
    ['a length beyond the end', [0x3a, 0x7f]],
    ['a length that is not terminated', [0x3a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]],
    ['a field that ends after its message', [0x3a, 0x03, 0x0a, 0x05, 0x00]],
    ['a group', [0x3b, 0x3c]],
    ['field number zero', [0x02, 0x00]],
    ['a number where a message belongs', [0x38, 0x01]],
    ['an endless number', new Array(20).fill(0xff)],
  ])('refuses %s', (_, bytes) => {
    expect(check(Uint8Array.from(bytes))).toThrow(withCode('invalid-model'));
  });
});

describe('decodeModel', () => {
  it('refuses an empty file and one that is something else', () => {
    for (const bytes of [new Uint8Array(), new TextEncoder().encode('<!DOCTYPE html><html></html>')]) {
      expect(() => decodeModel(bytes, defaultReadLimits)).toThrow(withCode('invalid-model'));
    }
  });

  it('keeps tensor data as views of the file', () => {
    const { bytes } = loadFixture('gemm-7');
    const weight = decodeModel(bytes, defaultReadLimits).graph?.initializer[0];
    expect(weight?.rawData.length).toBe(48);
    expect(weight?.rawData.buffer).toBe(bytes.buffer);
  });
});

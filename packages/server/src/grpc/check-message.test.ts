import { create, toBinary } from '@bufbuild/protobuf';
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { describe, expect, test } from 'vitest';
import { ModelInferRequestSchema } from '../generated/open-inference.generated.js';
import { checkMessage } from './check-message.js';

const request = toBinary(
  ModelInferRequestSchema,
  create(ModelInferRequestSchema, {
    modelName: 'm',
    parameters: { priority: { parameterChoice: { case: 'int64Param', value: 1n } } },
    inputs: [{ name: 'x', datatype: 'FP32', shape: [1n, 2n], contents: { fp32Contents: [new Uint8Array(8)] } }],
    rawInputContents: [new Uint8Array(100_000)],
  }),
);

const check = (bytes: Uint8Array) => () => checkMessage(ModelInferRequestSchema, bytes);
const withCode = (code: string) => expect.objectContaining({ code });

describe('checkMessage', () => {
  test('lets a request through, whatever the size of its tensors', () => {
    expect(check(request)).not.toThrow();
  });

  test('refuses what is cut off within a field, and lets through no other error', () => {
    for (let length = 1; length < 60; length++) {
      try {
        checkMessage(ModelInferRequestSchema, request.subarray(0, length));
      } catch (error) {
        expect(error).toMatchObject({ code: 'invalid-argument' });
      }
    }
    expect(check(request.subarray(0, -1))).toThrow(withCode('invalid-argument'));
  });

  test.each([
    ['a name', [0x0a, 1, 0xff]],
    ['a name of a tensor', [0x2a, 3, 0x0a, 1, 0xff]],
    ['a name of a parameter', [0x22, 3, 0x0a, 1, 0xff]],
    ['a text of a parameter', [0x22, 5, 0x12, 3, 0x1a, 1, 0xff]],
  ])('refuses %s that is no UTF-8', (_, bytes) => {
    expect(check(Uint8Array.from(bytes))).toThrow(withCode('invalid-argument'));
  });

  test.each([
    ['ends within a number', [0x2a, 4, 0x1a, 2, 1, 0x80]],
    ['is longer than a number can be', [0x2a, 14, 0x1a, 12, ...Array(11).fill(0x80), 1]],
    ['is of another wire type', [0x2a, 5, 0x1d, 0, 0, 0, 0]],
  ])('refuses a shape that %s', (_, bytes) => {
    expect(check(Uint8Array.from(bytes))).toThrow(withCode('invalid-argument'));
  });

  test.each([
    ['empty inputs', [0x2a, 0]],
    ['empty parameters', [0x22, 0]],
  ])('refuses a flood of %s, two bytes each', (_, field) => {
    const flood = new Uint8Array(20_000).map((_, index) => field[index % 2] as number);
    expect(check(flood)).toThrow(withCode('limit-exceeded'));
  });

  test('refuses floods of extents, of raw tensors and of fields nobody knows', () => {
    const extents = new BinaryWriter().tag(3, WireType.LengthDelimited).bytes(new Uint8Array(300_000)).finish();
    expect(check(new BinaryWriter().tag(5, WireType.LengthDelimited).bytes(extents).finish())).toThrow(
      withCode('limit-exceeded'),
    );
    for (const field of [
      [0x3a, 0],
      [0x78, 1],
    ]) {
      expect(check(new Uint8Array(600_000).map((_, index) => field[index % 2] as number))).toThrow(
        withCode('limit-exceeded'),
      );
    }
  });

  test.each([
    ['a group', [0x2b, 0x2c]],
    ['a number in the place of a text', [0x08, 1]],
    ['field number zero', [0x02, 0]],
  ])('refuses %s', (_, bytes) => {
    expect(check(Uint8Array.from(bytes))).toThrow(withCode('invalid-argument'));
  });
});

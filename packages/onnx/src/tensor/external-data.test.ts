import { create } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { TensorProtoSchema } from '../generated/onnx.generated.js';
import { externalDataFrom, externalReferenceOf } from './external-data.js';

const reference = (entries: Record<string, string>) => {
  const externalData = Object.entries(entries).map(([key, value]) => ({ key, value }));
  return externalReferenceOf(create(TensorProtoSchema, { externalData }), 8, "tensor 't'");
};
const invalid = expect.objectContaining({ code: 'invalid-model' });

describe('externalReferenceOf', () => {
  it('reads location, offset and length', () => {
    expect(reference({ location: './data/w.bin', offset: '16', length: '8' })).toMatchObject({
      location: 'data/w.bin',
      offsetBytes: 16,
      lengthBytes: 8,
    });
  });

  it.each([
    '',
    '.',
    '/etc/passwd',
    '../secret',
    'a/../../secret',
    'a\\..\\..\\secret',
    '\\\\server\\share',
    'C:\\data',
    'c:data',
    'a//b',
    'nul\0byte',
    'x'.repeat(5000),
  ])('refuses the location %j', (location) => {
    expect(() => reference({ location })).toThrow(invalid);
  });

  it.each(['-1', '1e3', '0x10', ' 1', '', '99999999999999999999'])('refuses the offset %j', (offset) => {
    expect(() => reference({ location: 'w.bin', offset })).toThrow(invalid);
  });

  it('refuses a length that the shape does not have', () => {
    expect(() => reference({ location: 'w.bin', length: '9' })).toThrow(invalid);
  });
});

describe('externalDataFrom', () => {
  const source = externalDataFrom({ 'w.bin': new Uint8Array(16) });

  it('gives the bytes asked for, as a view', () => {
    expect(source(reference({ location: 'w.bin', offset: '8' })).byteOffset).toBe(8);
  });

  it('refuses a stretch outside of the file', () => {
    expect(() => source(reference({ location: 'w.bin', offset: '9' }))).toThrow(invalid);
  });

  it('says which file was not given', () => {
    expect(() => source(reference({ location: 'toString' }))).toThrow(
      expect.objectContaining({ code: 'file-unreadable', message: expect.stringContaining("'toString'") }),
    );
  });
});

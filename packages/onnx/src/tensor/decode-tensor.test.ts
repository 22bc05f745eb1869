import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { type DType, dtypes, elementCountOf, fromNumbers, Tensor, tensor, toNumbers } from '@modelwright/core';
import { describe, expect, it } from 'vitest';
import { loadFixture } from '../../test/fixtures.js';
import { TensorProto_DataType, TensorProtoSchema } from '../generated/onnx.generated.js';
import { readOnnx } from '../index.js';
import { defaultReadLimits } from '../limits.js';
import { tensorProto } from '../write/encode-tensor.js';
import { decodeTensor } from './decode-tensor.js';
import { externalDataFrom } from './external-data.js';

const context = { limits: defaultReadLimits, externalData: externalDataFrom({}) };
const decode = (init: MessageInitShape<typeof TensorProtoSchema>) =>
  decodeTensor(create(TensorProtoSchema, init as object), "tensor 't'", context);
const withCode = (code: string) => expect.objectContaining({ code });

const sample: { readonly [D in DType]?: Tensor } = {
  string: tensor(['', 'ä', 'three'], { dtype: 'string', shape: [3] }),
  int64: new Tensor('int64', [3], BigInt64Array.of(-(2n ** 63n), 2n ** 63n - 1n, 0n)),
  uint64: new Tensor('uint64', [3], BigUint64Array.of(2n ** 64n - 1n, 0n, 1n)),
};
const sampleOf = (dtype: DType): Tensor => sample[dtype] ?? fromNumbers(dtype, [3], [1, 0, 3]);

describe('decodeTensor', () => {
  it.each(dtypes)('gives back what was written as %s', (dtype) => {
    const given = sampleOf(dtype);
    expect(decodeTensor(tensorProto(given, 't'), 't', context)).toEqual(given);
  });

  it.each(dtypes)('reads an empty %s tensor and a scalar', (dtype) => {
    for (const shape of [[0, 4], []]) {
      const data = sampleOf(dtype).data.slice(0, elementCountOf(shape));
      const given = new Tensor(dtype, shape, data as Tensor['data']);
      expect(decodeTensor(tensorProto(given), 't', context)).toEqual(given);
    }
  });

  it('reads typed and raw storage alike', () => {
    const [raw, typed] = ['stored-raw', 'stored-typed'].map(
      (name) => readOnnx(loadFixture(name).bytes).graph.constants,
    );
    const values = (constants: ReadonlyMap<unknown, Tensor> | undefined) => [...(constants?.values() ?? [])];
    expect(values(typed)).toEqual(values(raw));
  });

  it('reads a Buffer, at any alignment', () => {
    const { rawData } = tensorProto(fromNumbers('float32', [2], [1.5, -2]));
    const buffer = Buffer.concat([Buffer.from([0]), rawData]).subarray(1);
    expect([...decode({ dataType: TensorProto_DataType.FLOAT, dims: [2n], rawData: buffer }).data]).toEqual([1.5, -2]);
  });

  it('packs 4-bit elements two a byte, the first in the lower half', () => {
    const proto = tensorProto(fromNumbers('int4', [3], [-8, 7, -1]));
    expect([...proto.rawData]).toEqual([0x78, 0x0f]);
    const typed = decode({
      dataType: TensorProto_DataType.INT4,
      dims: [3n],
      int32Data: [Uint8Array.of(0xf8, 0x00, 0x0f)],
    });
    expect([...toNumbers(typed)]).toEqual([-8, 7, -1]);
  });

  it('copies data that are not aligned to the element', () => {
    const bytes = new Uint8Array(9);
    new DataView(bytes.buffer).setFloat32(1, 2.5, true);
    const read = decode({ dataType: TensorProto_DataType.FLOAT, dims: [2n], rawData: bytes.subarray(1) });
    expect([...toNumbers(read)]).toEqual([2.5, 0]);
  });

  it.each([
    ['too few bytes', { dims: [2n], rawData: new Uint8Array(4) }],
    ['too many bytes', { dims: [2n], rawData: new Uint8Array(16) }],
    ['no data at all', { dims: [2n] }],
    ['a negative extent', { dims: [-1n], rawData: new Uint8Array(4) }],
    ['extents whose product overflows', { dims: [2n ** 40n, 2n ** 40n] }],
    ['a huge extent beside a zero', { dims: [0n, 2n ** 62n] }],
    ['segments', { dims: [1n], rawData: new Uint8Array(4), segment: {} }],
  ])('refuses %s', (_, init) => {
    expect(() => decode({ dataType: TensorProto_DataType.FLOAT, ...init })).toThrow(withCode('invalid-model'));
  });

  it('refuses element types without dtype by name', () => {
    expect(() => decode({ dataType: TensorProto_DataType.FLOAT8E4M3FN, dims: [0n] })).toThrow(/FLOAT8E4M3FN/);
    expect(() => decode({ dataType: 99, dims: [0n] })).toThrow(withCode('invalid-model'));
  });

  it('refuses more axes than the limit', () => {
    const dims = new Array<bigint>(65).fill(1n);
    expect(() => decode({ dataType: TensorProto_DataType.FLOAT, dims })).toThrow(withCode('limit-exceeded'));
  });
});

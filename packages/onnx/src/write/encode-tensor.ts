import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { dtypeFacts, onnxDataType, type Tensor } from '@modelwright/core';
import { type TensorProto, TensorProto_DataLocation, TensorProtoSchema } from '../generated/onnx.generated.js';
import { packNibbles } from '../tensor/nibbles.js';

type TensorInit = Exclude<MessageInitShape<typeof TensorProtoSchema>, TensorProto>;
const rawDataField = 9;

/** A tensor as a message of its own, for attributes and the constants of subgraphs. */
export function tensorProto(tensor: Tensor, name = ''): TensorProto {
  const header = tensorHeader(tensor, name);
  if (tensor.dtype === 'string') return create(TensorProtoSchema, header);
  return create(TensorProtoSchema, { ...header, rawData: rawBytesOf(tensor) });
}

/** A tensor encoded in pieces, so that large data are never copied: header first, then the data themselves. */
export function encodeTensor(tensor: Tensor, name: string): readonly Uint8Array[] {
  const header = toBinary(TensorProtoSchema, create(TensorProtoSchema, tensorHeader(tensor, name)));
  if (tensor.dtype === 'string') return [header];
  const raw = rawBytesOf(tensor);
  const prefix = new BinaryWriter().tag(rawDataField, WireType.LengthDelimited).uint32(raw.length).finish();
  return [header, prefix, raw];
}

/** A tensor whose data lie in another file. */
export function encodeExternalTensor(
  tensor: Tensor,
  name: string,
  place: { readonly location: string; readonly offsetBytes: number; readonly lengthBytes: number },
): readonly Uint8Array[] {
  const entries = { location: place.location, offset: String(place.offsetBytes), length: String(place.lengthBytes) };
  const proto = create(TensorProtoSchema, {
    ...tensorHeader(tensor, name),
    dataLocation: TensorProto_DataLocation.EXTERNAL,
    externalData: Object.entries(entries).map(([key, value]) => ({ key, value })),
  });
  return [toBinary(TensorProtoSchema, proto)];
}

/** Name, element type, shape, and for strings the data, which have no raw form. */
function tensorHeader(tensor: Tensor, name: string): TensorInit {
  const encoder = new TextEncoder();
  return {
    ...(name === '' ? {} : { name }),
    dataType: onnxDataType(tensor.dtype),
    dims: tensor.shape.map(BigInt),
    ...(tensor.dtype === 'string' ? { stringData: (tensor.data as string[]).map((text) => encoder.encode(text)) } : {}),
  };
}

/** The little-endian bytes of a tensor's elements as files hold them; a view where memory holds them so already. */
export function rawBytesOf(tensor: Tensor): Uint8Array {
  const data = tensor.data as Exclude<Tensor['data'], string[]>;
  if (dtypeFacts[tensor.dtype].bits === 4) return packNibbles(data as Int8Array);
  return new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength);
}

/** Bytes that {@link rawBytesOf} gives, 0 for strings. */
export function rawByteCount(tensor: Tensor): number {
  return Math.ceil((tensor.elementCount * dtypeFacts[tensor.dtype].bits) / 8);
}

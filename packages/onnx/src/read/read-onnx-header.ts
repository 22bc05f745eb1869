import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';
import { ModelwrightError } from '@modelwright/core';

/** What an ONNX file says of itself, apart from its graph. */
export interface OnnxHeader {
  readonly irVersion: number;
  /** Versions by domain; ONNX's own domain is `''`. */
  readonly opsets: { readonly [domain: string]: number };
  readonly producerName: string;
  readonly producerVersion: string;
  readonly description: string;
  readonly metadata: { readonly [key: string]: string };
  /** Functions that the file brings along. */
  readonly functionCount: number;
}

type Fields = { -readonly [K in keyof OnnxHeader]: OnnxHeader[K] } & {
  opsets: Record<string, number>;
  metadata: Record<string, string>;
};

/**
 * Reads what stands around the graph of an ONNX file, without reading the graph.
 *
 * @param file - What errors call the file.
 * @throws {@link ModelwrightError} `invalid-model` if the bytes are no ONNX file.
 */
export function readOnnxHeader(bytes: Uint8Array, file = 'the ONNX model'): OnnxHeader {
  const header: Fields = {
    irVersion: 0,
    opsets: {},
    producerName: '',
    producerVersion: '',
    description: '',
    metadata: {},
    functionCount: 0,
  };
  try {
    eachField(bytes, (field, reader) => readField(header, field, reader));
  } catch (cause) {
    throw new ModelwrightError('invalid-model', `'${file}' is not an ONNX file`, { file, cause });
  }
  return header;
}

/** Takes one field of `ModelProto`; returns false for one to be skipped. */
function readField(header: Fields, field: number, reader: BinaryReader): boolean {
  if (field === 1) header.irVersion = Number(reader.int64());
  else if (field === 2) header.producerName = reader.string();
  else if (field === 3) header.producerVersion = reader.string();
  else if (field === 6) header.description = reader.string();
  else if (field === 8) {
    const { text, number } = readEntry(reader.bytes());
    header.opsets[text[1] === 'ai.onnx' ? '' : (text[1] ?? '')] = number[2] ?? 0;
  } else if (field === 14) {
    const { text } = readEntry(reader.bytes());
    if (text[1] !== undefined) header.metadata[text[1]] = text[2] ?? '';
  } else if (field === 25) {
    reader.bytes();
    header.functionCount++;
  } else return false;
  return true;
}

/** A small message of texts and numbers, by field. */
function readEntry(bytes: Uint8Array): {
  readonly text: Record<number, string>;
  readonly number: Record<number, number>;
} {
  const text: Record<number, string> = {};
  const number: Record<number, number> = {};
  eachField(bytes, (field, reader, type) => {
    if (type === WireType.LengthDelimited) text[field] = reader.string();
    else if (type === WireType.Varint) number[field] = Number(reader.int64());
    else return false;
    return true;
  });
  return { text, number };
}

function eachField(bytes: Uint8Array, take: (field: number, reader: BinaryReader, type: WireType) => boolean): void {
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    if (!take(field, reader, type)) reader.skip(type, field);
  }
}

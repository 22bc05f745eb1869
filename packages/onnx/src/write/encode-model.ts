import { create, toBinary } from '@bufbuild/protobuf';
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { ModelwrightError, type Tensor } from '@modelwright/core';
import { GraphProtoSchema, type ModelProto, ModelProtoSchema } from '../generated/onnx.generated.js';
import type { EncodedGraph } from './encode-graph.js';
import { encodeExternalTensor, encodeTensor, rawByteCount, rawBytesOf } from './encode-tensor.js';
import type { ExternalDataOptions } from './write-options.js';

/** The contents of a file in pieces; joined only if someone wants them in one array. */
export interface FileParts {
  readonly parts: readonly Uint8Array[];
  readonly sizeBytes: number;
}

/** A model file and, if asked for, the file of its large tensors. */
export interface EncodedModel {
  readonly model: FileParts;
  readonly externalData?: FileParts & { readonly location: string };
}

const graphField = 7;
const initializerField = 5;
/** Protobuf's own bound on a message. */
const largestMessageBytes = 2 ** 31 - 1;
/** Data start at multiples of this, so that they can be mapped into memory. */
const largeAlignmentBytes = 4096;
const smallAlignmentBytes = 64;

/**
 * Puts the file together around the tensors' own memory: `header` and the graph are encoded without weights, which then
 * stand behind as further fields of the same message.
 *
 * @throws {@link ModelwrightError} `limit-exceeded` if the model file would pass 2 GB.
 */
export function encodeModel(header: ModelProto, graph: EncodedGraph, external?: ExternalDataOptions): EncodedModel {
  const data = external === undefined ? undefined : new DataFile(external);
  const tensors = [...graph.constants].flatMap(([name, tensor]) =>
    lengthDelimited(initializerField, data?.place(tensor, name) ?? encodeTensor(tensor, name)),
  );
  const body = [toBinary(GraphProtoSchema, graph.proto), ...tensors];
  const model = [toBinary(ModelProtoSchema, create(ModelProtoSchema, header)), ...lengthDelimited(graphField, body)];
  return {
    model: { parts: model, sizeBytes: totalBytes(model) },
    ...(data === undefined || data.isEmpty ? {} : { externalData: data.finish() }),
  };
}

function lengthDelimited(field: number, parts: readonly Uint8Array[]): readonly Uint8Array[] {
  const sizeBytes = totalBytes(parts);
  if (sizeBytes > largestMessageBytes) {
    throw new ModelwrightError('limit-exceeded', `the model has ${sizeBytes} bytes; an ONNX file holds at most 2 GB`, {
      given: sizeBytes,
      allowed: largestMessageBytes,
      hint: 'pass externalData to keep the weights in a file of their own',
    });
  }
  return [new BinaryWriter().tag(field, WireType.LengthDelimited).uint32(sizeBytes).finish(), ...parts];
}

/** Collects the tensors that go into the second file. */
class DataFile {
  readonly #options: ExternalDataOptions;
  readonly #parts: Uint8Array[] = [];
  #sizeBytes = 0;

  constructor(options: ExternalDataOptions) {
    this.#options = options;
  }

  get isEmpty(): boolean {
    return this.#parts.length === 0;
  }

  /** Takes the tensor if it is large enough, and gives what refers to it. */
  place(tensor: Tensor, name: string): readonly Uint8Array[] | undefined {
    const lengthBytes = rawByteCount(tensor);
    if (tensor.dtype === 'string' || lengthBytes < (this.#options.minimumBytes ?? 1024)) return undefined;
    const alignment = lengthBytes >= 2 ** 20 ? largeAlignmentBytes : smallAlignmentBytes;
    this.#append(new Uint8Array((alignment - (this.#sizeBytes % alignment)) % alignment));
    const offsetBytes = this.#sizeBytes;
    this.#append(rawBytesOf(tensor));
    return encodeExternalTensor(tensor, name, { location: this.#options.location, offsetBytes, lengthBytes });
  }

  finish(): FileParts & { readonly location: string } {
    return { parts: this.#parts, sizeBytes: this.#sizeBytes, location: this.#options.location };
  }

  #append(bytes: Uint8Array): void {
    if (bytes.length > 0) this.#parts.push(bytes);
    this.#sizeBytes += bytes.length;
  }
}

/** The pieces in one array. */
export function joinParts({ parts, sizeBytes }: FileParts): Uint8Array {
  const joined = new Uint8Array(sizeBytes);
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

function totalBytes(parts: readonly Uint8Array[]): number {
  return parts.reduce((sum, part) => sum + part.length, 0);
}

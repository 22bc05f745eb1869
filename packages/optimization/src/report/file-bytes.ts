import type { Model } from '@modelwright/core';
import { encodeOnnx } from '@modelwright/onnx';
import { withoutRecord } from './record-in-metadata.js';
import { countWeights } from './weight-counts.js';

/** Bytes that a model takes on a disk. */
export interface FileBytes {
  /** Of the `.onnx` file, weights included. */
  readonly fileBytes: number;
  /** The same through gzip: what a download or an archive takes, and where zeros and shared values pay. */
  readonly compressedBytes: number;
}

/** Writes a model in memory as it would be saved, without a record of its optimization, and compresses that. */
export async function measureFileBytes(model: Model): Promise<FileBytes> {
  const external = countWeights(model.graph).weightBytes > largestFileBytes ? { location: 'weights' } : undefined;
  const options = external === undefined ? {} : { externalData: external };
  const { model: file, externalData } = encodeOnnx(withoutRecord(model), options);
  const parts = [...file.parts, ...(externalData?.parts ?? [])];
  const fileBytes = parts.reduce((sum, part) => sum + part.length, 0);
  return { fileBytes, compressedBytes: await gzipBytes(parts) };
}

/** Above, weights are written beside the model: protobuf holds 2 GB. */
const largestFileBytes = 2 ** 30;

async function gzipBytes(parts: readonly Uint8Array[]): Promise<number> {
  const blob = new Blob(parts as readonly Uint8Array<ArrayBuffer>[] as Uint8Array<ArrayBuffer>[]);
  const reader = blob.stream().pipeThrough(new CompressionStream('gzip')).getReader();
  let total = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return total;
    total += value.length;
  }
}

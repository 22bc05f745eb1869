import { type DType, dtypeFacts, ModelwrightError, reshapeTensor, Tensor, viewData } from '@modelwright/core';
import { Dataset } from './dataset.js';
import { createRows } from './rows.js';

// The third byte of the magic number.
const elementTypes: { readonly [code: number]: Exclude<DType, 'string'> | undefined } = {
  8: 'uint8',
  9: 'int8',
  11: 'int16',
  12: 'int32',
  13: 'float32',
  14: 'float64',
};

/**
 * Reads a file in the IDX format (of MNIST and its relatives), gzipped or plain.
 *
 * @param bytes - The whole file.
 * @param name - How errors call it.
 * @throws {@link ModelwrightError} `invalid-data` when it is no IDX file or is cut short.
 */
export async function parseIdx(bytes: Uint8Array, name = 'IDX data'): Promise<Tensor> {
  const plain = bytes[0] === 0x1f && bytes[1] === 0x8b ? await gunzip(bytes, name) : bytes;
  const view = new DataView(plain.buffer, plain.byteOffset, plain.byteLength);
  const dtype = plain.length >= 4 && view.getUint16(0) === 0 ? elementTypes[view.getUint8(2)] : undefined;
  if (dtype === undefined) throw invalid(name, 'is not an IDX file: it does not begin with 00 00 and an element type');
  const rank = view.getUint8(3);
  const start = 4 + 4 * rank;
  if (plain.length < start) throw invalid(name, `ends in its header of ${start} bytes`);
  const shape = Array.from({ length: rank }, (_, axis) => view.getUint32(4 + 4 * axis));
  const elementCount = shape.reduce((product, extent) => product * extent, 1);
  const expected = start + elementCount * dtypeFacts[dtype].bytes;
  if (plain.length !== expected) {
    throw invalid(name, `declares ${dtype} [${shape}], which takes ${expected} bytes, but has ${plain.length}`);
  }
  const data = viewData(
    dtype,
    swapToHost(new Uint8Array(plain.subarray(start)), dtypeFacts[dtype].bytes).buffer,
    0,
    elementCount,
  );
  return new Tensor(dtype, shape, data as never);
}

export interface IdxOptions {
  /** What each pixel is multiplied by as batches are made; images stay bytes in memory. Default 1/255. */
  readonly scale?: number;
  /** Give images of `[height, width]` a last axis of one channel. Default true. */
  readonly channelAxis?: boolean;
}

/**
 * A data set of images with labels from two IDX files.
 *
 * @param images - Bytes of the image file, gzipped or plain.
 * @param labels - Bytes of the label file.
 * @returns inputs float32 `[height, width, 1]` in [0, 1], targets the labels as stored.
 * @throws {@link ModelwrightError} `invalid-data`, or `shape-mismatch` when the counts differ.
 */
export async function fromIdx(images: Uint8Array, labels: Uint8Array, options: IdxOptions = {}): Promise<Dataset> {
  const { scale = 1 / 255, channelAxis = true } = options;
  const pixels = await parseIdx(images, 'the image file');
  const targets = await parseIdx(labels, 'the label file');
  const inputs = channelAxis && pixels.rank === 3 ? reshapeTensor(pixels, [...pixels.shape, 1]) : pixels;
  return Dataset.ofRows(createRows({ inputs, targets }, { scale: { inputs: scale } }));
}

async function gunzip(bytes: Uint8Array, name: string): Promise<Uint8Array> {
  const stream = new Blob([bytes as Uint8Array<ArrayBuffer>]).stream().pipeThrough(new DecompressionStream('gzip'));
  try {
    return new Uint8Array(await new Response(stream).arrayBuffer());
  } catch (cause) {
    throw new ModelwrightError('invalid-data', `${name} is damaged: its gzip data cannot be unpacked`, {
      file: name,
      cause,
    });
  }
}

// IDX is big-endian; typed arrays are little-endian wherever this runs.
function swapToHost(bytes: Uint8Array, width: number): Uint8Array {
  if (width > 1) for (let at = 0; at < bytes.length; at += width) bytes.subarray(at, at + width).reverse();
  return bytes;
}

function invalid(name: string, what: string): ModelwrightError {
  return new ModelwrightError('invalid-data', `${name} ${what}`, { file: name });
}

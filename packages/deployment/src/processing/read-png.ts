import { decode } from 'fast-png';
import { Unzlib, zlibSync } from 'fflate';
import type { PixelSource } from './decode-image.js';
import { brokenImage, checkImageSize } from './image-limits.js';

const signature = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];

/** Whether bytes begin as a PNG does. */
export function isPng(bytes: Uint8Array): boolean {
  return signature.every((byte, index) => bytes[index] === byte);
}

/** What decoding takes; all else (profiles, texts, animations) is left aside unread. */
const kept = new Set(['IHDR', 'PLTE', 'tRNS', 'IDAT']);

/**
 * Decodes a PNG of any colour type and depth. Its data are unpacked first, up to what its own header says and no further, so that a
 * small file cannot fill the memory.
 */
export function readPng(bytes: Uint8Array, maxPixels: number): PixelSource {
  const chunks = chunksOf(bytes);
  const header = chunks[0];
  if (header?.type !== 'IHDR' || header.data.length !== 13 || chunks.filter(({ type }) => type === 'IHDR').length > 1)
    throw brokenImage('PNG', 'has no header');
  const view = new DataView(header.data.buffer, header.data.byteOffset, 13);
  const [width, height] = [view.getUint32(0), view.getUint32(4)];
  checkImageSize('PNG', { width, height }, maxPixels);
  const bitsPerPixel = view.getUint8(8) * (samplesOf[view.getUint8(9)] ?? 4);
  // Interlaced rows are shorter and more: at most twice as many, each with a filter byte and a part of a byte to fill.
  const mostBytes = Math.ceil((width * bitsPerPixel) / 8) * height + 4 * height + 64;
  const data = inflate(
    chunks.filter(({ type }) => type === 'IDAT').map((chunk) => chunk.data),
    mostBytes,
  );
  const others = chunks.filter(({ type }) => type !== 'IDAT');
  return decoded(joinChunks([...others, { type: 'IDAT', data: zlibSync(data, { level: 0 }) }]), { width, height });
}

/** Samples a pixel by colour type: grey, RGB, palette, grey with alpha, RGB with alpha. */
const samplesOf: { readonly [colorType: number]: number } = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };

interface Chunk {
  readonly type: string;
  readonly data: Uint8Array;
}

function chunksOf(bytes: Uint8Array): readonly Chunk[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const chunks: Chunk[] = [];
  for (let at = signature.length; at + 8 <= bytes.length; ) {
    const length = view.getUint32(at);
    const type = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    if (type === 'IEND') return chunks;
    if (at + 12 + length > bytes.length) break;
    if (kept.has(type)) chunks.push({ type, data: bytes.subarray(at + 8, at + 8 + length) });
    at += 12 + length;
  }
  throw brokenImage('PNG', 'breaks off');
}

/** A push may grow its input a thousandfold: small ones keep the overshoot small. */
const stepBytes = 2 ** 14;

function inflate(pieces: readonly Uint8Array[], mostBytes: number): Uint8Array {
  const unpacked: Uint8Array[] = [];
  let total = 0;
  const stream = new Unzlib((piece) => {
    total += piece.length;
    if (total > mostBytes) throw brokenImage('PNG', 'holds more data than its header says');
    unpacked.push(piece);
  });
  for (const piece of pieces)
    for (let at = 0; at < piece.length; at += stepBytes) stream.push(piece.subarray(at, at + stepBytes), false);
  stream.push(new Uint8Array(0), true);
  const data = new Uint8Array(total);
  let at = 0;
  for (const piece of unpacked) {
    data.set(piece, at);
    at += piece.length;
  }
  return data;
}

/** A PNG of chunks; check sums are left zero, the decoder does not look at them. */
function joinChunks(chunks: readonly Chunk[]): Uint8Array {
  const all = [...chunks, { type: 'IEND', data: new Uint8Array(0) }];
  const bytes = new Uint8Array(all.reduce((sum, { data }) => sum + 12 + data.length, signature.length));
  const view = new DataView(bytes.buffer);
  bytes.set(signature);
  let at = signature.length;
  for (const { type, data } of all) {
    view.setUint32(at, data.length);
    for (let index = 0; index < 4; index++) bytes[at + 4 + index] = type.charCodeAt(index);
    bytes.set(data, at + 8);
    at += 12 + data.length;
  }
  return bytes;
}

function decoded(bytes: Uint8Array, { width, height }: { width: number; height: number }): PixelSource {
  const png = decode(bytes);
  const { data, channels, depth, palette, transparency } = png;
  if (palette !== undefined) {
    return { width, height, at: (pixel) => paletteColor(palette[indexAt(data, { pixel, width, depth })]) };
  }
  const most = 2 ** depth - 1;
  const sample = (index: number): number => (data[index]! * 255) / most;
  const isClear = (first: number): boolean =>
    transparency !== undefined && Array.from(transparency).every((value, index) => data[first + index] === value);
  return {
    width,
    height,
    at: (pixel) => {
      if (depth < 8) {
        const value = indexAt(data, { pixel, width, depth });
        const grey = (value * 255) / most;
        return [grey, grey, grey, transparency?.[0] === value ? 0 : 255];
      }
      const first = pixel * channels;
      const alpha = channels % 2 === 0 ? sample(first + channels - 1) : isClear(first) ? 0 : 255;
      const green = channels < 3 ? first : first + 1;
      return [sample(first), sample(green), sample(channels < 3 ? first : first + 2), alpha];
    },
  };
}

function paletteColor(color: readonly number[] | undefined): readonly [number, number, number, number] {
  if (color === undefined) throw brokenImage('PNG', 'names a colour that its palette lacks');
  return [color[0] ?? 0, color[1] ?? 0, color[2] ?? 0, color[3] ?? 255];
}

/** A sample of less than a byte; rows begin at whole bytes. */
function indexAt(
  data: ArrayLike<number>,
  { pixel, width, depth }: { readonly pixel: number; readonly width: number; readonly depth: number },
): number {
  const [row, column] = [Math.floor(pixel / width), pixel % width];
  const bit = column * depth;
  const byte = data[row * Math.ceil((width * depth) / 8) + (bit >> 3)]!;
  return (byte >> (8 - depth - (bit & 7))) & (2 ** depth - 1);
}

import { decode } from 'jpeg-js';
import type { PixelSource } from './decode-image.js';
import { brokenImage, checkImageSize } from './image-limits.js';

/** Whether bytes begin as a JPEG does. */
export function isJpeg(bytes: Uint8Array): boolean {
  return bytes[0] === 0xff && bytes[1] === 0xd8 && bytes[2] === 0xff;
}

/** Progressive pictures come in ten or so; each goes over all pixels again. */
const maxScans = 64;

/** Decodes a JPEG; its orientation tag is left aside. */
export function readJpeg(bytes: Uint8Array, maxPixels: number): PixelSource {
  checkImageSize('JPEG', frameSize(bytes), maxPixels);
  const image = decodeChecked(bytes, maxPixels);
  const { width, height, data } = image;
  return {
    width,
    height,
    at: (pixel) => [data[pixel * 3]!, data[pixel * 3 + 1]!, data[pixel * 3 + 2]!, 255],
  };
}

function decodeChecked(bytes: Uint8Array, maxPixels: number): ReturnType<typeof decodeRgb> {
  try {
    return decodeRgb(bytes, maxPixels);
  } catch (cause) {
    throw brokenImage('JPEG', `is broken (${(cause as Error).message})`, cause);
  }
}

function decodeRgb(bytes: Uint8Array, maxPixels: number): { width: number; height: number; data: Uint8Array } {
  return decode(bytes, {
    useTArray: true,
    formatAsRGBA: false,
    tolerantDecoding: false,
    maxResolutionInMP: Math.ceil(maxPixels / 1e6),
    maxMemoryUsageInMB: Math.max(64, Math.ceil((maxPixels * 32) / 2 ** 20)),
  });
}

/** The size that the frame's header names, and a look at how often it would be gone over. */
function frameSize(bytes: Uint8Array): { width: number; height: number } {
  let size: { width: number; height: number } | undefined;
  let scans = 0;
  for (let at = 2; at + 4 <= bytes.length; ) {
    if (bytes[at] !== 0xff) {
      at++;
      continue;
    }
    const marker = bytes[at + 1]!;
    // Fill bytes, escaped data, restarts: no length behind them.
    if (marker === 0xff) at++;
    else if (marker === 0 || marker === 1 || (marker >= 0xd0 && marker <= 0xd8)) at += 2;
    else if (marker === 0xd9) break;
    else {
      const length = (bytes[at + 2]! << 8) | bytes[at + 3]!;
      if (marker === 0xda && ++scans > maxScans) throw brokenImage('JPEG', `has more than ${maxScans} scans`);
      if (isFrame(marker)) size ??= { height: pair(bytes, at + 5), width: pair(bytes, at + 7) };
      at += 2 + length;
    }
  }
  if (size === undefined) throw brokenImage('JPEG', 'has no frame');
  return size;
}

const pair = (bytes: Uint8Array, at: number): number => ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);

/** Start of frame, of any coding; 0xc4, 0xc8 and 0xcc are something else. */
function isFrame(marker: number): boolean {
  return marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc;
}

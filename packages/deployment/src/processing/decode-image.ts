import { isModelwrightError, ModelwrightError } from '@modelwright/core';
import type { Image } from './image.js';
import { brokenImage, defaultImageLimits, type ImageLimits } from './image-limits.js';
import { isJpeg, readJpeg } from './read-jpeg.js';
import { isPng, readPng } from './read-png.js';

/** A decoded picture: red, green, blue and alpha of each pixel, 0…255. */
export interface PixelSource {
  readonly width: number;
  readonly height: number;
  at(pixel: number): readonly [number, number, number, number];
}

/**
 * Decodes a PNG or JPEG, with the same code and so to the same numbers in every runtime. What is transparent shows white, as on a
 * page; grey is `0.299·R + 0.587·G + 0.114·B`.
 *
 * @returns pixels `[height, width, channels]` in 0…255.
 * @throws {@link ModelwrightError} `invalid-data` if it is neither or broken, `limit-exceeded` if it is too large.
 */
export function decodeImage(bytes: Uint8Array, channels: 1 | 3, limits: ImageLimits = {}): Image {
  const { maxPixels, maxBytes } = { ...defaultImageLimits, ...limits };
  if (bytes.length > maxBytes) {
    throw new ModelwrightError('limit-exceeded', `a picture of ${bytes.length} bytes is too large`, {
      given: bytes.length,
      allowed: maxBytes,
    });
  }
  return flatten(readPixels(bytes, maxPixels), channels);
}

function readPixels(bytes: Uint8Array, maxPixels: number): PixelSource {
  if (isJpeg(bytes)) return readJpeg(bytes, maxPixels);
  if (!isPng(bytes)) throw new ModelwrightError('invalid-data', 'a picture has to be a PNG or a JPEG; this is neither');
  try {
    return readPng(bytes, maxPixels);
  } catch (cause) {
    if (isModelwrightError(cause)) throw cause;
    throw brokenImage('PNG', `is broken (${(cause as Error).message})`, cause);
  }
}

function flatten(source: PixelSource, channels: 1 | 3): Image {
  const { width, height } = source;
  const pixels = new Float32Array(width * height * channels);
  for (let pixel = 0; pixel < width * height; pixel++) {
    const [red, green, blue, alpha] = source.at(pixel);
    const share = alpha / 255;
    const onWhite = (value: number): number => (alpha === 255 ? value : value * share + 255 * (1 - share));
    if (channels === 1) pixels[pixel] = 0.299 * onWhite(red) + 0.587 * onWhite(green) + 0.114 * onWhite(blue);
    else {
      pixels[pixel * 3] = onWhite(red);
      pixels[pixel * 3 + 1] = onWhite(green);
      pixels[pixel * 3 + 2] = onWhite(blue);
    }
  }
  return { width, height, channels, pixels };
}

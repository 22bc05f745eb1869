import type { Image } from './image.js';
/**
 * Resizes with a triangle filter that widens when the image shrinks, so that no pixel is lost (what Pillow calls
 * antialiased bilinear).
 */
export function resizeImage(image: Image, width: number, height: number): Image {
  const wide = image.width === width ? image : resizeRows(image, width);
  return wide.height === height ? wide : transpose(resizeRows(transpose(wide), height));
}

function resizeRows(image: Image, width: number): Image {
  const { height, channels } = image;
  const pixels = new Float32Array(width * height * channels);
  for (let x = 0; x < width; x++) {
    const { first, weights } = tapsOf(x, image.width, width);
    for (let y = 0; y < height; y++) {
      for (let c = 0; c < channels; c++) {
        let sum = 0;
        for (let tap = 0; tap < weights.length; tap++) {
          sum += weights[tap]! * image.pixels[(y * image.width + first + tap) * channels + c]!;
        }
        pixels[(y * width + x) * channels + c] = sum;
      }
    }
  }
  return { width, height, channels, pixels };
}

/** The source pixels that target pixel `x` reads, with weights that sum to one. */
function tapsOf(x: number, from: number, to: number): { readonly first: number; readonly weights: readonly number[] } {
  const ratio = from / to;
  const reach = Math.max(1, ratio);
  const center = (x + 0.5) * ratio;
  const first = Math.max(0, Math.floor(center - reach));
  const last = Math.min(from, Math.ceil(center + reach));
  const weights = Array.from({ length: last - first }, (_, tap) =>
    Math.max(0, 1 - Math.abs(first + tap + 0.5 - center) / reach),
  );
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return { first, weights: weights.map((weight) => weight / total) };
}

function transpose({ width, height, channels, pixels }: Image): Image {
  const turned = new Float32Array(pixels.length);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      for (let c = 0; c < channels; c++)
        turned[(x * height + y) * channels + c] = pixels[(y * width + x) * channels + c]!;
    }
  }
  return { width: height, height: width, channels, pixels: turned };
}

/** Resizes by taking the nearest pixel. */
export function sampleImage(image: Image, width: number, height: number): Image {
  const { channels } = image;
  const pixels = new Float32Array(width * height * channels);
  const source = (at: number, to: number, from: number): number =>
    Math.min(from - 1, Math.floor(((at + 0.5) * from) / to));
  for (let y = 0; y < height; y++) {
    const row = source(y, height, image.height) * image.width;
    for (let x = 0; x < width; x++) {
      const pixel = row + source(x, width, image.width);
      for (let c = 0; c < channels; c++) pixels[(y * width + x) * channels + c] = image.pixels[pixel * channels + c]!;
    }
  }
  return { width, height, channels, pixels };
}

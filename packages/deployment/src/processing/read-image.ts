import { fromNumbers, isFloat, ModelwrightError, type Tensor, type ValueType } from '@modelwright/core';
import { decodeImage } from './decode-image.js';
import type { Image } from './image.js';
import { defaultImageLimits, type ImageLimits } from './image-limits.js';
import type { ImageInput } from './processing.js';
import { resizeImage, sampleImage } from './resize-image.js';

/**
 * Pictures as a model's input: decoded, fitted, scaled and laid out.
 *
 * @param input - Name, dtype and shape: with a batch axis in front, or of one picture alone.
 * @returns `[pictures, height, width, channels]`, `[pictures, channels, height, width]`, or the same elements in the input's own shape.
 * @throws {@link ModelwrightError} `invalid-data`, `limit-exceeded`, `unsupported-shape` if the input cannot hold such pictures.
 */
export function readImages(
  pictures: readonly Uint8Array[],
  input: ValueType & { readonly name: string },
  { spec, limits = {} }: { readonly spec: ImageInput; readonly limits?: ImageLimits },
): Tensor {
  const { width, height, channels } = spec;
  const count = width * height * channels;
  const { maxPixels, maxPixelsInAll } = { ...defaultImageLimits, ...limits };
  const values = new Float64Array(pictures.length * count);
  let pixelsLeft = maxPixelsInAll;
  pictures.forEach((bytes, index) => {
    const image = decodeImage(bytes, channels, { ...limits, maxPixels: Math.min(maxPixels, pixelsLeft) });
    pixelsLeft -= image.width * image.height;
    const fitted = fitImage(image, spec);
    const pixels = adjusted(fitted, spec, isFloat(input.dtype) ? 1 / 255 : 1);
    values.set(isFloat(input.dtype) ? pixels : pixels.map(Math.round), index * count);
  });
  return fromNumbers(input.dtype, batchShape(input, pictures.length, spec), values);
}

/** The shape that pictures take in an input: `[batch, 784]` and `[batch, 28, 28]` hold grey ones, too. */
function batchShape(
  { name, shape }: { readonly name: string; readonly shape: ValueType['shape'] },
  pictures: number,
  { width, height, channels, layout }: ImageInput,
): readonly number[] {
  const example = layout === 'channelsFirst' ? [channels, height, width] : [height, width, channels];
  const isOneAlone = shape.length === 3 && shape.every((extent, axis) => extent === example[axis]);
  if (isOneAlone && pictures === 1) return example;
  const rest = shape.slice(1);
  if (rest.length === 3 && rest.every((extent, axis) => typeof extent === 'string' || extent === example[axis]))
    return [pictures, ...example];
  const extents = rest.filter((extent) => typeof extent === 'number');
  const count = extents.reduce((product, extent) => product * extent, 1);
  if (rest.length > 0 && extents.length === rest.length && count === width * height * channels)
    return [pictures, ...extents];
  throw new ModelwrightError(
    'unsupported-shape',
    `input '${name}' of shape [${shape}] cannot hold pictures of [${example}]`,
    { input: name, given: example, allowed: shape },
  );
}

function fitImage(image: Image, { width, height, fit = 'fill', resize = 'bilinear' }: ImageInput): Image {
  const scale = resize === 'nearest' ? sampleImage : resizeImage;
  if (fit === 'fill') return scale(image, width, height);
  const [across, down] = [width / image.width, height / image.height];
  const ratio = fit === 'contain' ? Math.min(across, down) : Math.max(across, down);
  const scaled = scale(
    image,
    Math.max(1, Math.round(image.width * ratio)),
    Math.max(1, Math.round(image.height * ratio)),
  );
  return centered(scaled, width, height);
}

/** Cut or filled up with black around its centre. */
function centered(image: Image, width: number, height: number): Image {
  const { channels } = image;
  const pixels = new Float32Array(width * height * channels);
  const [left, top] = [Math.floor((width - image.width) / 2), Math.floor((height - image.height) / 2)];
  for (let y = Math.max(0, top); y < Math.min(height, top + image.height); y++) {
    for (let x = Math.max(0, left); x < Math.min(width, left + image.width); x++) {
      for (let c = 0; c < channels; c++)
        pixels[(y * width + x) * channels + c] = image.pixels[((y - top) * image.width + x - left) * channels + c]!;
    }
  }
  return { width, height, channels, pixels };
}

/** `(pixel · scale − mean) / std`, in the layout that the model wants. */
function adjusted({ pixels, channels }: Image, spec: ImageInput, usualScale: number): Float64Array {
  const { scale = usualScale, mean, std, invert, layout } = spec;
  const plane = pixels.length / channels;
  const values = new Float64Array(pixels.length);
  for (let c = 0; c < channels; c++) {
    const [offset, divisor] = [valueFor(mean, c, 0), valueFor(std, c, 1)];
    for (let index = 0; index < plane; index++) {
      const pixel = pixels[index * channels + c]!;
      const target = layout === 'channelsFirst' ? c * plane + index : index * channels + c;
      values[target] = ((invert ? 255 - pixel : pixel) * scale - offset) / divisor;
    }
  }
  return values;
}

/** One number for all channels, or one a channel. */
function valueFor(values: readonly number[] | undefined, channel: number, usual: number): number {
  return values?.[values.length === 1 ? 0 : channel] ?? usual;
}

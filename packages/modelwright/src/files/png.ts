import { Buffer } from 'node:buffer';
import { fromNumbers, isFloat, ModelwrightError, type Tensor, toNumbers, type ValueType } from '@modelwright/core';
import { type Image, resizeImage } from '@modelwright/deployment';
import { PNG } from 'pngjs';
import { flatImageSide, type ImageLayout, imageLayoutOf } from './image-layout.js';

/** How pixels (0…255) become what a model was trained on: `(pixel · scale − mean) / std`. */
export interface PixelOptions {
  /** Default 1/255 where the input is floating, 1 where it is integer. */
  readonly scale?: number;
  /** One number, or one a channel. */
  readonly mean?: readonly number[];
  /** One number, or one a channel. */
  readonly std?: readonly number[];
  /** Swap black and white: for models of white strokes on black. */
  readonly invert?: boolean;
}

/** A PNG as a model input, and what was done to it that its owner may want to know. */
export interface DecodedImage {
  readonly tensor: Tensor;
  readonly notes: readonly string[];
}

/**
 * Reads a PNG into the shape and dtype of a model input, resizing and greying as the input asks.
 *
 * @param input - Name, dtype and shape of the input; symbolic height and width take the image's own.
 * @throws {@link ModelwrightError} `invalid-data` if it is no PNG, `unsupported-shape` if the input cannot hold an image.
 */
export function decodePng(
  bytes: Uint8Array,
  { file, input, pixels = {} }: { file: string; input: ValueType & { name: string }; pixels?: PixelOptions },
): DecodedImage {
  const side = flatImageSide(input.shape);
  const shape = side === undefined ? input.shape : [1, side, side];
  const layout = imageLayoutOf(shape);
  if (layout === undefined) {
    const given = `[${input.shape.join(',')}]`;
    throw new ModelwrightError('unsupported-shape', `input '${input.name}' of shape ${given} cannot take an image`, {
      file,
    });
  }
  const channels = layout.channel < 0 ? 1 : Number(shape[layout.channel]);
  const image = readPixels(bytes, file, channels);
  const wanted = (axis: number, own: number): number => (typeof shape[axis] === 'number' ? shape[axis] : own);
  const width = wanted(layout.width, image.width);
  const height = wanted(layout.height, image.height);
  const resized = resizeImage(image, width, height);
  const notes =
    resized === image
      ? []
      : [`${file}: ${image.width}×${image.height} resized to ${width}×${height} for '${input.name}'`];
  const values = adjustPixels(resized, { scale: isFloat(input.dtype) ? 1 / 255 : 1, ...pixels });
  const extents = shape.map((_, axis) => {
    if (axis === layout.height) return height;
    if (axis === layout.width) return width;
    return axis === layout.channel ? channels : 1;
  });
  const data = layout.channel >= 0 && layout.channel < layout.height ? channelsFirst(values, channels) : values;
  const flat = side === undefined ? extents : [1, side * side];
  return { tensor: fromNumbers(input.dtype, flat, data), notes };
}

/**
 * Writes a tensor as a PNG: `[height, width]`, `[height, width, channels]` or `[channels, height, width]`, each with or
 * without a batch of one. Floating values are taken as 0…1, integers as 0…255; both are clamped.
 *
 * @throws {@link ModelwrightError} `unsupported-shape` if it is not one image.
 */
export function encodePng(tensor: Tensor, file: string): Uint8Array {
  const layout = oneImage(tensor, file);
  const width = tensor.shape[layout.width]!;
  const height = tensor.shape[layout.height]!;
  const channels = layout.channel < 0 ? 1 : tensor.shape[layout.channel]!;
  const values = toNumbers(tensor);
  const planar = layout.channel >= 0 && layout.channel < layout.height;
  const scale = isFloat(tensor.dtype) ? 255 : 1;
  const image = new PNG({ width, height });
  for (let pixel = 0; pixel < width * height; pixel++) {
    for (let c = 0; c < 4; c++) {
      const source = channels < 3 ? 0 : c;
      const at = planar ? source * width * height + pixel : pixel * channels + source;
      image.data[pixel * 4 + c] = c === 3 && channels < 4 ? 255 : clampToByte(values[at]! * scale);
    }
  }
  return PNG.sync.write(image);
}

function readPixels(bytes: Uint8Array, file: string, channels: number): Image {
  let png: PNG;
  try {
    png = PNG.sync.read(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  } catch (cause) {
    throw new ModelwrightError('invalid-data', `'${file}' is not a readable PNG`, { file, cause });
  }
  const { width, height, data } = png;
  const pixels = new Float32Array(width * height * channels);
  for (let pixel = 0; pixel < width * height; pixel++) {
    const rgba = data.subarray(pixel * 4, pixel * 4 + 4);
    // What is transparent shows white, as on a page, unless the model takes the alpha channel itself.
    const alpha = channels === 4 ? 1 : rgba[3]! / 255;
    const [red, green, blue] = [0, 1, 2].map((c) => rgba[c]! * alpha + 255 * (1 - alpha)) as [number, number, number];
    const color = channels === 1 ? [0.299 * red + 0.587 * green + 0.114 * blue] : [red, green, blue, rgba[3]!];
    for (let c = 0; c < channels; c++) pixels[pixel * channels + c] = color[c]!;
  }
  return { width, height, channels, pixels };
}

function adjustPixels({ pixels, channels }: Image, options: PixelOptions & { scale: number }): Float64Array {
  const pick = (values: readonly number[] | undefined, channel: number, fallback: number): number =>
    values?.[values.length === 1 ? 0 : channel] ?? fallback;
  return Float64Array.from(pixels, (pixel, index) => {
    const channel = index % channels;
    const value = options.invert && channel < 3 ? 255 - pixel : pixel;
    return (value * options.scale - pick(options.mean, channel, 0)) / pick(options.std, channel, 1);
  });
}

function channelsFirst(values: Float64Array, channels: number): Float64Array {
  const plane = values.length / channels;
  return Float64Array.from(values, (_, index) => values[(index % plane) * channels + Math.floor(index / plane)]!);
}

function oneImage(tensor: Tensor, file: string): ImageLayout {
  const layout = imageLayoutOf(tensor.shape);
  if (layout !== undefined && tensor.elementCount > 0 && (layout.batch < 0 || tensor.shape[layout.batch] === 1))
    return layout;
  const given = `[${tensor.shape.join(',')}]`;
  throw new ModelwrightError('unsupported-shape', `'${file}': a tensor of shape ${given} is not one image`, { file });
}

function clampToByte(value: number): number {
  return Math.max(0, Math.min(255, Math.round(value)));
}

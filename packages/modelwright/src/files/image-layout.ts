import type { Shape } from '@modelwright/core';

/** Where a tensor keeps the parts of an image; axes count from the front, -1 is an axis it does not have. */
export interface ImageLayout {
  readonly batch: number;
  readonly height: number;
  readonly width: number;
  readonly channel: number;
}

const isChannelCount = (extent: number | string | undefined): boolean => extent === 1 || extent === 3 || extent === 4;

/**
 * Tells how a shape holds images: `[batch, height, width, channels]`, `[batch, channels, height, width]`, either without
 * its batch, `[batch, height, width]` or `[height, width]` in grey.
 *
 * @returns undefined if the shape holds none.
 */
export function imageLayoutOf(shape: Shape): ImageLayout | undefined {
  if (shape.length === 4) return withChannels(shape.slice(1), 1);
  if (shape.length === 3) return withChannels(shape, 0) ?? { batch: 0, height: 1, width: 2, channel: -1 };
  if (shape.length === 2) return { batch: -1, height: 0, width: 1, channel: -1 };
  return undefined;
}

function withChannels(shape: Shape, offset: number): ImageLayout | undefined {
  const batch = offset - 1;
  if (isChannelCount(shape[2])) return { batch, height: offset, width: offset + 1, channel: offset + 2 };
  if (isChannelCount(shape[0])) return { batch, channel: offset, height: offset + 1, width: offset + 2 };
  return undefined;
}

/** Side of a square grey image that a `[batch, n]` input holds as a row, or undefined: 28 for `[batch, 784]`. */
export function flatImageSide(shape: Shape): number | undefined {
  const [batch, elements] = shape;
  const isRow = shape.length === 2 && (typeof batch === 'string' || batch === 1);
  const side = Math.sqrt(Number(elements));
  return isRow && Number.isInteger(side) && side >= 4 ? side : undefined;
}

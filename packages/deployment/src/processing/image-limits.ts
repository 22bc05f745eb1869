import { ModelwrightError } from '@modelwright/core';

/** How large a picture may be. */
export interface ImageLimits {
  /** Width times height. Default 2²⁴, about 16.8 million. */
  readonly maxPixels?: number;
  /** Of all pictures that are read at once: decoding takes the time of whoever else asks. Default 2²⁵. */
  readonly maxPixelsInAll?: number;
  /** Of the file. Default 32 MiB. */
  readonly maxBytes?: number;
}

/** The limits where nobody says others. */
export const defaultImageLimits: Required<ImageLimits> = {
  maxPixels: 2 ** 24,
  maxPixelsInAll: 2 ** 25,
  maxBytes: 2 ** 25,
};

/** Looked at before anything of this size is allocated. */
export function checkImageSize(
  kind: string,
  { width, height }: { readonly width: number; readonly height: number },
  maxPixels: number,
): void {
  if (!(width > 0 && height > 0)) throw brokenImage(kind, 'is empty');
  if (width * height <= maxPixels) return;
  throw new ModelwrightError(
    'limit-exceeded',
    `a ${kind} of ${width}×${height} pixels is too large: at most ${maxPixels} pixels are read`,
    { given: width * height, allowed: maxPixels },
  );
}

/** The error for a picture that cannot be decoded. */
export function brokenImage(kind: string, why: string, cause?: unknown): ModelwrightError {
  return new ModelwrightError('invalid-data', `the ${kind} cannot be read: it ${why}`, { cause });
}

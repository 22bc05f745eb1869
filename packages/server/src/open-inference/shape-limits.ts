import { type DType, dtypeFacts, ModelwrightError } from '@modelwright/core';
import type { TensorInfo } from '@modelwright/deployment';
import { datatypeOf } from './datatype.js';

/** Sizes that no request may pass; checked before anything of that size is allocated. */
export interface TensorLimits {
  readonly maxRank: number;
  /** Also of shapes with an extent of 0: the product of all others. */
  readonly maxElements: number;
  readonly maxInputs: number;
}

/** More than any model here can take, less than what hurts. */
export const defaultTensorLimits: TensorLimits = { maxRank: 16, maxElements: 2 ** 28, maxInputs: 256 };

/**
 * Reads a shape off a request.
 *
 * @returns the extents and their product.
 * @throws {@link ModelwrightError} `invalid-argument` if it is none, `limit-exceeded` if it is too much.
 */
export function readShape(
  input: string,
  shape: unknown,
  limits: TensorLimits = defaultTensorLimits,
): { readonly shape: readonly number[]; readonly elementCount: number } {
  if (!Array.isArray(shape) || !shape.every((extent) => Number.isSafeInteger(extent) && extent >= 0)) {
    throw new ModelwrightError('invalid-argument', `input '${input}': 'shape' must be an array of integers ≥ 0`, {
      input,
    });
  }
  const product = (shape as number[]).reduce((count, extent) => count * Math.max(1, extent), 1);
  if (shape.length > limits.maxRank || product > limits.maxElements) {
    throw new ModelwrightError(
      'limit-exceeded',
      `input '${input}': a shape may have ${limits.maxRank} axes and ${limits.maxElements} elements at most`,
      { input, allowed: limits },
    );
  }
  return { shape: shape as number[], elementCount: shape.includes(0) ? 0 : product };
}

/**
 * Finds the declared input of that name and checks dtype and shape against it, before the data is looked at.
 *
 * @throws {@link ModelwrightError} `invalid-argument` for a name that the model has not, `dtype-mismatch`, `shape-mismatch`.
 */
export function checkDeclared(
  declared: readonly TensorInfo[],
  name: string,
  dtype: DType,
  shape: readonly number[],
): TensorInfo {
  const info = declared.find((tensor) => tensor.name === name);
  if (info === undefined) {
    const allowed = declared.map((tensor) => tensor.name);
    const message = `there is no input '${name.slice(0, 64)}'; inputs are: ${allowed.join(', ')}`;
    throw new ModelwrightError('invalid-argument', message, { input: name, allowed });
  }
  if (info.dtype !== dtype) {
    const message = `input '${name}' is ${datatypeOf(info.dtype)}, but ${datatypeOf(dtype)} was given`;
    throw new ModelwrightError('dtype-mismatch', message, { input: name, given: dtype, allowed: info.dtype });
  }
  const fits =
    info.shape.length === shape.length &&
    info.shape.every((extent, axis) => typeof extent === 'string' || extent === shape[axis]);
  if (fits) return info;
  throw new ModelwrightError(
    'shape-mismatch',
    `input '${name}' has shape [${info.shape.join(', ')}], but [${shape.join(', ')}] was given`,
    { input: name, given: shape, allowed: info.shape },
  );
}

/** Bytes of `elementCount` elements, or nothing for strings, whose elements say how long they are. */
export function byteLengthOf(dtype: DType, elementCount: number): number | undefined {
  return dtype === 'string' ? undefined : dtypeFacts[dtype].bytes * elementCount;
}

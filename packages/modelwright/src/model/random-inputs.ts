import {
  type Dimension,
  fromNumbers,
  fullTensor,
  isFloat,
  ModelwrightError,
  type Shape,
  type Tensor,
  type TensorMap,
} from '@modelwright/core';
import type { NamedType } from '../files/tensor-files.js';

/** Numbers for extents that a model leaves open, by symbol. */
export type Extents = { readonly [symbol: string]: number };

/**
 * Makes inputs for a model: uniform in 0…1 where floating, 0 or 1 where integer (valid as most indices), empty texts.
 *
 * @param extents - Numbers for symbolic extents; the first axis of an input defaults to 1.
 * @throws {@link ModelwrightError} `invalid-argument` naming the extents that are missing.
 */
export function randomInputs(inputs: readonly NamedType[], extents: Extents, seed = 1): TensorMap {
  const next = randomNumbers(seed);
  return Object.fromEntries(inputs.map((input) => [input.name, randomTensor(input, extents, next)]));
}

/** Puts numbers for the symbols of a shape. */
export function bindShape(name: string, shape: Shape, extents: Extents): readonly number[] {
  const missing: string[] = [];
  const bound = shape.map((extent: Dimension, axis) => {
    if (typeof extent === 'number') return extent;
    const known = extents[extent] ?? (axis === 0 ? 1 : undefined);
    if (known === undefined) missing.push(extent);
    return known ?? 0;
  });
  if (missing.length === 0) return bound;
  const message = `input '${name}' of shape [${shape.join(',')}] leaves open: ${missing.join(', ')}`;
  throw new ModelwrightError('invalid-argument', message, {
    input: name,
    allowed: missing,
    hint: `say how large: ${missing.map((symbol) => `--dim ${symbol}=N`).join(' ')}`,
  });
}

function randomTensor(input: NamedType, extents: Extents, next: () => number): Tensor {
  const shape = bindShape(input.name, input.shape, extents);
  if (input.dtype === 'string') return fullTensor('string', shape, 0);
  const count = shape.reduce((product, extent) => product * extent, 1);
  const draw = isFloat(input.dtype) ? next : () => Math.round(next());
  return fromNumbers(input.dtype, shape, Float64Array.from({ length: count }, draw));
}

/** A small generator of uniform numbers in [0, 1): mulberry32. */
function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

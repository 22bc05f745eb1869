import type { Value } from '@modelwright/core';
import type { CommonOptimizerOptions } from '../optimizers/optimizer.js';
import type { Arithmetic } from '../symbolic/arithmetic.js';

/** Gradients held to the options' bounds: by value, then each by its norm, then all by their common norm. */
export function clipGradients(
  a: Arithmetic,
  gradients: readonly Value[],
  { clipValue, clipNorm, globalClipNorm }: CommonOptimizerOptions,
): readonly Value[] {
  let clipped = gradients;
  if (clipValue !== undefined) {
    clipped = clipped.map((gradient) => a.minimum(a.maximum(gradient, -clipValue), clipValue));
  }
  if (clipNorm !== undefined) {
    clipped = clipped.map((gradient) => a.multiply(gradient, scaleTo(a, squaredNorm(a, gradient), clipNorm)));
  }
  if (globalClipNorm !== undefined && clipped.length > 0) {
    const dtype = (clipped[0] as Value).dtype;
    const total = clipped
      .map((gradient) => a.cast(squaredNorm(a, gradient), dtype))
      .reduce((sum, square) => a.add(sum, square));
    const scale = scaleTo(a, total, globalClipNorm);
    clipped = clipped.map((gradient) => a.multiply(gradient, a.cast(scale, gradient.dtype)));
  }
  return clipped;
}

function squaredNorm(a: Arithmetic, gradient: Value): Value {
  return a.sum(a.square(gradient));
}

// bound / max(norm, bound): 1 within the bound.
function scaleTo(a: Arithmetic, squared: Value, bound: number): Value {
  return a.divide(bound, a.maximum(a.squareRoot(squared), bound));
}

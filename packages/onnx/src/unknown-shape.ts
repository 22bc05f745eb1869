import type { Shape, ValueType } from '@modelwright/core';

/**
 * Stands for the shape of a value of which not even the number of axes is known: what an unknown op gives where the file
 * does not declare it, and all that is computed from it.
 */
export const unknownShape: Shape = ['?unknown'];

/** Whether nothing is known of the value's shape. */
export function hasUnknownShape({ shape }: ValueType): boolean {
  return shape.length === 1 && shape[0] === unknownShape[0];
}

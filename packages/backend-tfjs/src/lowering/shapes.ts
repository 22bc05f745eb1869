import type { Shape } from '@modelwright/core';
import type { StepScope } from './lowering.js';

/** The declared shape if it is known beforehand. */
export function knownShape(shape: Shape): readonly number[] | undefined {
  return shape.every((extent) => typeof extent === 'number') ? (shape as readonly number[]) : undefined;
}

/** Non-negative axes; all where none are named. */
export function axesFrom(given: readonly number[] | undefined, rank: number): readonly number[] {
  if (given === undefined || given.length === 0) return Array.from({ length: rank }, (_, axis) => axis);
  return given.map((axis) => fromFront(axis, rank));
}

/** The axis counted from the front. */
export function fromFront(axis: number, rank: number): number {
  return axis < 0 ? axis + rank : axis;
}

/** What `Reshape` asks for: 0 keeps an extent (unless it is allowed to mean zero), −1 takes the rest. */
export function reshapedShape(
  from: readonly number[],
  wanted: readonly number[],
  allowZero: boolean,
): readonly number[] {
  const shape = wanted.map((extent, axis) => (extent === 0 && !allowZero ? (from[axis] as number) : extent));
  const count = from.reduce((product, extent) => product * extent, 1);
  const known = shape.reduce((product, extent) => (extent === -1 ? product : product * extent), 1);
  return shape.map((extent) => (extent === -1 ? count / known : extent));
}

/** The shape without the given axes, or without all of extent 1. */
export function squeezedShape(from: readonly number[], axes: readonly number[] | undefined): readonly number[] {
  if (axes === undefined) return from.filter((extent) => extent !== 1);
  const dropped = new Set(axes.map((axis) => fromFront(axis, from.length)));
  return from.filter((_, axis) => !dropped.has(axis));
}

/** The shape with extents of 1 at the given axes of the result. */
export function unsqueezedShape(from: readonly number[], axes: readonly number[]): readonly number[] {
  const rank = from.length + axes.length;
  const added = new Set(axes.map((axis) => fromFront(axis, rank)));
  const rest = [...from];
  return Array.from({ length: rank }, (_, axis) => (added.has(axis) ? 1 : (rest.shift() as number)));
}

/** Integers of an optional input. */
export function optionalNumbers(scope: StepScope, index: number): readonly number[] | undefined {
  return scope.inputs[index]?.numbers();
}

import { isConcrete, Tensor, toNumbers, type Value } from '@modelwright/core';
import type { Rewrite } from '../lowering.js';

/** Backward steps other than over a whole axis come out wrong, so places are gathered one by one. */
export const slice: Rewrite<'Slice'> = ({ builder, inputs, input }) => {
  const [starts, ends, axes, steps] = inputs.slice(1).map((value) => {
    const constant = value === undefined ? undefined : builder.constantOf(value);
    return constant === undefined ? undefined : [...toNumbers(constant)];
  });
  const x = input(0);
  if (!starts || !ends || !steps?.some((step) => step < 0) || !isConcrete(x.shape)) return 'keep';
  const shape = x.shape as readonly number[];
  return [
    starts.reduce((value: Value, start, index) => {
      const axis = ((axes?.[index] ?? index) + shape.length) % shape.length;
      const places = placesOf(shape[axis] as number, {
        start,
        end: ends[index] as number,
        step: steps[index] as number,
      });
      const indices = builder.constant(new Tensor('int64', [places.length], BigInt64Array.from(places, BigInt)));
      return builder.op('Gather', [value, indices], { axis });
    }, x),
  ];
};

/** The places along an axis that ONNX's `Slice` takes: ends are clamped to the axis, a backward slice may end before place 0. */
function placesOf(
  extent: number,
  { start, end, step }: { start: number; end: number; step: number },
): readonly number[] {
  const clamp = (value: number, low: number, high: number): number => Math.min(Math.max(value, low), high);
  const from = start < 0 ? start + extent : start;
  const to = end < 0 ? end + extent : end;
  const places: number[] = [];
  if (step > 0)
    for (let place = clamp(from, 0, extent); place < clamp(to, 0, extent); place += step) places.push(place);
  else
    for (let place = clamp(from, 0, extent - 1); place > clamp(to, -1, extent - 1); place += step) places.push(place);
  return places;
}

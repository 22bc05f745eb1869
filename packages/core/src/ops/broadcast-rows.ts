import { stridesOf } from '../tensor/shape.js';

/** A run of result elements `start … start+length−1`; operand `k` is read at `offsets[k] + i·steps[k]`. */
export interface Row {
  start: number;
  readonly length: number;
  readonly offsets: number[];
  readonly steps: readonly number[];
}

/**
 * Visits a result of `shape` in rows as long as the broadcasting of its operands allows: axes along which every operand
 * advances evenly are walked as one. The row object is reused from call to call.
 *
 * An operand may also be a *target* with extents 1 (a reduction's result): its step is 0 along those axes.
 */
export function forEachRow(
  shape: readonly number[],
  operands: readonly (readonly number[])[],
  visit: (row: Row) => void,
): void {
  if (shape.includes(0)) return;
  const { extents, strides } = collapseAxes(shape, operands);
  const length = extents.pop() as number;
  const row: Row = {
    start: 0,
    length,
    offsets: operands.map(() => 0),
    steps: strides.map((own) => own.pop() as number),
  };
  const counter = new Array<number>(extents.length).fill(0);
  const rows = extents.reduce((product, extent) => product * extent, 1);
  for (let index = 0; index < rows; index++, row.start += length) {
    visit(row);
    advance(counter, extents, strides, row.offsets);
  }
}

/** Strides of an operand seen through `shape`: 0 along broadcast axes. */
export function broadcastStrides(operand: readonly number[], shape: readonly number[]): number[] {
  const own = stridesOf(operand);
  const lead = shape.length - operand.length;
  return shape.map((_, axis) => (axis < lead || operand[axis - lead] === 1 ? 0 : (own[axis - lead] as number)));
}

interface CollapsedAxes {
  readonly extents: number[];
  readonly strides: number[][];
}

function collapseAxes(shape: readonly number[], operands: readonly (readonly number[])[]): CollapsedAxes {
  const full = operands.map((operand) => broadcastStrides(operand, shape));
  const extents: number[] = [];
  const strides: number[][] = operands.map(() => []);
  shape.forEach((extent, axis) => {
    if (extent === 1) return;
    const last = extents.length - 1;
    const continues = last >= 0 && full.every((own, k) => strides[k]?.[last] === (own[axis] as number) * extent);
    const at = continues ? last : last + 1;
    extents[at] = continues ? (extents[at] as number) * extent : extent;
    full.forEach((own, k) => {
      (strides[k] as number[])[at] = own[axis] as number;
    });
  });
  if (extents.length > 0) return { extents, strides };
  return { extents: [1], strides: operands.map(() => [0]) };
}

/** Moves `counter` and the operands' offsets to the next index. */
export function advance(
  counter: number[],
  extents: readonly number[],
  strides: readonly (readonly number[])[],
  offsets: number[],
): void {
  for (let axis = extents.length - 1; axis >= 0; axis--) {
    const next = (counter[axis] as number) + 1;
    const wraps = next === extents[axis];
    counter[axis] = wraps ? 0 : next;
    for (let operand = 0; operand < offsets.length; operand++) {
      const stride = strides[operand]?.[axis] as number;
      offsets[operand] = (offsets[operand] as number) + (wraps ? -stride * (next - 1) : stride);
    }
    if (!wraps) return;
  }
}

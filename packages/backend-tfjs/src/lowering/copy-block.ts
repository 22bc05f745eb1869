import type { DeviceData } from '../device/tfjs-core.js';

/** A block of a row-major array: where it begins and its extents. */
export interface Block {
  readonly shape: readonly number[];
  readonly begin: readonly number[];
  readonly size: readonly number[];
}

/** Copies a block into `target`, run by run of what lies in one piece. */
export function copyBlock(source: DeviceData, target: DeviceData, { shape, begin, size }: Block): void {
  // Axes from here on are taken whole, so that the block is in one piece behind the axis before.
  let whole = shape.length;
  while (whole > 0 && size[whole - 1] === shape[whole - 1]) whole--;
  const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((product, extent) => product * extent, 1));
  const axis = whole - 1;
  const run = axis < 0 ? source.length : (size[axis] as number) * (strides[axis] as number);
  let offset = begin.reduce((sum, at, index) => sum + at * (strides[index] as number), 0);
  const at = new Array<number>(Math.max(axis, 0)).fill(0);
  for (let written = 0; written < target.length; written += run) {
    target.set(source.subarray(offset, offset + run), written);
    for (let outer = axis - 1; outer >= 0; outer--) {
      at[outer] = (at[outer] as number) + 1;
      offset += strides[outer] as number;
      if ((at[outer] as number) < (size[outer] as number)) break;
      offset -= (at[outer] as number) * (strides[outer] as number);
      at[outer] = 0;
    }
  }
}

import type { PrunableWeight } from './prunable-weights.js';

/** A weight as matrices of outputs × inputs, one for each position of a kernel and each direction of a recurrent layer. */
export interface WeightGrid {
  /** Where each matrix begins among the weight's elements. */
  readonly planes: readonly number[];
  readonly outputs: number;
  readonly inputs: number;
  /** Elements from one output to the next. */
  readonly outputStride: number;
  readonly inputStride: number;
}

/** The matrices of a weight, from its axes of outputs and inputs. */
export function gridOf({
  weight: { shape },
  outputAxis,
  inputAxis,
}: Pick<PrunableWeight, 'weight' | 'outputAxis' | 'inputAxis'>): WeightGrid {
  const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((product, extent) => product * extent, 1));
  let planes = [0];
  shape.forEach((extent, axis) => {
    if (axis === outputAxis || axis === inputAxis) return;
    const stride = strides[axis] as number;
    planes = planes.flatMap((first) => Array.from({ length: extent }, (_, at) => first + at * stride));
  });
  return {
    planes,
    outputs: shape[outputAxis] as number,
    inputs: shape[inputAxis] as number,
    outputStride: strides[outputAxis] as number,
    inputStride: strides[inputAxis] as number,
  };
}

/** A rectangle of one matrix: elements `first + o·outputStride + i·inputStride`. */
export interface GridBlock {
  readonly first: number;
  readonly outputs: number;
  readonly inputs: number;
}

/** Calls `visit` for each block of at most `outputs` × `inputs` elements, in order; those at the edges are smaller. */
export function forEachBlock(
  grid: WeightGrid,
  { outputs, inputs }: { readonly outputs: number; readonly inputs: number },
  visit: (block: GridBlock, index: number) => void,
): void {
  let index = 0;
  for (const plane of grid.planes) {
    for (let o = 0; o < grid.outputs; o += outputs) {
      for (let i = 0; i < grid.inputs; i += inputs) {
        const first = plane + o * grid.outputStride + i * grid.inputStride;
        const extent = { outputs: Math.min(outputs, grid.outputs - o), inputs: Math.min(inputs, grid.inputs - i) };
        visit({ first, ...extent }, index++);
      }
    }
  }
}

/** Calls `visit` with the position of each element of a block. */
export function forEachElement(grid: WeightGrid, block: GridBlock, visit: (at: number) => void): void {
  for (let o = 0; o < block.outputs; o++) {
    for (let i = 0; i < block.inputs; i++) visit(block.first + o * grid.outputStride + i * grid.inputStride);
  }
}

/** Operations on one float32 lane each; comparisons yield masks that only {@link LoopNode} `select` and the logic take. */
export const laneOperations = {
  abs: 1,
  negate: 1,
  squareRoot: 1,
  ceiling: 1,
  floor: 1,
  truncate: 1,
  roundEven: 1,
  add: 2,
  subtract: 2,
  multiply: 2,
  divide: 2,
  minimum: 2,
  maximum: 2,
  equal: 2,
  notEqual: 2,
  less: 2,
  greater: 2,
  lessOrEqual: 2,
  greaterOrEqual: 2,
  and: 2,
  or: 2,
  exclusiveOr: 2,
  not: 1,
  /** `select(mask, whenTrue, whenFalse)` */
  select: 3,
} as const;

/** Name of a lane operation. */
export type LaneOperation = keyof typeof laneOperations;

/** One value of a loop body; operands are positions of earlier nodes. */
export type LoopNode =
  | { readonly kind: 'load'; readonly array: number }
  | { readonly kind: 'scalar'; readonly index: number }
  | { readonly kind: 'constant'; readonly value: number }
  | { readonly kind: 'operation'; readonly operation: LaneOperation; readonly operands: readonly number[] };

/** What a loop writes: the value of `node` into `array`. */
export interface LoopStore {
  readonly array: number;
  readonly node: number;
}

/**
 * An elementwise pass over arrays of equal length: all loads, the arithmetic, all stores, once per element. An array may be both read and
 * written.
 */
export interface LoopKernel {
  readonly arrayCount: number;
  readonly scalarCount: number;
  readonly nodes: readonly LoopNode[];
  readonly stores: readonly LoopStore[];
}

/** @returns a text that two kernels share exactly when one function can serve both. */
export function kernelSignature(kernel: LoopKernel): string {
  return JSON.stringify([kernel.arrayCount, kernel.nodes.map(nodeSignature), kernel.stores]);
}

/** @returns a text that only equal nodes share. */
export function nodeSignature(node: LoopNode): string {
  // JSON writes −0 as 0 and everything that is not finite as null.
  return JSON.stringify(node, (_, part: unknown) =>
    typeof part === 'number' ? (Object.is(part, -0) ? '-0' : String(part)) : part,
  );
}

import { blockMovement } from './block-movement.js';
import type { NoAttributes, OpFamily } from './definition.js';
import { joining } from './joining.js';
import { reshaping } from './reshaping.js';

/** Attributes of the data movement ops, by op. */
export interface MovementAttributes {
  Reshape: { allowzero: number };
  Flatten: { axis: number };
  Squeeze: NoAttributes;
  Unsqueeze: NoAttributes;
  Transpose: { perm?: readonly number[] };
  Concat: { axis: number };
  Split: { axis: number; num_outputs?: number };
  /** `(data, starts, ends, axes?, steps?)` */
  Slice: NoAttributes;
  Expand: NoAttributes;
  Tile: NoAttributes;
  DepthToSpace: { blocksize: number; mode: 'DCR' | 'CRD' };
  SpaceToDepth: { blocksize: number };
  ReverseSequence: { batch_axis: number; time_axis: number };
}

/** Data movement ops. */
export const movement: OpFamily<MovementAttributes> = { ...reshaping, ...joining, ...blockMovement };

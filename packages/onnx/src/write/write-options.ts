import type { Dimension } from '@modelwright/core';

/** Versions of ONNX that can be written. */
export const writableOpsets = { first: 17, last: 23, default: 21 } as const;

export interface ExternalDataOptions {
  /** Path of the data file, relative to the model's folder. */
  readonly location: string;
  /** Smaller tensors stay in the model file. Default 1024. */
  readonly minimumBytes?: number;
}

export interface WriteOptions {
  /**
   * Version of ONNX's operators, 17 to 23; the IR version follows from it. Default 21, or as much more as ops passed
   * on from another file need.
   */
  readonly opset?: number;
  /** Keep large tensors in a file of their own. Needed above 2 GB, which is as much as protobuf can hold. */
  readonly externalData?: ExternalDataOptions;
  /** Write types of inner values too, which viewers show. Default true. */
  readonly valueInfo?: boolean;
  /**
   * Keep what ONNX has no place for: parameters, trainable flags, regularizers, layers in `metadata_props`, ops whose identity
   * matters (`StopGradient`, `Attention`, …) as functions, what only training computes in a branch never taken. Reading gives the same
   * model back. Default true; false writes the bare computation.
   */
  readonly trainingMetadata?: boolean;
  /** Further entries for `metadata_props`. */
  readonly metadata?: { readonly [key: string]: string };
  /** Name and version of the program that made the model. Default `modelwright`. */
  readonly producer?: { readonly name: string; readonly version?: string };
}

/** Lowest IR version that goes with each opset. */
export function irVersionOf(opset: number): number {
  if (opset <= 18) return 8;
  if (opset <= 20) return 9;
  if (opset <= 22) return 10;
  if (opset <= 23) return 11;
  if (opset <= 24) return 12;
  return opset <= 27 ? 13 : 14;
}

/** Whether an extent has no name that a file could keep. */
export function isAnonymous(extent: Dimension): boolean {
  return typeof extent === 'string' && extent.startsWith('?');
}

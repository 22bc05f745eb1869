import type { DType } from '@modelwright/core';

/** A tensor as JSON: its elements, little-endian, in base64. */
export interface EncodedTensor {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly base64: string;
}

/** Inputs and what the model must answer. */
export interface GoldenCase {
  readonly name: string;
  readonly inputs: { readonly [name: string]: EncodedTensor };
  readonly outputs: { readonly [name: string]: EncodedTensor };
}

/** A handful of inputs with known answers, made when the bundle was: its proof. `golden.json`. */
export interface GoldenSet {
  readonly formatVersion: 1;
  /** Backend and device that gave the answers: `onnxruntime:cpu`. */
  readonly madeWith: string;
  /** An answer `a` passes for an expected `e` where `|a − e| ≤ absolute + relative·|e|`. */
  readonly tolerance: { readonly absolute: number; readonly relative: number };
  readonly cases: readonly GoldenCase[];
}

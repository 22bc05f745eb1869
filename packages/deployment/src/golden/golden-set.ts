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

/** A picture or a text, and the tensors that processing must make of it: that it reads alike everywhere. */
export interface GoldenReading {
  readonly name: string;
  /** By name of the model's input; pictures in base64. */
  readonly example: { readonly [input: string]: { readonly base64: string } | { readonly text: string } };
  readonly inputs: { readonly [name: string]: EncodedTensor };
}

/** An answer `a` passes for an expected `e` where `|a − e| ≤ absolute + relative·|e|`. */
export interface Tolerance {
  readonly absolute: number;
  readonly relative: number;
}

/** A handful of inputs with known answers, made when the bundle was: its proof. `golden.json`. */
export interface GoldenSet {
  readonly formatVersion: 1;
  /** Backend and device that gave the answers: `onnxruntime:cpu`. */
  readonly madeWith: string;
  readonly tolerance: Tolerance;
  /** Of single outputs, instead of {@link tolerance}. */
  readonly tolerances?: { readonly [output: string]: Tolerance };
  readonly cases: readonly GoldenCase[];
  readonly readings?: readonly GoldenReading[];
}

import type { DType } from '@modelwright/core';
import type { Processing } from '../processing/processing.js';

/** Name of the manifest in every bundle. */
export const manifestFile = 'manifest.json';

/** An input or output of a model, as metadata shows it; open extents by their symbol. */
export interface TensorInfo {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly (number | string)[];
}

/** One file of a bundle and what it must be. */
export interface FileRecord {
  /** Relative to the bundle, with `/`, never `..`. */
  readonly path: string;
  readonly sizeBytes: number;
  /** Lower-case hexadecimal. */
  readonly sha256: string;
}

/** What a bundle says of itself: `manifest.json`. */
export interface BundleManifest {
  readonly format: 'modelwright-bundle';
  readonly formatVersion: 1;
  /** Name of the model. */
  readonly name: string;
  /** Version of the model, a whole number from 1 as model repositories want it. */
  readonly version: string;
  /** What the bundle was made for: `web`, `node-service`, … */
  readonly target: string;
  /** ISO 8601, UTC. */
  readonly createdAt: string;
  /** `modelwright 1.2.0` */
  readonly generator: string;
  /** SPDX identifier, or `UNLICENSED` where nothing was said. */
  readonly licence: string;
  readonly description?: string;
  readonly model: {
    /** The `.onnx` file; with external data the others lie beside it. */
    readonly file: string;
    /** Files beside it that hold its large tensors. */
    readonly externalData?: readonly string[];
    readonly inputs: readonly TensorInfo[];
    readonly outputs: readonly TensorInfo[];
  };
  /** What turns pictures and sentences into tensors, and tensors into labels. */
  readonly processing?: Processing;
  /** Where the inputs with known answers are. */
  readonly golden: { readonly file: string; readonly madeWith: string };
  /** The record of its optimization, as `@modelwright/optimization` wrote it into the model. */
  readonly optimization?: unknown;
  /** Every file but the manifest and its signature. */
  readonly files: readonly FileRecord[];
}

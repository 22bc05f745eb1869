import type { ModelConfiguration } from '../contract/model-configuration.js';

/** A file as it lay in the repository before it was decrypted. */
export interface SealedFile {
  readonly path: string;
  readonly bytes: Uint8Array;
}

/** One version of a model as files in memory: what a repository has read, and what guards have made of it. */
export interface ModelFiles {
  readonly name: string;
  readonly version: string;
  /** What errors call it: `models/digits/3`. */
  readonly location: string;
  readonly configuration: ModelConfiguration;
  /** By their path within the version. */
  readonly files: ReadonlyMap<string, Uint8Array>;
  /** What lay in the repository for those of `files` that were encrypted, by their plain path. */
  readonly sealed?: ReadonlyMap<string, SealedFile>;
}

/**
 * Looks at files before anything in them is believed, or makes other files of them: verifies a signature, decrypts.
 *
 * @throws {@link ModelwrightError} `integrity-violation` saying what is wrong.
 */
export type FileGuard = (files: ModelFiles) => ModelFiles | Promise<ModelFiles>;

/** Whether a name can be a model's: it stands in paths of requests, in logs and in metrics. */
export function isModelName(name: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/.test(name);
}

import type { ModelConfiguration } from './model-configuration.js';
import type { ModelArtifact } from './served-model.js';

/** One version of a model as it lies in a repository. */
export interface StoredVersion {
  /** A whole number from 1, without leading zeros. */
  readonly version: string;
  /** Differs as soon as any file of the version, or the configuration, does. */
  readonly fingerprint: string;
  /** Of all its files: what loading will roughly cost. */
  readonly sizeBytes: number;
}

/** A model as it lies in a repository; nothing of it has been read but its configuration. */
export interface StoredModel {
  readonly name: string;
  readonly configuration: ModelConfiguration;
  /** Oldest first. */
  readonly versions: readonly StoredVersion[];
  /** Why none of it can be loaded: `config.json: maxBatchSize has to be …`. */
  readonly problem?: string;
}

/** Where models come from: a folder, memory, an object store. */
export interface ModelRepository {
  /** Shown in errors. */
  readonly name: string;
  /** Everything that is there now. A broken model does not hide the others: it has a `problem`. */
  scan(): Promise<readonly StoredModel[]>;
  /**
   * Reads one version: decrypts, verifies and parses it.
   *
   * @throws {@link ModelwrightError} `model-not-found`, `file-unreadable`, `integrity-violation`, `invalid-model`, `limit-exceeded`, …
   */
  read(model: string, version: string): Promise<ModelArtifact>;
}

import type { Processor } from '@modelwright/deployment';
import type { GenerationService } from '../contract/generation.js';
import type { ModelInfo, ModelState } from '../contract/model-info.js';
import type { StoredVersion } from '../contract/model-repository.js';
import type { ModelArtifact, ServedModel } from '../contract/served-model.js';

/** What is kept of an artifact once it is loaded: not its bytes. */
export type LoadedArtifact = Omit<ModelArtifact, 'model' | 'bytes' | 'golden'>;

/** A version that runs. */
export interface LoadedVersion {
  readonly artifact: LoadedArtifact;
  readonly served: ServedModel;
  readonly processor: Processor;
  /** Of the stored files it was loaded from. */
  readonly fingerprint: string;
}

/** What is known of a version that has run; holds none of what computes. */
export interface KnownVersion {
  readonly artifact: LoadedArtifact;
  readonly info: ModelInfo;
  /** Its limits and its tokenizer, if it generates. */
  readonly generation?: GenerationOutline;
}

/** What a language model can tell of itself without running. */
export type GenerationOutline = Omit<GenerationService, 'generate'>;

/** A version of a model and what it is up to; only the registry changes it. */
export interface VersionSlot {
  readonly model: string;
  readonly version: string;
  stored: StoredVersion;
  state: ModelState;
  reason: string;
  loaded?: LoadedVersion;
  /** What it is, also while it is out to make room. */
  lastKnown?: KnownVersion;
  /** Unloaded to make room: the next request loads it again. */
  isEvicted: boolean;
  /** Fingerprint that could not be loaded: not tried again until it changes or somebody asks. */
  failedFingerprint?: string;
  /** Of the last use, in order of all uses of the hub. */
  lastUse: number;
  /** Load or unload under way; changes of one slot happen one after another. */
  pending: Promise<void>;
}

/** A slot for a version that has been found and not been touched yet. */
export function createSlot(model: string, stored: StoredVersion): VersionSlot {
  return {
    model,
    version: stored.version,
    stored,
    state: 'UNAVAILABLE',
    reason: 'not loaded',
    isEvicted: false,
    lastUse: 0,
    pending: Promise.resolve(),
  };
}

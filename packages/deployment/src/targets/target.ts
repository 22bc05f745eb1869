import type { Backend, Model } from '@modelwright/core';
import type { BundleManifest } from '../bundle/manifest.js';

/** A file that a target writes into the bundle. */
export interface BundleFile {
  /** Relative to the bundle, with `/`. */
  readonly path: string;
  readonly content: Uint8Array | string;
  readonly executable?: boolean;
}

/** The manifest before the files are known. */
export type ManifestDraft = Omit<BundleManifest, 'files'>;

/** What a target is given. */
export interface TargetContext {
  readonly model: Model;
  /** Manifest as far as it is known; `files` are filled in afterwards. */
  readonly manifest: ManifestDraft;
  /** What every bundle holds: model, golden set, card, tokenizers; a target may place them elsewhere (`placed`). */
  readonly common: readonly BundleFile[];
  /** The backend that made the golden answers; targets may measure with it. */
  readonly backend: Backend;
  /** The target's own options, as the command line or the caller gave them; each target checks its own. */
  readonly options: { readonly [name: string]: unknown };
  readonly report: (message: string) => void;
}

/** Files whose places differ from those that the manifest of the context names. */
export interface TargetBuild {
  readonly files: readonly BundleFile[];
  readonly manifest: ManifestDraft;
}

/** Something a model can be deployed as; one a file. */
export interface Target {
  /** As typed: `--target web`. */
  readonly name: string;
  readonly description: string;
  /** The target's own options: name → what it means, for help and checks. */
  readonly options: { readonly [name: string]: string };
  /** Where the bundle goes if nobody says. Default `<model>-<target>`. */
  folder?(model: string): string;
  /** All files of the bundle but the manifest; with a manifest of its own where files are placed elsewhere. */
  build(context: TargetContext): Promise<readonly BundleFile[] | TargetBuild>;
  /** What to type next, shown when the bundle is written. */
  nextSteps(folder: string, manifest: BundleManifest): readonly string[];
}

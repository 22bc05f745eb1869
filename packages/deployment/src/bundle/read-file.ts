import { ModelwrightError } from '@modelwright/core';
import type { BundleSource, ReadProgress } from './bundle-source.js';
import { type BundleManifest, type FileRecord, manifestFile } from './manifest.js';
import { maxManifestBytes, parseManifest } from './parse-manifest.js';
import { sha256 } from './sha256.js';

/** Reads and checks the manifest of a bundle. */
export async function readManifest(source: BundleSource): Promise<BundleManifest> {
  return parseManifest(await source.read(manifestFile, undefined, maxManifestBytes), source.name);
}

/** A file's contents, and what is wrong with them. */
export interface CheckedFile {
  readonly bytes: Uint8Array;
  /** The error to throw where a bundle is refused. */
  readonly violation?: ModelwrightError;
}

/**
 * Reads a file and compares it with its record: no more bytes are read than the record says.
 *
 * @throws {@link ModelwrightError} `file-unreadable`, `integrity-violation` if it is longer than recorded.
 */
export async function readChecked(
  source: BundleSource,
  record: FileRecord,
  onProgress?: ReadProgress,
): Promise<CheckedFile> {
  const { path, sizeBytes } = record;
  const bytes = await source.read(path, onProgress, sizeBytes).catch((cause: unknown) => {
    throw cause instanceof ModelwrightError && cause.code === 'limit-exceeded'
      ? violationOf(source, path, `has more than the ${sizeBytes} bytes that its manifest says`)
      : cause;
  });
  if (bytes.length !== sizeBytes)
    return { bytes, violation: violationOf(source, path, `has ${bytes.length} bytes, its manifest says ${sizeBytes}`) };
  const hash = await sha256(bytes);
  return hash === record.sha256
    ? { bytes }
    : {
        bytes,
        violation: violationOf(source, path, 'is not the file that its manifest was made for (SHA-256 differs)'),
      };
}

/** The record of a file; `integrity-violation` where the manifest has none. */
export function recordFor(source: BundleSource, manifest: BundleManifest, path: string): FileRecord {
  const record = manifest.files.find((file) => file.path === path);
  if (record === undefined) throw violationOf(source, path, 'is not in the list of files of its manifest');
  return record;
}

/** The error for a file that is not what its manifest says. */
export function violationOf({ name }: BundleSource, path: string, what: string): ModelwrightError {
  return new ModelwrightError('integrity-violation', `'${path}' of ${name} ${what}`, {
    file: path,
    hint: 'fetch or deploy the bundle again',
  });
}

import { ModelwrightError } from '@modelwright/core';
import type { BundleSource } from './bundle-source.js';

/** Contents by path; texts are UTF-8. */
export type FilesInMemory = Readonly<Record<string, Uint8Array | string>> | ReadonlyMap<string, Uint8Array | string>;

/**
 * A bundle whose files are in memory: compiled into a worker, say.
 *
 * @example
 * const bundle = await loadBundle(memorySource({ 'manifest.json': manifest, 'model.onnx': bytes, 'golden.json': golden }), { backend });
 */
export function memorySource(files: FilesInMemory, name = 'the bundle in memory'): BundleSource {
  const contents: ReadonlyMap<string, Uint8Array | string> =
    files instanceof Map ? files : new Map(Object.entries(files));
  return {
    name,
    read: async (path, onProgress, maxBytes = Number.POSITIVE_INFINITY) => {
      const content = contents.get(path);
      if (content === undefined) throw missingFile(name, path);
      const bytes = typeof content === 'string' ? new TextEncoder().encode(content) : content;
      if (bytes.length > maxBytes) throw tooLarge(name, path, { given: bytes.length, allowed: maxBytes });
      onProgress?.(bytes.length, bytes.length);
      return bytes;
    },
  };
}

/** The error for a file that a bundle lacks. */
export function missingFile(name: string, path: string, cause?: unknown): ModelwrightError {
  return new ModelwrightError('file-unreadable', `${name} has no file '${path}'`, { file: path, cause });
}

/** The error for a file that is larger than it may be. */
export function tooLarge(
  name: string,
  path: string,
  { given, allowed }: { readonly given: number; readonly allowed: number },
): ModelwrightError {
  const message = `'${path}' of ${name} has at least ${given} bytes, ${allowed} are allowed`;
  return new ModelwrightError('limit-exceeded', message, { file: path, given, allowed });
}

import { open, realpath } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { isModelwrightError, ModelwrightError } from '@modelwright/core';
import type { BundleSource } from './bundle-source.js';
import { missingFile, tooLarge } from './memory-source.js';

/**
 * A bundle in a folder. Neither `..` nor a symbolic link leads out of it.
 *
 * @example
 * const bundle = await loadBundle(folderSource('digits-onnx'), { backend });
 */
export function folderSource(folder: string): BundleSource {
  const name = `'${folder}'`;
  return {
    name,
    read: async (path, onProgress, maxBytes = Number.POSITIVE_INFINITY) => {
      try {
        return await readFile(await insideOf(folder, path), { name, path, maxBytes, onProgress });
      } catch (cause) {
        if (isModelwrightError(cause)) throw cause;
        throw missingFile(name, path, cause);
      }
    },
  };
}

async function insideOf(folder: string, path: string): Promise<string> {
  const [root, target] = await Promise.all([realpath(folder), realpath(join(folder, path))]);
  const inside = relative(root, target);
  if (inside !== '' && inside !== '..' && !inside.startsWith(`..${sep}`) && !/^([a-z]:|[/\\])/i.test(inside))
    return target;
  throw new ModelwrightError('invalid-argument', `'${path}' leads out of '${folder}'`, { file: path });
}

async function readFile(
  target: string,
  {
    name,
    path,
    maxBytes,
    onProgress,
  }: { name: string; path: string; maxBytes: number; onProgress: Parameters<BundleSource['read']>[1] },
): Promise<Uint8Array> {
  const file = await open(target, 'r');
  try {
    const stats = await file.stat();
    if (!stats.isFile()) throw missingFile(name, path, 'not a regular file');
    if (stats.size > maxBytes) throw tooLarge(name, path, { given: stats.size, allowed: maxBytes });
    const bytes = new Uint8Array(stats.size);
    for (let at = 0; at < bytes.length; ) {
      const { bytesRead } = await file.read(bytes, at, Math.min(2 ** 26, bytes.length - at), at);
      if (bytesRead === 0) throw missingFile(name, path, 'became shorter while it was read');
      at += bytesRead;
      onProgress?.(at, bytes.length);
    }
    return bytes;
  } finally {
    await file.close();
  }
}

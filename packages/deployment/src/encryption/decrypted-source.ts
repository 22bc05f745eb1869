import { isModelwrightError } from '@modelwright/core';
import type { BundleSource, ReadProgress } from '../bundle/bundle-source.js';
import { tooLarge } from '../bundle/memory-source.js';
import { decryptFile, isEncrypted } from './encrypted-file.js';
import type { KeyProvider } from './key-provider.js';

/**
 * A bundle some of whose files are encrypted: they are opened in memory as they are read. For `model.onnx` it takes `model.onnx.enc`
 * where that is there instead, as `modelwright encrypt` writes it. The manifest's hashes are of the plain files.
 *
 * @param provider - Opens the keys of files.
 * @example
 * const source = decryptedSource(folderSource('digits'), await keyFileProvider('models.key'));
 * const bundle = await loadBundle(source, { backend });
 */
export function decryptedSource(source: BundleSource, provider: KeyProvider): BundleSource {
  return {
    name: source.name,
    read: async (path, onProgress, maxBytes = Number.POSITIVE_INFINITY) => {
      const bytes = await readEither(source, path, { onProgress, maxBytes: 2 * maxBytes + overheadBytes });
      const plain = isEncrypted(bytes) ? await decryptFile(bytes, provider) : bytes;
      if (plain.length > maxBytes) throw tooLarge(source.name, path, { given: plain.length, allowed: maxBytes });
      return plain;
    },
  };
}

/** Headers of an encrypted file; the tags of its chunks, even of small ones, are less than the file itself. */
const overheadBytes = 2 ** 18;

async function readEither(
  source: BundleSource,
  path: string,
  { onProgress, maxBytes }: { readonly onProgress: ReadProgress | undefined; readonly maxBytes: number },
): Promise<Uint8Array> {
  try {
    return await source.read(path, onProgress, maxBytes);
  } catch (error) {
    if (!isModelwrightError(error, 'file-unreadable')) throw error;
    // Where neither is there, the plain one is the one that is missing.
    return source.read(`${path}.enc`, onProgress, maxBytes).catch(() => {
      throw error;
    });
  }
}

import { ModelwrightError } from '@modelwright/core';
import { decryptFile, isEncrypted, type KeyProvider } from '@modelwright/deployment';
import type { FileGuard, SealedFile } from './model-files.js';

/**
 * Opens encrypted files in memory; `model.onnx.enc` becomes `model.onnx`. Files that are not encrypted stay as they are.
 *
 * @param provider - Opens the keys of files; without one, encrypted models are refused.
 * @throws {@link ModelwrightError} `integrity-violation` for another key and for files that were changed.
 */
export function decryptGuard(provider?: KeyProvider): FileGuard {
  return async (version) => {
    const files = new Map<string, Uint8Array>();
    const sealed = new Map<string, SealedFile>();
    for (const [path, bytes] of version.files) {
      if (!isEncrypted(bytes)) {
        files.set(path, bytes);
        continue;
      }
      if (provider === undefined) {
        throw new ModelwrightError(
          'integrity-violation',
          `'${path}' is encrypted, and this server has no key for models`,
          {
            file: path,
            hint: 'modelwright serve --model-key FILE',
          },
        );
      }
      const plainPath = path.replace(/\.enc$/, '');
      files.set(plainPath, await decryptFile(bytes, provider));
      sealed.set(plainPath, { path, bytes });
    }
    return { ...version, files, sealed };
  };
}

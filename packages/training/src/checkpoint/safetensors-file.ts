import { readFile } from 'node:fs/promises';
import { decodeSafetensors, encodeSafetensors, type SafetensorsContent, type TensorMap } from '@modelwright/core';
import { unreadable, writeFileAtomically } from './atomic-file.js';

/**
 * Writes tensors as a `.safetensors` file, atomically.
 *
 * @throws {@link ModelwrightError} `file-unwritable` naming the path; an earlier file then stays as it was.
 */
export async function saveSafetensors(
  path: string,
  tensors: TensorMap,
  metadata: { readonly [key: string]: string } = {},
): Promise<void> {
  await writeFileAtomically(path, encodeSafetensors(tensors, metadata));
}

/**
 * Reads a `.safetensors` file.
 *
 * @throws {@link ModelwrightError} `file-unreadable` naming the path, `invalid-data` when the file is not sound.
 */
export async function loadSafetensors(path: string): Promise<SafetensorsContent> {
  const bytes = await readFile(path).catch((cause: unknown) => {
    throw unreadable(path, cause);
  });
  return decodeSafetensors(bytes, `'${path}'`);
}

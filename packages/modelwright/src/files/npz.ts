import { ModelwrightError, type TensorMap } from '@modelwright/core';
import { unzipSync, zipSync } from 'fflate';
import { decodeNpy, encodeNpy } from './npy.js';

/**
 * Reads a NumPy `.npz` archive: one tensor an entry, named as the entry without `.npy`.
 *
 * @throws {@link ModelwrightError} `invalid-data` for anything that is not such an archive.
 */
export function decodeNpz(bytes: Uint8Array, file: string): TensorMap {
  const entries = Object.entries(unzip(bytes, file)).filter(([name]) => name.endsWith('.npy'));
  return Object.fromEntries(entries.map(([name, data]) => [name.slice(0, -4), decodeNpy(data, `${file}/${name}`)]));
}

/** Writes named tensors as a `.npz` archive, uncompressed as `numpy.savez` does. */
export function encodeNpz(tensors: TensorMap): Uint8Array {
  const entries = Object.entries(tensors).map(([name, tensor]): [string, Uint8Array] => [
    `${name}.npy`,
    encodeNpy(tensor),
  ]);
  return zipSync(Object.fromEntries(entries), { level: 0 });
}

function unzip(bytes: Uint8Array, file: string): { readonly [name: string]: Uint8Array } {
  try {
    return unzipSync(bytes);
  } catch (cause) {
    throw new ModelwrightError('invalid-data', `'${file}' is not a readable .npz archive`, { file, cause });
  }
}

import { chmod, readFile, stat } from 'node:fs/promises';
import { ModelwrightError } from '@modelwright/core';
import { writeFileAtomically } from '../files/atomic-file.js';
import { whileLocked } from '../files/file-lock.js';
import { createApiKey, type KeyRecord, readKeys, writeKeys } from './api-key.js';

/**
 * Reads a keys file.
 *
 * @throws {@link ModelwrightError} `file-unreadable`, or `invalid-configuration` if it is broken or others than its owner may write it.
 */
export async function readKeysFile(file: string): Promise<readonly KeyRecord[]> {
  return readKeys(await readGuardedFile(file), file);
}

/**
 * Makes a key and keeps its record in `file`, which is made if it is not there.
 *
 * @returns the key, which nobody can read again, and its record.
 */
export async function addKeyToFile(
  file: string,
  options: { readonly name: string; readonly roles: readonly string[]; readonly expiresAt?: Date },
): Promise<{ readonly key: string; readonly record: KeyRecord }> {
  return whileLocked(file, async () => {
    const records = (await exists(file)) ? await readKeysFile(file) : [];
    const made = await createApiKey(options);
    await writeKeysFile(file, [...records, made.record]);
    return made;
  });
}

/**
 * Marks a key as revoked; running servers that watch the file refuse it within a second.
 *
 * @param id - As `keys list` shows it, or the whole key. Revoking again changes nothing.
 * @throws {@link ModelwrightError} `invalid-argument` if there is no such key.
 */
export async function revokeKeyInFile(file: string, id: string): Promise<KeyRecord> {
  return whileLocked(file, async () => {
    const records = await readKeysFile(file);
    const wanted = /^mw_([0-9a-f]{12})_/.exec(id)?.[1] ?? id;
    const record = records.find((each) => each.id === wanted);
    if (record === undefined)
      throw new ModelwrightError('invalid-argument', `'${file}' has no key '${wanted}'.`, { file });
    const revoked = { ...record, revokedAt: record.revokedAt ?? new Date().toISOString() };
    await writeKeysFile(
      file,
      records.map((each) => (each === record ? revoked : each)),
    );
    return revoked;
  });
}

/**
 * Reads a file that decides who may do what: whoever may write it may do everything.
 *
 * @throws {@link ModelwrightError} `file-unreadable`; `invalid-configuration` if group or others may write it.
 */
export async function readGuardedFile(file: string): Promise<string> {
  try {
    const { mode } = await stat(file);
    if (process.platform === 'win32' || (mode & 0o022) === 0) return await readFile(file, 'utf8');
  } catch (cause) {
    throw new ModelwrightError('file-unreadable', `'${file}' cannot be read.`, { file, cause });
  }
  throw new ModelwrightError('invalid-configuration', `'${file}' may be written by others than its owner.`, {
    file,
    hint: `chmod go-w ${file}`,
  });
}

/** Keeps the permissions that the file has. */
async function writeKeysFile(file: string, records: readonly KeyRecord[]): Promise<void> {
  const mode = (await exists(file)) ? (await stat(file)).mode & 0o777 : 0o600;
  await writeFileAtomically(file, writeKeys(records), mode);
  await chmod(file, mode);
}

async function exists(file: string): Promise<boolean> {
  return stat(file).then(
    () => true,
    () => false,
  );
}

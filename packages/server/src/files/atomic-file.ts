import { randomUUID } from 'node:crypto';
import { open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { ModelwrightError } from '@modelwright/core';

/**
 * Writes a file whole or not at all: beside its place, to the disk, then under its name.
 *
 * @param mode - Permissions of the new file; default only for its owner.
 * @throws {@link ModelwrightError} `file-unwritable`.
 */
export async function writeFileAtomically(file: string, content: string, mode = 0o600): Promise<void> {
  const temporary = `${file}.${randomUUID()}.tmp`;
  try {
    const handle = await open(temporary, 'wx', mode);
    try {
      await handle.writeFile(content);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, file);
    await syncFolder(dirname(file));
  } catch (cause) {
    await rm(temporary, { force: true });
    throw new ModelwrightError('file-unwritable', `'${file}' cannot be written.`, { file, cause });
  }
}

/** Makes names in a folder last; where the system cannot, they last as they do. */
export async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

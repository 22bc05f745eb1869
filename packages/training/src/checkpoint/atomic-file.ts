import { open, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { ModelwrightError } from '@modelwright/core';

let attempts = 0;

/**
 * Writes a file so that at every moment, also if the process dies or the disk fills up, either its old content or the
 * whole new one is there: a temporary file beside it is written, forced to the disk, and takes its name.
 *
 * @param content - Text (UTF-8), bytes, or a list of bytes written one after the other.
 * @throws {@link ModelwrightError} `file-unwritable` naming the path; the old file is as it was and nothing is left behind.
 */
export async function writeFileAtomically(
  path: string,
  content: string | Uint8Array | readonly Uint8Array[],
): Promise<void> {
  const temporary = join(dirname(path), `.${basename(path)}.${process.pid}-${attempts++}.tmp`);
  try {
    await writeAndSync(temporary, typeof content === 'string' || content instanceof Uint8Array ? [content] : content);
    await rename(temporary, path);
    await syncFolder(dirname(path));
  } catch (cause) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw unwritable(path, cause);
  }
}

async function writeAndSync(path: string, pieces: readonly (string | Uint8Array)[]): Promise<void> {
  const file = await open(path, 'wx');
  try {
    for (const piece of pieces) await file.writeFile(piece);
    await file.sync();
  } finally {
    await file.close();
  }
}

// The new name is durable once the folder is on the disk. Some systems (Windows) cannot sync folders: the rename stands anyway.
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r').catch(() => undefined);
  await folder?.sync().catch(() => undefined);
  await folder?.close();
}

const reasons: { readonly [code: string]: string } = {
  ENOENT: 'the folder does not exist',
  EACCES: 'permission is denied',
  EPERM: 'permission is denied',
  EROFS: 'the file system is read-only',
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk quota is used up',
  EFBIG: 'it would be larger than allowed',
  EISDIR: 'it is a folder',
  ENOTDIR: 'part of its path is not a folder',
};

/** The error for a file that cannot be written, with the reason in words. */
export function unwritable(path: string, cause: unknown): ModelwrightError<'file-unwritable'> {
  const code = (cause as { code?: string }).code ?? '';
  const reason = reasons[code] ?? (cause instanceof Error ? cause.message : String(cause));
  return new ModelwrightError('file-unwritable', `cannot write '${path}': ${reason}`, {
    file: path,
    given: code,
    cause,
  });
}

/** The error for a file that cannot be read, with the reason in words. */
export function unreadable(path: string, cause: unknown): ModelwrightError<'file-unreadable'> {
  const code = (cause as { code?: string }).code ?? '';
  const reason =
    code === 'ENOENT'
      ? 'it does not exist'
      : (reasons[code] ?? (cause instanceof Error ? cause.message : String(cause)));
  return new ModelwrightError('file-unreadable', `cannot read '${path}': ${reason}`, {
    file: path,
    given: code,
    cause,
  });
}

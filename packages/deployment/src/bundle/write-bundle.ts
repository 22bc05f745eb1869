import { randomBytes } from 'node:crypto';
import { access, chmod, mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { isModelwrightError, ModelwrightError } from '@modelwright/core';
import type { BundleFile } from '../targets/target.js';
import { manifestFile } from './manifest.js';

/**
 * Writes a bundle so that at every moment either the old folder or the whole new one is there: all files go into a folder beside it,
 * which then takes its name.
 *
 * @throws {@link ModelwrightError} `file-unwritable` if something else than a bundle is there already, or what the system says.
 */
export async function writeBundle(folder: string, files: readonly BundleFile[]): Promise<void> {
  const target = resolve(folder);
  await requireReplaceable(target);
  const suffix = `${process.pid}-${randomBytes(4).toString('hex')}`;
  const temporary = join(dirname(target), `.${basename(target)}.${suffix}.tmp`);
  try {
    await mkdir(dirname(target), { recursive: true });
    await mkdir(temporary);
    for (const file of files) await writeFileIn(temporary, file);
    await replaceFolder(temporary, target, join(dirname(target), `.${basename(target)}.${suffix}.old`));
  } catch (cause) {
    await rm(temporary, { recursive: true, force: true }).catch(() => undefined);
    if (isModelwrightError(cause)) throw cause;
    throw unwritable(folder, (cause as Error).message, cause);
  }
}

/** Only a bundle, or nothing, is replaced: a slip in a path shall not cost a folder of other work. */
async function requireReplaceable(target: string): Promise<void> {
  const entries: readonly string[] = await readdir(target).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT') return [];
    throw unwritable(target, cause.code === 'ENOTDIR' ? 'it is a file' : cause.message, cause);
  });
  if (entries.length === 0 || entries.includes(manifestFile)) return;
  throw unwritable(target, 'the folder holds other files and is no bundle');
}

async function writeFileIn(folder: string, { path, content, executable }: BundleFile): Promise<void> {
  const target = join(folder, path);
  await mkdir(dirname(target), { recursive: true });
  const file = await open(target, 'wx');
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
  if (executable === true) await chmod(target, 0o755);
}

async function replaceFolder(temporary: string, target: string, aside: string): Promise<void> {
  const isThere = await access(target).then(
    () => true,
    () => false,
  );
  if (isThere) await rename(target, aside);
  try {
    await rename(temporary, target);
  } catch (error) {
    if (isThere) await rename(aside, target);
    throw error;
  }
  await rm(aside, { recursive: true, force: true });
}

function unwritable(folder: string, why: string, cause?: unknown): ModelwrightError {
  return new ModelwrightError('file-unwritable', `cannot write the bundle '${folder}': ${why}`, {
    file: folder,
    cause,
  });
}

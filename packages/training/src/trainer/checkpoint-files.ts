import { readdir, readFile, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { isModelwrightError, ModelwrightError } from '@modelwright/core';
import { unreadable, writeFileAtomically } from '../checkpoint/atomic-file.js';
import { loadSafetensors, saveSafetensors } from '../checkpoint/safetensors-file.js';
import { type Checkpoint, parseNotes } from './checkpoint.js';

const extension = /\.(json|safetensors)$/;

/** Where a checkpoint lies: `path` with or without its extension. */
function filesAt(path: string): { readonly notes: string; readonly folder: string; readonly name: string } {
  const base = path.replace(extension, '');
  return { notes: `${base}.json`, folder: dirname(base), name: basename(base) };
}

/**
 * Writes a checkpoint as `<path>.json` and a `.safetensors` file that it names. The tensors are written first, then the
 * JSON takes the place of the one before: until that moment the previous checkpoint is whole, from then on the new one.
 *
 * @throws {@link ModelwrightError} `file-unwritable`; the previous checkpoint is then intact.
 */
export async function writeCheckpoint(path: string, { notes, tensors }: Checkpoint): Promise<void> {
  const files = filesAt(path);
  const previous = await previousTensors(files.notes);
  const plain = `${files.name}.${notes.step}.safetensors`;
  // Never write over the file that the present JSON names.
  const tensorFile = previous === plain ? `${files.name}.${notes.step}b.safetensors` : plain;
  try {
    await saveSafetensors(join(files.folder, tensorFile), tensors);
    await writeFileAtomically(files.notes, `${JSON.stringify({ ...notes, tensors: tensorFile }, null, 2)}\n`);
  } catch (cause) {
    if (previous !== tensorFile) await rm(join(files.folder, tensorFile), { force: true }).catch(() => undefined);
    throw intact(cause, files.notes, previous !== undefined);
  }
  await removeOthers(files, tensorFile);
}

/**
 * Reads what {@link writeCheckpoint} wrote.
 *
 * @throws {@link ModelwrightError} `file-unreadable`, `invalid-data`, `checkpoint-mismatch`.
 */
export async function readCheckpoint(path: string): Promise<Checkpoint> {
  const files = filesAt(path);
  const text = await readFile(files.notes, 'utf8').catch((cause: unknown) => {
    throw unreadable(files.notes, cause);
  });
  const { tensors: tensorFile, ...notes } = parseNotes(text, files.notes);
  const { tensors } = await loadSafetensors(join(files.folder, basename(tensorFile)));
  return { notes, tensors };
}

/** Whether a checkpoint lies at `path`. */
export async function checkpointExists(path: string): Promise<boolean> {
  return readFile(filesAt(path).notes).then(
    () => true,
    () => false,
  );
}

async function previousTensors(notes: string): Promise<string | undefined> {
  const text = await readFile(notes, 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  try {
    return parseNotes(text, notes).tensors;
  } catch {
    return undefined;
  }
}

// Tensors of earlier checkpoints, and of attempts that were killed half-way.
async function removeOthers({ folder, name }: { folder: string; name: string }, kept: string): Promise<void> {
  const own = new RegExp(`^${name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}\\.\\d+b?\\.safetensors$`);
  const files = await readdir(folder).catch(() => []);
  const old = files.filter((file) => own.test(file) && file !== kept);
  await Promise.all(old.map((file) => rm(join(folder, file), { force: true }).catch(() => undefined)));
}

function intact(cause: unknown, notes: string, hasPrevious: boolean): unknown {
  if (!isModelwrightError(cause, 'file-unwritable') || !hasPrevious) return cause;
  return new ModelwrightError(
    'file-unwritable',
    `checkpoint '${notes}' was not written: ${cause.message}; the previous checkpoint is intact`,
    { ...cause.details, cause },
  );
}

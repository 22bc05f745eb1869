import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isModelwrightError, tensor, zeros } from '@modelwright/core';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { writeFileAtomically } from './atomic-file.js';
import { loadSafetensors, saveSafetensors } from './safetensors-file.js';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'modelwright-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function failureOf(work: Promise<unknown>): Promise<{ code: string; message: string; file: string | undefined }> {
  const error: unknown = await work.then(
    () => undefined,
    (caught: unknown) => caught,
  );
  if (!isModelwrightError(error)) throw error ?? new RangeError('it did not fail');
  return { code: error.code, message: error.message, file: error.details.file };
}

test('tensors come back from a file, which replaces the one before', async () => {
  const path = join(folder, 'weights.safetensors');
  await saveSafetensors(path, { w: tensor([1, 2]) });
  await saveSafetensors(path, { w: tensor([3, 4]) }, { step: '7' });
  expect(await loadSafetensors(path)).toEqual({ tensors: { w: tensor([3, 4]) }, metadata: { step: '7' } });
  expect(await readdir(folder)).toEqual(['weights.safetensors']);
});

test('a write that cannot finish names the path, keeps what was there and leaves nothing behind', async () => {
  const path = join(folder, 'taken');
  await mkdir(path);
  await writeFile(join(path, 'inside'), 'kept');
  const failure = await failureOf(writeFileAtomically(path, 'new'));
  expect(failure).toMatchObject({ code: 'file-unwritable', file: path });
  expect(failure.message).toContain(`cannot write '${path}': it is a folder`);
  expect(await readdir(folder)).toEqual(['taken']);
  expect(await readFile(join(path, 'inside'), 'utf8')).toBe('kept');
});

test('a missing folder and a missing file are told by name', async () => {
  const path = join(folder, 'nowhere', 'weights.safetensors');
  expect((await failureOf(saveSafetensors(path, {}))).message).toBe(
    `cannot write '${path}': the folder does not exist`,
  );
  expect(await failureOf(loadSafetensors(path))).toMatchObject({
    code: 'file-unreadable',
    message: `cannot read '${path}': it does not exist`,
  });
});

/** A file system of 64 KiB, where the machine lets us have one. */
function mountTiny(at: string, options = ''): boolean {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=64k${options}`, 'tmpfs', at], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

test('a full disk and a read-only folder leave the checkpoint before intact', async ({ skip }) => {
  const disk = join(folder, 'disk');
  await mkdir(disk);
  if (!mountTiny(disk)) skip('mounting a small file system needs root on Linux');
  try {
    const path = join(disk, 'weights.safetensors');
    await saveSafetensors(path, { w: tensor([1, 2]) });
    const full = await failureOf(saveSafetensors(path, { w: zeros('float32', [100_000]) }));
    expect(full).toEqual({ code: 'file-unwritable', message: `cannot write '${path}': the disk is full`, file: path });
    execFileSync('mount', ['-o', 'remount,ro', disk]);
    const readOnly = await failureOf(saveSafetensors(path, { w: tensor([5]) }));
    expect(readOnly.message).toBe(`cannot write '${path}': the file system is read-only`);
    expect((await loadSafetensors(path)).tensors).toEqual({ w: tensor([1, 2]) });
    expect(await readdir(disk)).toEqual(['weights.safetensors']);
  } finally {
    execFileSync('umount', [disk]);
  }
});

import { randomUUID } from 'node:crypto';
import { link, readFile, rm, writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { ModelwrightError } from '@modelwright/core';

/**
 * Takes a lock by a file that only one process can create; one that a dead process left behind is taken over.
 *
 * @param waitMilliseconds - How long to wait for another process.
 * @returns what gives it back.
 * @throws {@link ModelwrightError} `file-unwritable` if another process holds it.
 */
export async function lockFile(file: string, waitMilliseconds: number): Promise<() => Promise<void>> {
  const deadline = performance.now() + waitMilliseconds;
  for (;;) {
    if (await create(file)) return () => rm(file, { force: true });
    const holder = Number.parseInt(await readFile(file, 'utf8').catch(() => ''), 10);
    if (isDead(holder)) await rm(file, { force: true });
    else if (performance.now() < deadline) await sleep(20);
    else throw new ModelwrightError('file-unwritable', `'${file}' is held by process ${holder}.`, { file });
  }
}

/** Runs `action` while holding `${file}.lock`. */
export async function whileLocked<T>(file: string, action: () => Promise<T>): Promise<T> {
  const unlock = await lockFile(`${file}.lock`, 5000);
  try {
    return await action();
  } finally {
    await unlock();
  }
}

/** The name appears together with its content: nobody sees a lock without its process. */
async function create(file: string): Promise<boolean> {
  const temporary = `${file}.${randomUUID()}`;
  try {
    await writeFile(temporary, String(process.pid), { mode: 0o600 });
    await link(temporary, file);
    return true;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw new ModelwrightError('file-unwritable', `'${file}' cannot be written.`, { file, cause });
  } finally {
    await rm(temporary, { force: true });
  }
}

function isDead(holder: number): boolean {
  if (!Number.isInteger(holder)) return false;
  try {
    process.kill(holder, 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
}

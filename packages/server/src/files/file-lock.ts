import { randomUUID } from 'node:crypto';
import { link, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { ModelwrightError } from '@modelwright/core';

const heartbeatMilliseconds = 10_000;
const staleMilliseconds = 3 * heartbeatMilliseconds;
const held = new Set<string>();

/**
 * Takes a lock by a file that only one process can create; one that a dead process left behind is taken over. Of processes of other
 * machines (or containers, where every process may be number 1) only a sign of life tells: they touch the file every ten seconds.
 *
 * @param waitMilliseconds - How long to wait for another process.
 * @returns what gives it back.
 * @throws {@link ModelwrightError} `file-unwritable` if another process holds it.
 */
export async function lockFile(file: string, waitMilliseconds: number): Promise<() => Promise<void>> {
  const deadline = performance.now() + waitMilliseconds;
  const own = `${hostname()} ${process.pid} ${randomUUID()}`;
  while (!(await create(file, own))) {
    const holder = await readFile(file, 'utf8').catch(() => undefined);
    if (holder === undefined) continue;
    if (await isAbandoned(file, holder)) await rm(file, { force: true });
    else if (performance.now() < deadline) await sleep(20);
    else throw new ModelwrightError('file-unwritable', `'${file}' is held by another process: ${holder}.`, { file });
  }
  held.add(own);
  const heartbeat = setInterval(() => {
    const now = new Date();
    utimes(file, now, now).catch(() => {});
  }, heartbeatMilliseconds);
  heartbeat.unref();
  return async () => {
    clearInterval(heartbeat);
    held.delete(own);
    await rm(file, { force: true });
  };
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

/** The name appears together with its content: nobody sees a lock without its holder. */
async function create(file: string, content: string): Promise<boolean> {
  const temporary = `${file}.${randomUUID()}`;
  try {
    await writeFile(temporary, content, { mode: 0o600 });
    await link(temporary, file);
    return true;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw new ModelwrightError('file-unwritable', `'${file}' cannot be written.`, { file, cause });
  } finally {
    await rm(temporary, { force: true });
  }
}

async function isAbandoned(file: string, holder: string): Promise<boolean> {
  const [host, number] = holder.split(' ');
  if (host === hostname()) return Number(number) === process.pid ? !held.has(holder) : isDead(Number(number));
  const touched = await stat(file).catch(() => undefined);
  return touched !== undefined && Date.now() - touched.mtimeMs > staleMilliseconds;
}

function isDead(holder: number): boolean {
  try {
    process.kill(holder, 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
}

import { spawnSync } from 'node:child_process';
import { mkdtemp, rm, utimes, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { lockFile } from './file-lock.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'modelwright-lock-'));
});
afterAll(() => rm(folder, { recursive: true }));

test('one holds it; when it is given back, the next', async () => {
  const file = join(folder, 'one');
  const unlock = await lockFile(file, 0);
  await expect(lockFile(file, 0)).rejects.toMatchObject({ code: 'file-unwritable' });
  const waiting = lockFile(file, 5000);
  await unlock();
  await (await waiting)();
});

const dead = spawnSync(process.execPath, ['--version']).pid;
const longAgo = new Date(Date.now() - 60_000);

test.each<[string, string, Date | undefined, boolean]>([
  ['a dead process of this machine', `${hostname()} ${dead} x`, undefined, true],
  ['a former process of our number', `${hostname()} ${process.pid} x`, undefined, true],
  ['another process of this machine', `${hostname()} ${process.ppid} x`, longAgo, false],
  ['a process of another machine', 'elsewhere 1 x', undefined, false],
  ['a process of another machine that is silent', 'elsewhere 1 x', longAgo, true],
])('left by %s', async (_what, content, time, isTaken) => {
  const file = join(folder, 'left');
  await writeFile(file, content);
  if (time !== undefined) await utimes(file, time, time);
  if (isTaken) await (await lockFile(file, 0))();
  else await expect(lockFile(file, 0)).rejects.toThrow(content);
  await rm(file, { force: true });
});

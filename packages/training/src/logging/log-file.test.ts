import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { csvLog, jsonLinesLog } from './log-file.js';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'modelwright-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

test('JSON lines grow by a line a record and may go on later', async () => {
  const path = join(folder, 'log.jsonl');
  const log = jsonLinesLog(path);
  await log.write({ epoch: 1, loss: 0.5 });
  await log.write({ epoch: 2, loss: Number.NaN });
  await jsonLinesLog(path, { append: true }).write({ epoch: 3, loss: 0.25 });
  const lines = (await readFile(path, 'utf8')).trimEnd().split('\n');
  expect(lines.map((line) => JSON.parse(line))).toEqual([
    { epoch: 1, loss: 0.5 },
    { epoch: 2, loss: 'NaN' },
    { epoch: 3, loss: 0.25 },
  ]);
});

test('CSV has one header, quotes what it must, and starts anew unless told to go on', async () => {
  const path = join(folder, 'log.csv');
  await csvLog(path).write({ old: 1 });
  const log = csvLog(path);
  await log.write({ epoch: 1, loss: 0.5, 'note, long': 'a "b"' });
  await log.write({ loss: 0.25, epoch: 2 });
  await csvLog(path, { append: true }).write({ epoch: 3, loss: 0.125 });
  expect(await readFile(path, 'utf8')).toContain('epoch,loss,"note, long"\n1,0.5,"a ""b"""\n2,0.25,\n');
});

test('CSV goes on under the header that is there', async () => {
  const path = join(folder, 'log.csv');
  await csvLog(path).write({ epoch: 1, loss: 0.5 });
  const log = csvLog(path, { append: true });
  await log.write({ loss: 0.25, epoch: 2 });
  expect(await readFile(path, 'utf8')).toBe('epoch,loss\n1,0.5\n2,0.25\n');
  await expect(log.write({ accuracy: 1 })).rejects.toThrow("has no column 'accuracy'; it has: epoch, loss");
});

test('a log that cannot be written is named', async () => {
  const path = join(folder, 'nowhere', 'log.csv');
  await expect(csvLog(path).write({ a: 1 })).rejects.toMatchObject({
    code: 'file-unwritable',
    message: `cannot write '${path}': the folder does not exist`,
  });
});

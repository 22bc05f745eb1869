import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { tensor } from '@modelwright/core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { fromCsvFile, fromIdxFiles } from './files.js';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'modelwright-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

test('CSV files are read as streams, anew for each pass, gzipped or plain', async () => {
  const lines = Array.from({ length: 20_000 }, (_, index) => `${index},${index % 2}`);
  const text = `x,y\n${lines.join('\n')}\n`;
  await writeFile(join(folder, 'a.csv'), text);
  await writeFile(join(folder, 'a.csv.gz'), gzipSync(text));
  for (const file of ['a.csv', 'a.csv.gz']) {
    const data = fromCsvFile(join(folder, file), { label: 'y' });
    for (let pass = 0; pass < 2; pass++) {
      const last = (await data.toArray()).at(-1);
      expect(last).toEqual({ inputs: tensor([19_999]), targets: tensor(1) });
    }
  }
});

test('files that cannot be read are named', async () => {
  const path = join(folder, 'missing.csv');
  await expect(fromCsvFile(path).toArray()).rejects.toMatchObject({
    code: 'file-unreadable',
    message: `cannot read '${path}': it does not exist`,
  });
  await expect(fromIdxFiles(path, path)).rejects.toMatchObject({ code: 'file-unreadable' });
  await writeFile(join(folder, 'broken.csv.gz'), 'this is no gzip data');
  await expect(fromCsvFile(join(folder, 'broken.csv.gz')).toArray()).rejects.toMatchObject({ code: 'file-unreadable' });
});

import { expect, it } from 'vitest';
import * as inBrowsers from './files.browser.js';
import * as inNode from './files.node.js';

it('offers the same names with and without a file system', () => {
  expect(Object.keys(inBrowsers).sort()).toEqual(Object.keys(inNode).sort());
});

it('says what to do instead where there is no file system', async () => {
  await expect(inBrowsers.checkpointExists('run/last')).resolves.toBe(false);
  await expect(inBrowsers.readCheckpoint('run/last')).rejects.toMatchObject({ code: 'file-unreadable' });
  const refused = { code: 'file-unwritable', message: expect.stringContaining('writeOnnx') };
  await expect(inBrowsers.csvLog('log.csv').write({ loss: 1 })).rejects.toMatchObject(refused);
  await expect(inBrowsers.writeCheckpoint('run/last', { notes: {} as never, tensors: {} })).rejects.toMatchObject(
    refused,
  );
});

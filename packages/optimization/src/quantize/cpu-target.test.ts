import { expect, test } from 'vitest';
import { detectTarget } from './cpu-target.js';

const cpuInfo = (line: string) => async () => `processor\t: 0\n${line}\nbugs\t\t: none\n`;

test.each([
  ['flags\t\t: fpu avx avx2 fma', false],
  ['flags\t\t: fpu avx2 avx512f avx512_vnni', true],
  ['flags\t\t: fpu avx2 avx_vnni', true],
  ['Features\t: fp asimd aes asimddp', true],
])('%s', async (line, vnni) => {
  expect((await detectTarget(cpuInfo(line))).vnni).toBe(vnni);
});

test('a CPU that cannot be looked up counts as one without', async () => {
  const unknown = await detectTarget(async () => {
    throw new TypeError('no file system');
  });
  expect(unknown.vnni).toBe(false);
  expect(unknown.reason).toContain('not known');
});

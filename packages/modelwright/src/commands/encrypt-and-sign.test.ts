import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createVerifier } from '@modelwright/deployment';
import { verifyModelSignature } from '@modelwright/deployment/node';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createWorkplace, type Workplace } from '../../test/command-line.js';

let workplace: Workplace;
beforeAll(async () => {
  workplace = await createWorkplace();
});
afterAll(() => workplace.dispose());

test('a model is encrypted, given another key, and decrypted', async () => {
  const run = async (...words: string[]): Promise<string> => {
    const { exitCode, stdout, stderr } = await workplace.modelwright(words);
    expect([exitCode, stderr]).toEqual([0, '']);
    return stdout;
  };
  expect(await run('encrypt', 'tiny.onnx', '--key', 'a.key', '--generate-key')).toContain("encrypted 'tiny.onnx'");
  await run('encrypt', 'tiny.onnx', '--key', 'b.key', '--generate-key', '-o', 'other.enc');
  await run('encrypt', 'tiny.onnx.enc', '--key', 'a.key', '--rewrap', 'b.key');
  await run('encrypt', 'tiny.onnx.enc', '--key', 'b.key', '--decrypt', '-o', 'plain.onnx');
  const [plain, given] = await Promise.all(
    ['plain.onnx', 'tiny.onnx'].map((name) => readFile(join(workplace.folder, name))),
  );
  expect(given?.equals(plain as Buffer)).toBe(true);
  const refused = await workplace.modelwright(['encrypt', 'tiny.onnx.enc', '--key', 'a.key', '--decrypt', '-o', 'x']);
  expect(refused.stderr).toContain('integrity-violation');
  expect(refused.exitCode).not.toBe(0);
});

test('a model is signed with a new key that only its owner reads', async () => {
  const { exitCode, data } = await workplace.json(['sign', 'tiny.onnx', '--key', 's.pem', '--generate-key']);
  expect([exitCode, data]).toMatchObject([0, { signature: 'tiny.onnx.sig' }]);
  expect((await stat(join(workplace.folder, 's.pem'))).mode & 0o077).toBe(0);
  const verifiers = [await createVerifier(await readFile(join(workplace.folder, 's.pem.pub'), 'utf8'))];
  const model = join(workplace.folder, 'tiny.onnx');
  await verifyModelSignature(model, { verifiers });
  const bytes = await readFile(model);
  bytes[100] = (bytes[100] as number) ^ 1;
  await writeFile(model, bytes);
  await expect(verifyModelSignature(model, { verifiers })).rejects.toThrow(/was changed after it was signed/);
});

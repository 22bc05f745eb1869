import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createWorkplace, type Workplace } from '../../test/command-line.js';

let workplace: Workplace;
beforeAll(async () => {
  workplace = await createWorkplace();
});
afterAll(() => workplace.dispose());

test('a bundle is made, verified on another backend, and refused once a bit of it is flipped', async () => {
  const made = await workplace.json<{ folder: string; files: string[]; manifest: { processing: object } }>([
    ...['deploy', 'tiny.onnx', '--target', 'onnx', '--set', 'opset=17', '--set', 'external-data'],
    ...['--image', 'invert', '--labels', 'low,middle,high', '--licence', 'MIT'],
  ]);
  expect([made.exitCode, made.data.folder]).toEqual([0, 'tiny-onnx']);
  expect(made.data.files).toEqual(['manifest.json', 'model.onnx', 'golden.json', 'MODEL_CARD.md']);
  expect(made.data.manifest.processing).toMatchObject({
    inputs: { image: { kind: 'image', width: 8, height: 8, channels: 1, layout: 'channelsFirst', invert: true } },
    outputs: { scores: { kind: 'labels', activation: 'none', labels: ['low', 'middle', 'high'] } },
  });

  const verified = await workplace.modelwright(['verify', 'tiny-onnx', '--backend', 'wasm']);
  expect(verified.exitCode).toBe(0);
  expect(verified.stdout).toMatch(/answers on wasm:cpu, expected as of onnxruntime:cpu/);
  expect(verified.stdout).toMatch(/verified\n$/);

  const file = join(workplace.folder, 'tiny-onnx', 'model.onnx');
  const bytes = readFileSync(file);
  bytes[bytes.indexOf('stem.kernel') + 20]! ^= 1;
  writeFileSync(file, bytes);
  const refused = await workplace.json<{ passed: boolean; problems: string[] }>(['verify', 'tiny-onnx', '--no-run']);
  expect([refused.exitCode, refused.data.passed]).toEqual([1, false]);
  expect(refused.data.problems[0]).toContain(
    "'model.onnx' of 'tiny-onnx' is not the file that its manifest was made for",
  );
});

test('what is wrong on the command line is said, and no other folder is replaced', async () => {
  const deploy = (...args: readonly string[]) => workplace.modelwright(['deploy', 'tiny.onnx', '--target', ...args]);
  const [target, option, folder] = await Promise.all([
    deploy('moon'),
    deploy('onnx', '--set', 'oops=1'),
    deploy('onnx', '-o', '.'),
  ]);
  expect([target.exitCode, target.stderr]).toEqual([2, expect.stringContaining("there is no target 'moon'")]);
  expect(option.stderr).toContain("target 'onnx' has no option 'oops'");
  expect([folder.exitCode, folder.stderr]).toEqual([3, expect.stringContaining('holds other files and is no bundle')]);
});

test('a signature is asked for where a key is given', async () => {
  await workplace.modelwright(['deploy', 'tiny.onnx', '--target', 'onnx', '-o', 'signed']);
  const key = ['--public-key', 'key.pem.pub'];
  await workplace.modelwright(['sign', 'signed', '--key', 'key.pem', '--generate-key']);
  const [verified, bare] = await Promise.all([
    workplace.modelwright(['verify', 'signed', '--no-run', ...key]),
    workplace.modelwright(['verify', 'tiny.onnx', ...key]),
  ]);
  expect([verified.exitCode, verified.stdout]).toEqual([
    0,
    expect.stringMatching(/signature\n {2}ok {5}4 files as signed/),
  ]);
  writeFileSync(join(workplace.folder, 'signed', 'extra.txt'), 'not signed');
  const extra = await workplace.json<{ problems: string[] }>(['verify', 'signed', '--no-run', ...key]);
  expect([extra.exitCode, extra.data.problems]).toEqual([1, ["'extra.txt' is not among the signed files"]]);
  expect([bare.exitCode, bare.stdout]).toEqual([1, expect.stringContaining("'tiny.onnx' is not signed")]);
});

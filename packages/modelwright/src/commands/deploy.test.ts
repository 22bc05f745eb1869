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
  expect(refused.data.problems[0]).toContain("'model.onnx' of 'tiny-onnx' is not the file that its manifest was made for");
});

test('what is wrong on the command line is said, and no other folder is replaced', async () => {
  const target = await workplace.modelwright(['deploy', 'tiny.onnx', '--target', 'moon']);
  expect(target.exitCode).toBe(2);
  expect(target.stderr).toContain("there is no target 'moon'");
  const option = await workplace.modelwright(['deploy', 'tiny.onnx', '--target', 'onnx', '--set', 'oops=1']);
  expect(option.stderr).toContain("target 'onnx' has no option 'oops'");
  const folder = await workplace.modelwright(['deploy', 'tiny.onnx', '--target', 'onnx', '-o', '.']);
  expect(folder.exitCode).toBe(3);
  expect(folder.stderr).toContain('the folder holds other files and is no bundle');
});

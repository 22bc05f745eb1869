import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createPredictor, createReferenceBackend, fromNumbers, type Tensor, toNumbers } from '@modelwright/core';
import { PNG } from 'pngjs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createWorkplace, tinyModel, type Workplace } from '../../test/command-line.js';
import { tensorToJson } from '../files/json-tensors.js';
import { decodeNpy, encodeNpy } from '../files/npy.js';
import { decodeNpz } from '../files/npz.js';

let workplace: Workplace;
const path = (name: string): string => join(workplace.folder, name);
const images = fromNumbers(
  'float32',
  [2, 1, 8, 8],
  Float64Array.from({ length: 128 }, (_, at) => (at % 11) / 10),
);
let expected: Tensor;

interface Result {
  readonly outputs: { readonly scores: { readonly shape: readonly number[] } };
}

beforeAll(async () => {
  workplace = await createWorkplace();
  const predictor = await createPredictor(tinyModel(), createReferenceBackend());
  expected = (await predictor.predict({ image: images }))['scores']!;
  writeFileSync(path('images.npy'), encodeNpy(images));
});
afterAll(() => workplace.dispose());

function expectClose(actual: ArrayLike<number>, wanted: ArrayLike<number>): void {
  expect(actual.length).toBe(wanted.length);
  for (let at = 0; at < wanted.length; at++) expect(actual[at]).toBeCloseTo(wanted[at]!, 5);
}

describe.each(['onnxruntime', 'reference'])('on %s', (backend) => {
  test('.npy in, .npz and .npy and .json out', async () => {
    const outputs = ['-o', `${backend}.npz`, '-o', `scores=${backend}.npy`, '-o', `${backend}.json`];
    const args = ['run', 'tiny.onnx', '-i', 'images.npy', ...outputs, '-b', backend];
    const { exitCode, stdout, stderr } = await workplace.modelwright(args);
    expect([exitCode, stderr]).toEqual([0, '']);
    expect(stdout).toContain('scores  float32 [2,3]');
    expect(stdout).toContain(`wrote ${backend}.npz`);
    expect(stdout).toMatch(new RegExp(`ms on ${backend}:cpu`));
    const written = decodeNpz(readFileSync(path(`${backend}.npz`)), 'out.npz')['scores']!;
    expect(written.shape).toEqual([2, 3]);
    expectClose(toNumbers(written), toNumbers(expected));
    expect(decodeNpy(readFileSync(path(`${backend}.npy`)), 'out.npy')).toEqual(written);
    const json: { scores: number[][] } = JSON.parse(readFileSync(path(`${backend}.json`), 'utf8'));
    expectClose(json.scores.flat(), toNumbers(expected));
  });
});

test('JSON from standard input, JSON to standard output', async () => {
  const input = JSON.stringify({ image: tensorToJson(images) });
  const args = ['run', 'tiny.onnx', '--input', '-', '--json', '--backend', 'reference'];
  const { exitCode, stdout } = await workplace.modelwright(args, { input });
  expect(exitCode).toBe(0);
  const { outputs, backend } = JSON.parse(stdout);
  expect([backend, outputs.scores.dtype, outputs.scores.shape]).toEqual(['reference:cpu', 'float32', [2, 3]]);
  expectClose(outputs.scores.values.flat(), toNumbers(expected));
});

test('two images make one batch; what is done to them is said', async () => {
  const png = new PNG({ width: 16, height: 16 });
  png.data.fill(255);
  writeFileSync(path('a.png'), PNG.sync.write(png));
  const args = ['run', 'tiny.onnx', '-i', 'a.png', '-i', 'image=a.png', '--top', '1', '-b', 'reference'];
  const { exitCode, stdout, stderr } = await workplace.modelwright(args);
  expect(exitCode).toBe(0);
  expect(stdout).toMatch(/scores {2}float32 \[2,3\]\n {2}row 0 {3}\d: [\d.]+ %\n {2}row 1 /);
  expect(stderr).toContain("a.png: 16×16 resized to 8×8 for 'image'");
});

test('--random fills what is missing, the same each time', async () => {
  const args = ['run', 'tiny.onnx', '--random', '--dim', 'batch=3', '-b', 'reference'];
  const [first, second] = await Promise.all([workplace.json<Result>(args), workplace.json<Result>(args)]);
  expect(first.data.outputs.scores.shape).toEqual([3, 3]);
  expect(first.data.outputs).toEqual(second.data.outputs);
});

describe('mistakes', () => {
  test.each([
    ['no input', [], 2, "needs values for 'image' (float32 [batch,1,8,8])", '--input image='],
    ['an unknown input', ['-i', 'picture=images.npy'], 2, "no input 'picture'; its inputs are: image", ''],
    [
      'an unknown output',
      ['-i', 'images.npy', '-o', 'logits=x.npy'],
      2,
      "no output 'logits'; its outputs are: scores",
      '',
    ],
    ['a wrong shape', ['-i', '-'], 2, 'image', ''],
    ['a missing file', ['-i', 'gone.npy'], 3, "cannot read 'gone.npy'", ''],
    ['a folder that is not there', ['-i', 'images.npy', '-o', 'no/x.npz'], 3, "cannot write 'no/x.npz'", ''],
    ['an unknown kind of file', ['-i', 'tiny.onnx'], 2, 'known are .npy, .npz, .json, .png', ''],
    [
      'an unknown backend',
      ['-i', 'images.npy', '-b', 'abacus'],
      4,
      "there is no backend 'abacus'",
      'onnxruntime, wasm, cuda, reference',
    ],
    ['an unknown option', ['--inptu', 'x'], 2, "unknown option '--inptu'", '--input'],
    ['a bad number', ['--top', 'many'], 2, "option '--top <count>'", ''],
  ])('%s', async (_what, args, status, message, hint) => {
    const { exitCode, stdout, stderr } = await workplace.modelwright(['run', 'tiny.onnx', ...args], {
      input: '[[[[1, 2]]]]',
    });
    expect(stderr).toContain(message);
    expect(stderr).toContain(hint);
    expect(stderr).not.toMatch(/\n\s+at /);
    expect([exitCode, stdout]).toEqual([status, '']);
  });
});

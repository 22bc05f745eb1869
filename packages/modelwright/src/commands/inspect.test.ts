import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { GraphBuilder } from '@modelwright/core';
import { writeOnnxFile } from '@modelwright/onnx/file';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createWorkplace, type Workplace } from '../../test/command-line.js';

let workplace: Workplace;
beforeAll(async () => {
  workplace = await createWorkplace();
});
afterAll(() => workplace.dispose());

test('shows what is in a model, for people', async () => {
  const { exitCode, stdout } = await workplace.modelwright(['inspect', 'tiny.onnx', '--weights', '--nodes', '--graph']);
  expect(exitCode).toBe(0);
  expect(stdout).toContain('tiny: 234 parameters (936 bytes, float32), 5 nodes');
  expect(stdout).toMatch(/inputs +image +float32 \[batch, 1, 8, 8\]/);
  expect(stdout).toMatch(/outputs +scores +float32 \[batch, 3\]/);
  expect(stdout).toMatch(/stem\.kernel +float32 \[2, 1, 3, 3\] +72 bytes/);
  expect(stdout).toMatch(/reference:cpu +runs it/);
  expect(stdout).toContain('graph tiny(image: float32[batch,1,8,8]) -> (scores');
});

test('and as JSON', async () => {
  const { exitCode, data, stderr } = await workplace.json(['inspect', 'tiny.onnx', '--weights', '--nodes']);
  expect([exitCode, stderr]).toEqual([0, '']);
  expect(data).toMatchObject({
    file: { path: 'tiny.onnx', irVersion: 10, opsets: { '': 21 }, producer: 'modelwright' },
    name: 'tiny',
    nodeCount: 5,
    parameterCount: 234,
    inputs: [{ name: 'image', dtype: 'float32', shape: ['batch', 1, 8, 8] }],
    weights: [{ name: 'stem.kernel' }, { name: 'head.kernel' }],
    nodes: [{ op: 'Conv' }, { op: 'Relu' }, { op: 'Flatten' }, { op: 'MatMul' }, { op: 'Softmax' }],
    // CUDA stands in the list, too; whether it runs is up to the machine.
    backends: expect.arrayContaining(
      ['onnxruntime:cpu', 'wasm:cpu', 'reference:cpu'].map((backend) =>
        expect.objectContaining({ backend, runs: true }),
      ),
    ),
  });
});

describe('a model with an op that nobody knows', () => {
  beforeAll(async () => {
    const builder = new GraphBuilder('odd');
    const x = builder.input('x', 'float32', [2]);
    const node = { op: 'Magic', domain: 'com.example', inputs: [x], attributes: {}, outputs: [x] };
    builder.output('y', builder.foreign(node)[0]!);
    await writeOnnxFile(builder.build(), join(workplace.folder, 'odd.onnx'));
  });

  test('names the op and says that the backends cannot run it', async () => {
    const { exitCode, stdout } = await workplace.modelwright(['inspect', 'odd.onnx']);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/com\.example:Magic +1 +not known to Modelwright/);
    expect(stdout).toMatch(/reference:cpu +cannot run it +op com\.example:Magic/);
  });

  test('exits with 4 when a backend was asked for', async () => {
    const { exitCode, data } = await workplace.json(['inspect', 'odd.onnx', '--backend', 'reference']);
    expect(exitCode).toBe(4);
    expect(data).toMatchObject({ backends: [{ runs: false, available: true }] });
  });
});

test('a backend that is not there is reported, not fatal', async () => {
  const { exitCode, data } = await workplace.json(['inspect', 'tiny.onnx', '-b', 'reference,no-such-backend']);
  expect(exitCode).toBe(4);
  expect(data).toMatchObject({ backends: [{ runs: true }, { backend: 'no-such-backend', available: false }] });
});

test.each([
  ['a missing file', 'nope.onnx', "cannot read 'nope.onnx': no such file or directory"],
  ['a file that is no model', 'text.onnx', 'text.onnx'],
  ['an empty file', 'empty.onnx', 'empty.onnx'],
])('%s: exit status 3 and the name of the file', async (_what, file, message) => {
  writeFileSync(join(workplace.folder, 'text.onnx'), 'hello, I am text');
  writeFileSync(join(workplace.folder, 'empty.onnx'), '');
  const { exitCode, stdout, stderr } = await workplace.modelwright(['inspect', file]);
  expect([exitCode, stdout]).toEqual([3, '']);
  expect(stderr).toMatch(/^error \(.*\): /);
  expect(stderr).toContain(message);
});

test('an error under --json is JSON on standard output', async () => {
  const { exitCode, data, stderr } = await workplace.json(['inspect', 'nope.onnx']);
  expect([exitCode, stderr]).toEqual([3, '']);
  expect(data).toEqual({
    error: { code: 'file-unreadable', message: expect.stringContaining('nope.onnx'), details: { file: 'nope.onnx' } },
  });
});

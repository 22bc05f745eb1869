import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { evaluateGraph, GraphBuilder, Model, print, tensor } from '@modelwright/core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { expectTensorsClose, fixturePath, loadFixture } from '../../test/fixtures.js';
import { readOnnxFile, writeOnnxFile } from '../file.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'modelwright-onnx-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

function model(elements = 1000): Model {
  const builder = new GraphBuilder('scaled');
  const x = builder.input('x', 'float32', ['batch', elements]);
  const weight = builder.constant(
    tensor(
      Array.from({ length: elements }, (_, index) => index),
      { shape: [elements] },
    ),
    {
      name: 'scale.weight',
    },
  );
  builder.output('y', builder.op('Mul', [x, weight], {}, { name: 'y' }));
  const parameters = [{ name: 'scale.weight', value: weight, trainable: true, role: 'weight' }] as const;
  return new Model({ name: 'scaled', graph: builder.build(), parameters });
}

describe('writeOnnxFile', () => {
  it('writes a file that is read as the same model', async () => {
    const [path] = await writeOnnxFile(model(), join(folder, 'm.onnx'));
    const read = await readOnnxFile(path as string);
    expect(print(read.graph)).toBe(print(model().graph));
    expect(read.getWeights()).toEqual(model().getWeights());
    expect(readdirSync(folder)).toEqual(['m.onnx']);
  });

  it('keeps large tensors in a second file on request', async () => {
    const paths = await writeOnnxFile(model(), join(folder, 'm.onnx'), { externalData: true });
    expect(paths.map((path) => path.slice(folder.length + 1))).toEqual(['m.onnx', 'm.onnx.data']);
    expect(readFileSync(paths[1] as string).length).toBe(4000);
    expect((await readOnnxFile(paths[0] as string)).getWeights()).toEqual(model().getWeights());
  });

  it('leaves the old file and nothing else when it cannot write', async () => {
    const path = join(folder, 'm.onnx');
    writeFileSync(path, 'old');
    mkdirSync(join(folder, 'm.onnx.data'));
    const attempt = writeOnnxFile(model(), path, { externalData: true });
    await expect(attempt).rejects.toMatchObject({ code: 'file-unwritable', details: { file: path } });
    expect(readFileSync(path, 'utf8')).toBe('old');
    expect(readdirSync(folder).sort()).toEqual(['m.onnx', 'm.onnx.data']);
  });

  it('says which file cannot be written', async () => {
    const path = join(folder, 'missing/m.onnx');
    await expect(writeOnnxFile(model(), path)).rejects.toMatchObject({
      code: 'file-unwritable',
      details: { file: path },
    });
  });
});

describe('readOnnxFile', () => {
  const place = (target = 'external.onnx.data') => {
    copyFileSync(fixturePath('external.onnx'), join(folder, 'external.onnx'));
    return join(folder, target);
  };

  it('finds the data beside the model', async () => {
    copyFileSync(fixturePath('external.onnx.data'), place());
    const { inputs, outputs } = loadFixture('external');
    const { graph } = await readOnnxFile(join(folder, 'external.onnx'));
    expectTensorsClose(evaluateGraph(graph, inputs), outputs);
  });

  it('does not follow a link out of the folder', async () => {
    symlinkSync(fixturePath('external.onnx.data').pathname, place());
    await expect(readOnnxFile(join(folder, 'external.onnx'))).rejects.toMatchObject({ code: 'invalid-model' });
  });

  it('refuses data files that are missing, short or no files', async () => {
    const data = place();
    const read = () => readOnnxFile(join(folder, 'external.onnx'));
    await expect(read()).rejects.toMatchObject({ code: 'file-unreadable' });
    writeFileSync(data, 'short');
    await expect(read()).rejects.toMatchObject({ code: 'invalid-model' });
    rmSync(data);
    mkdirSync(data);
    await expect(read()).rejects.toMatchObject({ code: 'file-unreadable' });
  });

  it('names a model file that is missing, too large or damaged', async () => {
    const path = join(folder, 'external.onnx');
    await expect(readOnnxFile(path)).rejects.toMatchObject({ code: 'file-unreadable', details: { file: path } });
    place();
    await expect(readOnnxFile(path, { limits: { maxFileBytes: 10 } })).rejects.toMatchObject({
      code: 'limit-exceeded',
    });
    writeFileSync(path, 'nothing of the kind');
    await expect(readOnnxFile(path)).rejects.toMatchObject({ code: 'invalid-model', details: { file: path } });
  });
});

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createReferenceBackend, GraphBuilder, Model } from '@modelwright/core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { folderSource } from '../../bundle/folder-source.js';
import { verifyBundle } from '../../bundle/verify-bundle.js';
import { deploy } from '../../deploy/deploy.js';
import { brighterHalf } from '../small-models.cases.js';
import { parseTextFormat } from './text-format.cases.js';
import { problemsOf } from './triton-fields.cases.js';

const backend = createReferenceBackend();

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'modelwright-triton-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function configOf(model: Model, options: { readonly [name: string]: unknown } = {}, processing = {}) {
  const { files } = await deploy(model, { target: 'triton', backend, version: '3', options, processing });
  const text = String(files.find(({ path }) => path === 'config.pbtxt')?.content);
  return { text, config: parseTextFormat(text), files };
}

describe('the triton target', () => {
  it('writes a model folder that verifies where it stands', async () => {
    const { model, processing } = brighterHalf();
    const deployment = await deploy(model, { target: 'triton', backend, processing, version: '3' });
    await deployment.write(join(folder, 'halves'));
    expect(deployment.files.map(({ path }) => path).sort()).toEqual(
      [
        '3/model.onnx',
        'MODEL_CARD.md',
        'README.md',
        'config.pbtxt',
        'golden.json',
        'labels.txt',
        'manifest.json',
      ].sort(),
    );
    const report = await verifyBundle(folderSource(join(folder, 'halves')), { backend });
    expect([report.problems, report.golden?.passed, report.manifest.model.file]).toEqual([[], true, '3/model.onnx']);
  });

  it('batches along an open first axis, with fields and types that the schema has', async () => {
    const { model, processing } = brighterHalf();
    const options = {
      'preferred-batch-sizes': '8,16',
      'max-queue-delay-microseconds': '250',
      device: 'gpu',
      instances: 2,
    };
    const { config } = await configOf(model, options, processing);
    expect(problemsOf(config)).toEqual([]);
    expect(config).toMatchObject({
      backend: ['onnxruntime'],
      max_batch_size: [32],
      input: [{ name: ['picture'], data_type: ['TYPE_FP32'], dims: [3, 8, 8] }],
      output: [{ name: ['scores'], dims: [2], label_filename: ['labels.txt'] }],
      instance_group: [{ kind: ['KIND_GPU'], count: [2] }],
      dynamic_batching: [{ preferred_batch_size: [8, 16], max_queue_delay_microseconds: [250] }],
      model_warmup: [{ batch_size: [1], inputs: [{ key: ['picture'] }] }],
    });
  });

  it('writes no batches for a model whose first axis is fixed, and reshapes what has no axis left', async () => {
    const builder = new GraphBuilder('whole');
    const x = builder.input('x', 'int64', [2, 'length']);
    builder.output('sum', builder.op('ReduceSum', [x, undefined], { keepdims: 0 }));
    const model = new Model({ name: 'whole', graph: builder.build(), parameters: [] });
    const { config, text } = await configOf(model);
    expect(problemsOf(config)).toEqual([]);
    expect(text).not.toContain('dynamic_batching');
    expect(config).toMatchObject({
      max_batch_size: [0],
      input: [{ data_type: ['TYPE_INT64'], dims: [2, -1] }],
      output: [{ dims: [1], reshape: [{ shape: [] }] }],
    });
    await expect(configOf(model, { 'max-batch-size': 4 })).rejects.toMatchObject({ code: 'invalid-configuration' });
  });

  it('refuses options that Triton would', async () => {
    const { model } = brighterHalf();
    await expect(configOf(model, { 'preferred-batch-sizes': '64' })).rejects.toThrow(/from 1 to max-batch-size \(32\)/);
    await expect(configOf(model, { device: 'tpu' })).rejects.toThrow(/one of auto, cpu, gpu/);
  });
});

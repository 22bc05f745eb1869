import { createReferenceBackend } from '@modelwright/core';
import { PodSpec } from 'kubernetes-models/v1/PodSpec';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { memorySource } from '../../bundle/memory-source.js';
import { verifyBundle } from '../../bundle/verify-bundle.js';
import { deploy } from '../../deploy/deploy.js';
import { brighterHalf } from '../small-models.cases.js';
import { inferenceServiceFields, problemsOf, servingRuntimeFields } from './kserve-fields.cases.js';

const backend = createReferenceBackend();
const { model, processing } = brighterHalf();

async function filesFor(options: Readonly<Record<string, unknown>>): Promise<ReadonlyMap<string, Uint8Array | string>> {
  const { files } = await deploy(model, { target: 'kserve', backend, processing, options });
  return new Map(files.map(({ path, content }) => [path, content]));
}

describe('the kserve target', () => {
  it("names a model in Triton's layout, beside its proof", async () => {
    const files = await filesFor({ 'storage-uri': 's3://models/production', 'max-replicas': 3, 'max-batch-size': 16 });
    const service = parse(String(files.get('kserve/inference-service.yaml')));
    expect(problemsOf(service, inferenceServiceFields)).toEqual([]);
    expect(service).toMatchObject({
      metadata: { name: 'brighter-half' },
      spec: {
        predictor: {
          maxReplicas: 3,
          model: {
            modelFormat: { name: 'onnx' },
            runtime: 'kserve-tritonserver',
            storageUri: 's3://models/production',
          },
        },
      },
    });
    expect([...files.keys()]).toEqual(
      expect.arrayContaining(['config.pbtxt', '1/model.onnx', 'golden.json', 'labels.txt']),
    );
    expect(files.has('kserve/serving-runtime.yaml')).toBe(false);
    expect((await verifyBundle(memorySource(files), { backend })).problems).toEqual([]);
  });

  it('runs in our own server where that is asked', async () => {
    const files = await filesFor({ runtime: 'modelwright', image: 'models/halves-service:1' });
    const runtime = parse(String(files.get('kserve/serving-runtime.yaml')));
    expect(problemsOf(runtime, servingRuntimeFields)).toEqual([]);
    const { containers, volumes, protocolVersions } = runtime.spec;
    new PodSpec({ containers, volumes }).validate();
    const { runtime: named } = parse(String(files.get('kserve/inference-service.yaml'))).spec.predictor.model;
    expect([named, protocolVersions]).toEqual([runtime.metadata.name, ['v2', 'grpc-v2']]);
  });

  it('refuses what KServe could not run', async () => {
    await expect(filesFor({ runtime: 'modelwright' })).rejects.toThrow(/'image'/);
    await expect(filesFor({ 'storage-uri': '/mnt/models' })).rejects.toThrow(/an address/);
    await expect(filesFor({ runtime: 'torchserve' })).rejects.toThrow(/one of triton, modelwright/);
  });
});

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createReferenceBackend, ModelwrightError } from '@modelwright/core';
import { conv2d, dense, flatten, lstm, sequential } from '@modelwright/models';
import { readOnnxHeader } from '@modelwright/onnx';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { folderSource } from '../bundle/folder-source.js';
import { manifestFile } from '../bundle/manifest.js';
import { verifyBundle } from '../bundle/verify-bundle.js';
import { type Deployment, deploy } from '../deploy/deploy.js';
import { decodeTensor } from '../golden/encode-tensor.js';
import { parseGolden, replayGolden } from '../golden/replay-golden.js';
import type { Target } from './target.js';

const backend = createReferenceBackend();
const digits = sequential({
  name: 'digits',
  inputShape: [12, 12, 1],
  layers: [
    conv2d({ filters: 4, kernelSize: 3, activation: 'relu' }),
    flatten(),
    dense({ units: 24, activation: 'gelu' }),
    dense({ units: 3, activation: 'softmax' }),
  ],
});

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'modelwright-onnx-'));
});
afterAll(() => rm(folder, { recursive: true }));

const contentOf = ({ files }: Deployment, path: string): Uint8Array | string =>
  files.find((file) => file.path === path)!.content;

/** Replays the golden inputs with the stock runtime alone, from the file on disk. */
async function replayInStockRuntime(deployment: Deployment, place: string) {
  await deployment.write(place);
  const session = await InferenceSession.create(join(place, deployment.manifest.model.file));
  const golden = parseGolden(new TextEncoder().encode(String(contentOf(deployment, 'golden.json'))), place);
  return replayGolden(golden, async (inputs) => {
    const feeds = Object.entries(inputs).map(([name, tensor]) => [
      name,
      new Tensor(tensor.dtype as 'float32', tensor.data as Float32Array, tensor.shape),
    ]);
    const outputs = await session.run(Object.fromEntries(feeds));
    return Object.fromEntries(
      Object.entries(outputs).map(([name, { dims, data }]) => {
        const bytes = Buffer.from((data as Float32Array).buffer, (data as Float32Array).byteOffset, data.length * 4);
        return [name, decodeTensor({ dtype: 'float32', shape: dims, base64: bytes.toString('base64') })];
      }),
    );
  });
}

describe('the onnx target', () => {
  it.each([
    ['as it is', {}, 21],
    ['in an older opset', { opset: '17' }, 17],
    ['with weights in a file of their own', { 'external-data': 'true' }, 21],
    ['bare', { bare: true, opset: 18 }, 18],
  ])('gives the golden answers in the stock runtime: %s', async (what, options, opset) => {
    const deployment = await deploy(digits, { target: 'onnx', backend, options });
    const place = join(folder, what.replaceAll(' ', '-'));
    const report = await replayInStockRuntime(deployment, place);
    expect(report).toMatchObject({ passed: true, madeWith: 'reference:cpu' });
    expect(report.results).toHaveLength(3);
    const header = readOnnxHeader(contentOf(deployment, 'model.onnx') as Uint8Array);
    expect(header.opsets['']).toBe(opset);
    const isExternal = 'external-data' in options;
    expect(deployment.manifest.model.externalData).toEqual(isExternal ? ['model.onnx.data'] : undefined);
    expect(Object.keys(header.metadata).includes('modelwright.model')).toBe(!('bare' in options));
    expect((await verifyBundle(folderSource(place), { backend })).problems).toEqual([]);
  });

  it('finds a flipped bit of external data', async () => {
    const deployment = await deploy(digits, { target: 'onnx', backend, options: { 'external-data': true } });
    const place = join(folder, 'flipped');
    await deployment.write(place);
    const data = (contentOf(deployment, 'model.onnx.data') as Uint8Array).slice();
    data[10]! ^= 1;
    await writeFile(join(place, 'model.onnx.data'), data);
    const { problems } = await verifyBundle(folderSource(place));
    expect(problems).toEqual([expect.stringMatching(/'model\.onnx\.data'.*SHA-256 differs/)]);
  });

  it('refuses an opset that cannot be written', async () => {
    const refused = deploy(digits, { target: 'onnx', backend, options: { opset: '12' } });
    await expect(refused).rejects.toThrow(/a whole number from 17 to 23/);
  });
});

describe('deploy', () => {
  it('gives the same bundle for the same model, and what it is told in manifest and card', async () => {
    const options = {
      target: 'onnx',
      backend,
      createdAt: new Date(0),
      licence: 'Apache-2.0',
      version: '12',
      description: 'Reads | digits',
      card: '## Data\n\nNoise.',
    } as const;
    const [one, two] = [await deploy(digits, options), await deploy(digits, options)];
    expect(one.files).toEqual(two.files);
    expect(one.manifest).toMatchObject({ name: 'digits', version: '12', createdAt: '1970-01-01T00:00:00.000Z' });
    const card = String(contentOf(one, 'MODEL_CARD.md'));
    for (const part of ['license: "apache-2.0"', 'Reads | digits', '## Data', '| version | 12 |'])
      expect(card).toContain(part);
  });

  it('proves models that remember, with their memory empty', async () => {
    const model = sequential({
      name: 'memory',
      batchSize: 1,
      inputShape: [4, 2],
      layers: [lstm({ units: 3, stateful: true }), dense({ units: 1 })],
    });
    const deployment = await deploy(model, { target: 'onnx', backend });
    expect((await replayInStockRuntime(deployment, join(folder, 'memory'))).passed).toBe(true);
  });

  it('does not write what does not answer as the model does', async () => {
    const careless: Target = {
      name: 'careless',
      description: 'damages a weight',
      options: {},
      build: async ({ common }) =>
        common.map((file) => {
          if (file.path !== 'model.onnx') return file;
          const [weight] = Object.values(digits.getWeights());
          const { buffer, byteOffset } = weight!.data as Float32Array;
          const bytes = Buffer.from(file.content as Uint8Array);
          bytes[bytes.indexOf(Buffer.from(buffer, byteOffset, 36)) + 3]! ^= 0x40;
          return { ...file, content: new Uint8Array(bytes) };
        }),
      nextSteps: () => [],
    };
    const place = join(folder, 'careless');
    await expect(deploy(digits, { target: careless, backend, output: place })).rejects.toThrow(
      /the bundle just built does not answer/,
    );
    await expect(folderSource(place).read(manifestFile)).rejects.toBeInstanceOf(ModelwrightError);
  });

  it('says which tokenizer is missing, and which names and versions it does not take', async () => {
    const processing = { inputs: { input: { kind: 'text', tokenizer: 'tokenizer.json' } } } as const;
    await expect(deploy(digits, { target: 'onnx', backend, processing })).rejects.toThrow(
      /'tokenizer.json', which was not given/,
    );
    await expect(deploy(digits, { target: 'onnx', backend, version: '1.2' })).rejects.toThrow(/a whole number from 1/);
    const files = [{ path: '../x', content: '' }];
    await expect(deploy(digits, { target: 'onnx', backend, files })).rejects.toThrow(/cannot have the file '..\/x'/);
  });
});

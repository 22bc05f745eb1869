import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createBackend } from '@modelwright/backend-onnxruntime';
import { type Backend, createReferenceBackend, isModelwrightError, type Model } from '@modelwright/core';
import { conv2d, dense, flatten, sequential } from '@modelwright/models';
import { encode as encodePng } from 'fast-png';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Deployment, deploy } from '../deploy/deploy.js';
import { imageInputFor, labelsOutputFor } from '../processing/processing-for.js';
import type { BundleSource } from './bundle-source.js';
import { folderSource } from './folder-source.js';
import { loadBundle } from './load-bundle.js';
import { manifestFile } from './manifest.js';
import { memorySource } from './memory-source.js';
import { sha256 } from './sha256.js';
import { urlSource } from './url-source.js';
import { verifyBundle } from './verify-bundle.js';

type Files = Map<string, Uint8Array>;

let folder: string;
let backend: Backend;
let deployedModel: Model;
let deployment: Deployment;

const bytesOf = (content: Uint8Array | string): Uint8Array =>
  typeof content === 'string' ? new TextEncoder().encode(content) : content.slice();
const copyOf = ({ files }: Deployment): Files => new Map(files.map(({ path, content }) => [path, bytesOf(content)]));
const textOf = (files: Files, path: string): string => new TextDecoder().decode(files.get(path));

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'modelwright-bundle-'));
  backend = await createBackend({ device: 'cpu' });
  deployedModel = sequential({
    name: 'tiny digits',
    inputShape: [12, 12, 1],
    layers: [
      conv2d({ filters: 4, kernelSize: 3, activation: 'relu' }),
      flatten(),
      dense({ units: 3, activation: 'softmax' }),
    ],
  });
  const [input] = deployedModel.graph.inputs;
  deployment = await deploy(deployedModel, {
    target: 'onnx',
    backend: createReferenceBackend(),
    licence: 'Apache-2.0',
    processing: {
      inputs: { [input!.name]: imageInputFor(input!, { invert: true }) },
      outputs: labelsOutputFor(deployedModel, ['nought', 'one', 'two'], { top: 2 }),
    },
  });
  await deployment.write(join(folder, 'digits'));
});

afterAll(async () => {
  await backend.dispose();
  await rm(folder, { recursive: true });
});

/** The bundle with one file changed, and its record in the manifest made to fit where `isRecorded`. */
async function changed(
  path: string,
  change: (bytes: Uint8Array) => Uint8Array,
  isRecorded: boolean,
): Promise<BundleSource> {
  const files = copyOf(deployment);
  files.set(path, change(files.get(path)!));
  if (isRecorded) {
    const manifest = JSON.parse(textOf(files, manifestFile));
    const record = manifest.files.find((file: { path: string }) => file.path === path);
    record.sizeBytes = files.get(path)!.length;
    record.sha256 = await sha256(files.get(path)!);
    files.set(manifestFile, bytesOf(JSON.stringify(manifest)));
  }
  return memorySource(files);
}

/** Flips one bit of one weight: the highest of an exponent. */
function withFlippedBit(bytes: Uint8Array): Uint8Array {
  const weight = Object.values(deployedModel.getWeights()).find(({ shape }) => shape.length === 2)!;
  const stored = Buffer.from((weight.data as Float32Array).buffer, (weight.data as Float32Array).byteOffset, 64);
  const at = Buffer.from(bytes).indexOf(stored);
  expect(at).toBeGreaterThan(0);
  return bytes.map((byte, index) => (index === at + 3 ? byte ^ 0x40 : byte));
}

const png = encodePng({ width: 20, height: 10, data: new Uint8Array(200).fill(40), channels: 1 });

describe('loadBundle', () => {
  it('proves on another backend what was deployed, and reads pictures', async () => {
    const phases: string[] = [];
    const bundle = await loadBundle(folderSource(join(folder, 'digits')), {
      backend,
      onProgress: ({ phase, share }) => phases.push(`${phase} ${share}`),
    });
    expect(bundle.golden?.passed).toBe(true);
    expect(bundle.golden?.results.map(({ name }) => name)).toEqual(['reading-1', 'case-1', 'case-2', 'case-3']);
    expect(phases.slice(-2)).toEqual(['compile 1', 'verify 1']);
    const [answer, ...others] = await bundle.classify([png, png]);
    expect(others).toEqual([answer]);
    const [labels] = Object.values(answer!) as [{ label: string; score: number }[]];
    expect(labels).toHaveLength(2);
    expect(labels[0]!.score).toBeGreaterThanOrEqual(labels[1]!.score);
    await bundle.dispose();
  });

  it('refuses a flipped bit of the model by its hash', async () => {
    const source = await changed('model.onnx', withFlippedBit, false);
    await expect(loadBundle(source, { backend })).rejects.toMatchObject({
      code: 'integrity-violation',
      details: { file: 'model.onnx' },
    });
  });

  it('refuses a flipped bit by the golden answers where the hash was made to fit', async () => {
    const source = await changed('model.onnx', withFlippedBit, true);
    await expect(loadBundle(source, { backend })).rejects.toThrow(/does not answer as it was deployed: case-/);
  });

  it('refuses answers that are not the golden ones where the hash was made to fit', async () => {
    const stretch = (bytes: Uint8Array): Uint8Array => {
      const golden = JSON.parse(new TextDecoder().decode(bytes));
      const [output] = Object.keys(golden.cases[1].outputs);
      golden.cases[1].outputs[output!] = golden.cases[0].outputs[output!];
      return bytesOf(JSON.stringify(golden));
    };
    const source = await changed('golden.json', stretch, true);
    await expect(loadBundle(source, { backend })).rejects.toThrow(
      /does not answer as it was deployed: case-2, output .* instead of /,
    );
    const warnings: string[] = [];
    const bundle = await loadBundle(source, {
      backend,
      policy: 'warn',
      onWarning: ({ message }) => warnings.push(message),
    });
    expect(bundle.golden?.results.map(({ passed }) => passed)).toEqual([true, true, false, true]);
    expect(warnings).toHaveLength(1);
    await bundle.dispose();
  });

  it('loads over HTTP, piece by piece, and asks who signs before it reads', async () => {
    const files = copyOf(deployment);
    const requested: string[] = [];
    const server = createServer((request, response) => {
      requested.push(request.url!);
      const bytes = files.get(request.url!.slice('/models/digits/'.length));
      if (bytes === undefined) return response.writeHead(404).end();
      return response.writeHead(200, { 'content-length': bytes.length }).end(bytes);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const source = urlSource(`http://127.0.0.1:${(server.address() as AddressInfo).port}/models/digits`);
    const bundle = await loadBundle(source, { backend });
    expect(bundle.golden?.passed).toBe(true);
    await bundle.dispose();
    requested.length = 0;
    const refusal = loadBundle(source, {
      backend,
      checkManifest: () => {
        throw new TypeError('nobody signed this');
      },
    });
    await expect(refusal).rejects.toThrow('nobody signed this');
    expect(requested).toEqual(['/models/digits/manifest.json']);
    files.delete('model.onnx');
    await expect(loadBundle(source, { backend })).rejects.toMatchObject({ code: 'file-unreadable' });
    await new Promise((resolve) => server.close(resolve));
  });
});

describe('a hostile bundle', () => {
  const manifestWith = (change: (manifest: Record<string, never>) => void): BundleSource => {
    const files = copyOf(deployment);
    const manifest = JSON.parse(textOf(files, manifestFile));
    change(manifest);
    files.set(manifestFile, bytesOf(JSON.stringify(manifest)));
    return memorySource(files);
  };

  it.each([
    ['leads out of the folder', (manifest: never) => Object.assign(manifest['model'], { file: '../secret.onnx' })],
    ['names an absolute path', (manifest: never) => Object.assign(manifest['golden'], { file: '/etc/passwd' })],
    ['names a drive', (manifest: never) => Object.assign(manifest['files'][0], { path: 'c:\\x' })],
    ['has no hash', (manifest: never) => Object.assign(manifest['files'][0], { sha256: '' })],
    ['has a size that is none', (manifest: never) => Object.assign(manifest['files'][0], { sizeBytes: -1 })],
  ])('is refused when its manifest %s', async (_, change) => {
    await expect(loadBundle(manifestWith(change as never), { backend })).rejects.toMatchObject({
      code: 'invalid-data',
    });
  });

  it('is refused when it is of a newer format, or lists less than it needs', async () => {
    const newer = manifestWith((manifest) => Object.assign(manifest, { formatVersion: 2 }));
    await expect(loadBundle(newer, { backend })).rejects.toMatchObject({ code: 'unsupported-version' });
    const unlisted = manifestWith((manifest) => Object.assign(manifest, { files: [] }));
    await expect(loadBundle(unlisted, { backend })).rejects.toMatchObject({ code: 'integrity-violation' });
  });

  it('is not read further than its manifest says', async () => {
    const files = copyOf(deployment);
    let asked = 0;
    const endless: BundleSource = {
      name: 'an endless bundle',
      read: async (path, onProgress, maxBytes) => {
        if (path === 'model.onnx') asked = maxBytes!;
        return memorySource(files).read(path, onProgress, maxBytes);
      },
    };
    files.set('model.onnx', new Uint8Array(files.get('model.onnx')!.length + 1));
    await expect(loadBundle(endless, { backend })).rejects.toMatchObject({ code: 'integrity-violation' });
    expect(asked).toBe(files.get('model.onnx')!.length - 1);
  });

  it('does not lead out of its folder by a link', async () => {
    await writeFile(join(folder, 'secret.txt'), 'secret');
    await symlink(join(folder, 'secret.txt'), join(folder, 'digits', 'link.txt'));
    await expect(folderSource(join(folder, 'digits')).read('link.txt')).rejects.toMatchObject({
      code: 'invalid-argument',
    });
  });
});

describe('verifyBundle', () => {
  it('tells of each file and each answer', async () => {
    const whole = await verifyBundle(memorySource(copyOf(deployment)), { backend });
    expect([whole.passed, whole.problems, whole.files.length]).toEqual([true, [], deployment.files.length - 1]);
    const broken = await verifyBundle(await changed('MODEL_CARD.md', (bytes) => bytes.reverse(), false), { backend });
    expect(broken.files.filter(({ passed }) => !passed).map(({ path }) => path)).toEqual(['MODEL_CARD.md']);
    expect([broken.passed, broken.golden?.passed]).toEqual([false, true]);
  });

  it('fails for any single bit of the model', async () => {
    const size = copyOf(deployment).get('model.onnx')!.length;
    for (const at of [0, 0.25, 0.5, 0.75, 0.999].map((share) => Math.floor(share * size))) {
      const flip = (bytes: Uint8Array): Uint8Array => bytes.map((byte, index) => (index === at ? byte ^ 1 : byte));
      const report = await verifyBundle(await changed('model.onnx', flip, false));
      expect(report.problems).toHaveLength(1);
    }
  });
});

it('writes a bundle in place of an older one, and nothing else', async () => {
  await deployment.write(join(folder, 'digits'));
  const source = folderSource(join(folder, 'digits'));
  await expect(source.read('link.txt')).rejects.toMatchObject({ code: 'file-unreadable' });
  const error = await deployment.write(folder).catch((reason: unknown) => reason);
  expect(isModelwrightError(error, 'file-unwritable')).toBe(true);
});

import { createReferenceBackend } from '@modelwright/core';
import { beforeAll, expect, it } from 'vitest';
import { loadBundle } from '../bundle/load-bundle.js';
import { memorySource } from '../bundle/memory-source.js';
import { deploy } from '../deploy/deploy.js';
import { brighterHalf } from '../targets/small-models.cases.js';
import { decryptedSource } from './decrypted-source.js';
import { encryptFile } from './encrypted-file.js';
import { type KeyProvider, localKeyProvider } from './key-provider.js';

const backend = createReferenceBackend();
const newKey = (): Promise<KeyProvider> => localKeyProvider(crypto.getRandomValues(new Uint8Array(32)));
let key: KeyProvider;
let files: Map<string, Uint8Array | string>;

beforeAll(async () => {
  key = await newKey();
  const { model, processing } = brighterHalf();
  const deployment = await deploy(model, { target: 'onnx', backend, processing });
  files = new Map(deployment.files.map(({ path, content }) => [path, content]));
  const plain = files.get('model.onnx') as Uint8Array;
  files.set('model.onnx.enc', await encryptFile(plain, key, { name: 'model.onnx', chunkSizeBytes: 64 }));
  files.delete('model.onnx');
});

it('opens what is encrypted, and gives the golden answers', async () => {
  const bundle = await loadBundle(decryptedSource(memorySource(files), key), { backend });
  expect(bundle.golden?.passed).toBe(true);
  await bundle.dispose();
});

it('refuses another key, a changed file and a file that is not there', async () => {
  const load = async (changed: Map<string, Uint8Array | string>, provider = key) =>
    loadBundle(decryptedSource(memorySource(changed), provider), { backend });
  await expect(load(files, await newKey())).rejects.toMatchObject({ code: 'integrity-violation' });
  const flipped = (files.get('model.onnx.enc') as Uint8Array).slice();
  flipped[flipped.length - 30]! ^= 1;
  await expect(load(new Map([...files, ['model.onnx.enc', flipped]]))).rejects.toMatchObject({
    code: 'integrity-violation',
  });
  // Encrypted with the right key, but something else than what was deployed.
  const other = await encryptFile(new Uint8Array(10), key, { name: 'model.onnx' });
  await expect(load(new Map([...files, ['model.onnx.enc', other]]))).rejects.toThrow(/its manifest says/);
  const missing = new Map(files);
  missing.delete('model.onnx.enc');
  await expect(load(missing)).rejects.toThrow(/has no file 'model.onnx'/);
});

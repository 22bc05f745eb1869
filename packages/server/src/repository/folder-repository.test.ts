import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createReferenceBackend, isModelwrightError } from '@modelwright/core';
import {
  createSigner,
  createVerifier,
  encryptFile,
  generateSigningKeys,
  localKeyProvider,
} from '@modelwright/deployment';
import { deploy, signModel } from '@modelwright/deployment/node';
import { readOnnx } from '@modelwright/onnx';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createHub } from '../hub/create-hub.js';
import { ones, scale, someone } from '../hub/scale-models.cases.js';
import { createServedModel } from '../serving/create-served-model.js';
import { type FolderRepositoryOptions, folderRepository } from './folder-repository.js';

const backend = createReferenceBackend();
let root: string;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'repository-'));
});

afterAll(() => rm(root, { recursive: true }));

/** A folder with files; texts and bytes by path. */
async function folderOf(name: string, files: Readonly<Record<string, string | Uint8Array>>): Promise<string> {
  const folder = join(root, name);
  await mkdir(folder, { recursive: true });
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), content);
  }
  return folder;
}

/** What serving a folder comes to: `name/version` with the factor that it answers with, or why it does not. */
async function answersOf(
  folder: string,
  options: FolderRepositoryOptions = {},
): Promise<Readonly<Record<string, unknown>>> {
  const hub = await createHub(folderRepository(folder, options), { backend, createServedModel });
  const view = hub.viewOf(someone);
  const answers: Record<string, unknown> = {};
  for (const { name, version, state, reason } of view.index()) {
    if (state !== 'READY') {
      answers[`${name}/${version}`] = reason;
      continue;
    }
    const { outputs } = await view.infer({ model: name, version, inputs: ones });
    answers[`${name}/${version}`] = outputs['y']?.data[0];
  }
  await hub.dispose();
  return answers;
}

describe('layouts', () => {
  it('serves files, folders and numbered versions side by side', async () => {
    const folder = await folderOf('layouts', {
      'bare.onnx': scale(1),
      'plain/anything.onnx': scale(2),
      'numbered/1/model.onnx': scale(3),
      'numbered/12/model.onnx': scale(4),
      'numbered/012/model.onnx': scale(5),
      'numbered/drafts/model.onnx': scale(6),
      'notes.txt': 'not a model',
      'empty/readme.md': 'not a model either',
      '.hidden/1/model.onnx': scale(7),
    });
    expect(await answersOf(folder)).toEqual({
      'bare/1': 1,
      'plain/1': 2,
      'numbered/1': 'not loaded',
      'numbered/12': 4,
    });
    expect(await answersOf(join(folder, 'bare.onnx'))).toEqual({ 'bare/1': 1 });
  });

  it('reads external data beside a model, and refuses what is not there', async () => {
    const output = join(root, 'external');
    await deploy(readOnnx(scale(2, 5000)), { target: 'onnx', backend, output, options: { 'external-data': true } });
    const model = await readFile(join(output, 'model.onnx'));
    const data = await readFile(join(output, 'model.onnx.data'));
    const folder = await folderOf('externals', {
      'whole/model.onnx': model,
      'whole/model.onnx.data': data,
      'half/model.onnx': model,
    });
    expect(await answersOf(folder)).toEqual({ 'whole/1': 2, 'half/1': expect.stringContaining('model.onnx.data') });
  });

  it('says what is wrong with a folder, without the paths of the machine', async () => {
    const folder = await folderOf('wrong', {
      'two/one.onnx': scale(1),
      'two/other.onnx': scale(2),
      'torn/model.onnx': scale(3).subarray(0, 60),
      'twice.onnx': scale(1),
      'twice/model.onnx': scale(2),
    });
    const answers = await answersOf(folder);
    expect(answers['two/1']).toMatch(/several \.onnx files/);
    expect(answers['torn/1']).toMatch(/invalid-model/);
    expect(answers['twice/']).toMatch(/several models/);
    expect(JSON.stringify(answers)).not.toContain(root);
    const error = await folderRepository(join(root, 'nowhere'))
      .scan()
      .catch((thrown: unknown) => thrown);
    expect(isModelwrightError(error, 'file-unreadable')).toBe(true);
  });
});

describe('a folder that goes away', () => {
  it('takes nothing with it: what is loaded serves on, and somebody hears of it once', async () => {
    const folder = await folderOf('unmounted', { 'm.onnx': scale(2) });
    const problems: unknown[] = [];
    const hub = await createHub(folderRepository(folder), {
      ...{ backend, createServedModel, control: { pollMilliseconds: 5 } },
      onProblem: (error) => problems.push(error),
    });
    await rename(folder, `${folder}-elsewhere`);
    await expect.poll(() => problems.length).toBe(1);
    await new Promise((resolve) => setTimeout(resolve, 40));
    expect(problems).toHaveLength(1);
    const { outputs } = await hub.viewOf(someone).infer({ model: 'm', inputs: ones });
    expect(outputs['y']?.data[0]).toBe(2);
    await hub.dispose();
  });
});

describe('configurations', () => {
  it('are read from JSON and from config.pbtxt, over the defaults', async () => {
    const folder = await folderOf('configured', {
      'json.onnx': scale(1),
      'json.config.json': '{"maxBatchSize": 4, "queue": {"maxSize": 9}}',
      'triton/config.pbtxt': `
        # Served as by Triton
        backend: "onnxruntime"  max_batch_size: 16
        version_policy { all { } }
        instance_group [ { kind: KIND_CPU, count: 2 } ]
        dynamic_batching { preferred_batch_size: [ 4, 8 ] max_queue_delay_microseconds: 100
          default_queue_policy { max_queue_size: 5, default_timeout_microseconds: 2500 } }
        parameters { key: "owner" value: { string_value: "a \\"b\\"" } }`,
      'triton/1/model.onnx': scale(1),
      'triton/2/model.onnx': scale(2),
      'wrong/config.json': '{"maxBatchSize": -1}',
      'wrong/model.onnx': scale(3),
      'other/config.pbtxt': 'platform: "tensorrt_plan"',
      'other/1/model.onnx': scale(4),
    });
    const stored = await folderRepository(folder, { defaults: { concurrency: 3, maxBatchSize: 2 } }).scan();
    const byName = new Map(stored.map((model) => [model.name, model]));
    expect(byName.get('json')?.configuration).toEqual({ concurrency: 3, maxBatchSize: 4, queue: { maxSize: 9 } });
    expect(byName.get('triton')?.configuration).toEqual({
      maxBatchSize: 16,
      concurrency: 2,
      versionPolicy: { all: true },
      dynamicBatching: { isEnabled: true, preferredBatchSizes: [4, 8], maxQueueDelayMicroseconds: 100 },
      queue: { maxSize: 5, defaultTimeoutMilliseconds: 2.5 },
      parameters: { owner: 'a "b"' },
    });
    expect(byName.get('wrong')?.problem).toMatch(/config\.json: 'maxBatchSize' has to be a whole number from 0/);
    expect(byName.get('other')?.problem).toMatch(/tensorrt_plan/);
    expect(await answersOf(folder)).toMatchObject({ 'triton/1': 1, 'triton/2': 2, 'wrong/1': expect.anything() });
  });
});

describe('bundles', () => {
  it('serve if they are what their manifest says and give their known answers', async () => {
    const folder = join(root, 'bundles');
    const model = readOnnx(scale(3));
    const put = async (name: string, target = 'onnx', version = '1'): Promise<string> => {
      await deploy(model, { target, backend, output: join(folder, name), name, version });
      return join(folder, name);
    };
    await put('good', 'onnx', '7');
    await put('triton', 'triton', '2');
    const flipped = join(await put('flipped'), 'model.onnx');
    const bytes = await readFile(flipped);
    bytes[bytes.length - 20]! ^= 1;
    await writeFile(flipped, bytes);
    await exchangeModel(await put('lying'), scale(3.1));
    const answers = await answersOf(folder);
    expect(answers).toMatchObject({ 'good/7': 3, 'triton/2': 3 });
    expect(answers['flipped/1']).toMatch(/integrity-violation.*SHA-256/);
    expect(answers['lying/1']).toMatch(/integrity-violation.*does not answer as it was deployed/);
    expect(await answersOf(join(folder, 'good'))).toEqual({ 'good/7': 3 });
  });
});

/** Another model in a bundle whose hashes have been made to fit: only its answers tell. */
async function exchangeModel(folder: string, bytes: Uint8Array): Promise<void> {
  const file = join(folder, 'manifest.json');
  const manifest = JSON.parse(await readFile(file, 'utf8'));
  const digest = await crypto.subtle.digest('SHA-256', bytes as Uint8Array<ArrayBuffer>);
  const record = manifest.files.find(({ path }: { path: string }) => path === 'model.onnx');
  Object.assign(record, { sizeBytes: bytes.length, sha256: Buffer.from(digest).toString('hex') });
  await writeFile(file, JSON.stringify(manifest));
  await writeFile(join(folder, 'model.onnx'), bytes);
}

describe('encrypted and signed models', () => {
  it('are decrypted in memory, and refused with a wrong key or none, while others serve', async () => {
    const [key, other] = await Promise.all([1, 2].map((fill) => localKeyProvider(new Uint8Array(32).fill(fill))));
    const seal = (factor: number, provider = key!) => encryptFile(scale(factor), provider, { name: 'model.onnx' });
    const changed = await seal(4);
    changed[changed.length - 3]! ^= 4;
    const folder = await folderOf('encrypted', {
      'sealed.onnx.enc': await seal(2),
      'inside/model.onnx.enc': await seal(3),
      'changed.onnx.enc': changed,
      'foreign.onnx.enc': await seal(5, other),
      'open.onnx': scale(6),
    });
    const answers = await answersOf(folder, { modelKeys: key! });
    expect(answers).toMatchObject({ 'sealed/1': 2, 'inside/1': 3, 'open/1': 6 });
    expect(answers['changed/1']).toMatch(/integrity-violation.*chunk 1/);
    expect(answers['foreign/1']).toMatch(/integrity-violation.*key/);
    const without = await answersOf(folder);
    expect(without).toMatchObject({ 'open/1': 6, 'sealed/1': expect.stringMatching(/encrypted/) });
  });

  it('are served only if a trusted key signed exactly these files', async () => {
    const [mine, theirs] = await Promise.all([generateSigningKeys('P-256'), generateSigningKeys('Ed25519')]);
    const [signer, stranger] = await Promise.all([createSigner(mine.privateKey), createSigner(theirs.privateKey)]);
    const key = await localKeyProvider(new Uint8Array(32).fill(3));
    const folder = await folderOf('signed', {
      'bare.onnx': scale(1),
      'folder/model.onnx': scale(2),
      'sealed.onnx.enc': await encryptFile(scale(3), key, { name: 'sealed.onnx' }),
      'unsigned.onnx': scale(4),
      'foreign.onnx': scale(5),
      'changed.onnx': scale(6),
      'added/model.onnx': scale(7),
    });
    for (const path of ['bare.onnx', 'folder', 'sealed.onnx.enc', 'changed.onnx', 'added']) {
      await signModel(join(folder, path), { signer });
    }
    await signModel(join(folder, 'foreign.onnx'), { signer: stranger });
    await writeFile(join(folder, 'changed.onnx'), scale(6.5));
    await writeFile(join(folder, 'added/weights.data'), 'x');
    // How it is served may change without a new signature.
    await writeFile(join(folder, 'folder/config.json'), '{"maxBatchSize": 2}');
    const trustedSigners = [await createVerifier(mine.publicKey)];
    const answers = await answersOf(folder, { modelKeys: key, trustedSigners });
    expect(answers).toMatchObject({ 'bare/1': 1, 'folder/1': 2, 'sealed/1': 3 });
    expect(answers['unsigned/1']).toMatch(/not signed/);
    expect(answers['foreign/1']).toMatch(/not among those trusted/);
    expect(answers['changed/1']).toMatch(/changed/);
    expect(answers['added/1']).toMatch(/'weights\.data' is not among the signed files/);
  });
});

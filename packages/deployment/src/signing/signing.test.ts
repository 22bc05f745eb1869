import { execFileSync } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { verifySignature } from './model-signature.js';
import { readSigner, signModel, verifyModelSignature } from './sign-files.js';
import { createSigner, createVerifier, generateSigningKeys, type Verifier } from './signing-key.js';

const fixtures = fileURLToPath(new URL('../../fixtures/model-signing/', import.meta.url));
const read = (name: string): Promise<string> => readFile(join(fixtures, name), 'utf8');
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'signing-'));
});
afterAll(() => rm(folder, { recursive: true }));

describe('a model that the reference implementation signed', () => {
  let verifier: Verifier;
  beforeAll(async () => {
    verifier = await createVerifier(await read('signing-key-pub.pem'));
  });

  it('is verified', async () => {
    const signed = await verifyModelSignature(join(fixtures, 'signed'), { verifiers: [verifier] });
    expect(signed.resources.map(({ name }) => name)).toEqual(['signme-1', 'signme-2']);
  });

  it('is refused for one changed byte, a file too many and one too few', async () => {
    const copy = join(folder, 'changed');
    const refusal = (): Promise<unknown> => verifyModelSignature(copy, { verifiers: [verifier] });
    await cp(join(fixtures, 'signed'), copy, { recursive: true });
    await writeFile(join(copy, 'signme-1'), 'signme-2\n');
    await expect(refusal()).rejects.toThrow(/'signme-1' was changed/);
    await cp(join(fixtures, 'signed'), copy, { recursive: true });
    await writeFile(join(copy, 'more'), '');
    await expect(refusal()).rejects.toThrow(/'more' is not among the signed files/);
    await verifyModelSignature(copy, { verifiers: [verifier], ignoreUnsignedFiles: true });
    await rm(join(copy, 'more'));
    await rename(join(copy, 'signme-2'), join(copy, 'signme-3'));
    await expect(refusal()).rejects.toThrow(/'signme-2', which was signed, is missing/);
  });
});

describe('the published bundles', () => {
  it('by key is read as what it vouches for', async () => {
    const verifier = await createVerifier(await read('signing-key-pub.pem'));
    const { resources } = await verifySignature(await read('valid-key.bundle.json'), [verifier]);
    expect(resources).toHaveLength(2);
  });

  it.each([
    'empty',
    'missing-envelope',
    'missing-tlog-entries',
    'missing-verification-material',
    'payload-wrong-predicate',
  ])('that is wrong is refused: %s', async (name) => {
    const verifier = await createVerifier(await read('signing-key-pub.pem'));
    const text = await read(`invalid-${name}.bundle.json`);
    await expect(verifySignature(text, [verifier])).rejects.toMatchObject({ code: 'integrity-violation' });
  });
});

describe.each(['P-256', 'P-384', 'P-521', 'Ed25519'])('with a key of the kind %s', (kind) => {
  it('a folder is signed, verified, and refused when a bit is turned', async () => {
    const model = join(folder, kind);
    await mkdir(join(model, 'sub'), { recursive: true });
    await writeFile(join(model, 'sub', 'weights.bin'), Uint8Array.from([1, 2, 3]));
    await writeFile(join(model, 'model.onnx'), 'graph');
    const keys = await generateSigningKeys(kind);
    const verifier = await createVerifier(keys.publicKey);
    await signModel(model, { signer: await createSigner(keys.privateKey) });
    const signed = await verifyModelSignature(model, { verifiers: [verifier] });
    expect(signed.resources.map(({ name }) => name)).toEqual(['model.onnx', 'sub/weights.bin']);
    const stranger = await createVerifier((await generateSigningKeys(kind)).publicKey);
    await expect(verifyModelSignature(model, { verifiers: [stranger] })).rejects.toThrow(/not among those trusted/);
    await writeFile(join(model, 'sub', 'weights.bin'), Uint8Array.from([1, 2, 2]));
    await expect(verifyModelSignature(model, { verifiers: [verifier] })).rejects.toMatchObject({
      code: 'integrity-violation',
      details: { file: 'sub/weights.bin' },
    });
  });
});

describe('a signature', () => {
  it('is what the published schemas ask for', async () => {
    const ajv = new Ajv2020({ strict: false });
    for (const name of ['envelope', 'predicate', 'statement'])
      ajv.addSchema(JSON.parse(await read(`${name}.schema.json`)));
    const isBundle = ajv.compile(JSON.parse(await read('bundle.schema.json')));
    const isStatement = ajv.getSchema('https://model_signing/statement/v1.0/schema');
    const file = join(folder, 'alone.onnx');
    await writeFile(file, 'graph');
    const signature = await signModel(file, { signer: await createSigner((await generateSigningKeys()).privateKey) });
    const bundle = JSON.parse(await readFile(signature, 'utf8'));
    expect(isBundle(bundle), JSON.stringify(isBundle.errors)).toBe(true);
    const statement = JSON.parse(Buffer.from(bundle.dsseEnvelope.payload, 'base64').toString());
    expect(isStatement?.(statement), JSON.stringify(isStatement?.errors)).toBe(true);
    expect(signature).toBe(`${file}.sig`);
  });

  it('by a key of OpenSSL verifies, whatever the form of the key', async () => {
    const key = join(folder, 'openssl.pem');
    execFileSync('openssl', ['ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', key]);
    const signer = await readSigner(key);
    const file = join(folder, 'by-openssl.onnx');
    await writeFile(file, 'graph');
    await signModel(file, { signer });
    const publicKey = execFileSync('openssl', ['ec', '-in', key, '-pubout'], { stdio: 'pipe' }).toString();
    await verifyModelSignature(file, { verifiers: [await createVerifier(publicKey)] });
    // The signature itself is one that OpenSSL verifies.
    const { payload, signatures } = JSON.parse(await readFile(`${file}.sig`, 'utf8')).dsseEnvelope;
    const statement = Buffer.from(payload, 'base64');
    const head = Buffer.from(`DSSEv1 28 application/vnd.in-toto+json ${statement.length} `);
    await writeFile(join(folder, 'message'), Buffer.concat([head, statement]));
    await writeFile(join(folder, 'signature'), Buffer.from(signatures[0].sig, 'base64'));
    await writeFile(join(folder, 'public.pem'), publicKey);
    const [signature, message] = [join(folder, 'signature'), join(folder, 'message')];
    const openssl = ['dgst', '-sha256', '-verify', join(folder, 'public.pem'), '-signature', signature, message];
    expect(execFileSync('openssl', openssl).toString()).toContain('Verified OK');
  });

  it('is not given to links, nor is one missing taken for one', async () => {
    const model = join(folder, 'linked');
    await mkdir(model);
    await symlink('/etc/hostname', join(model, 'link'));
    const keys = await generateSigningKeys();
    await expect(signModel(model, { signer: await createSigner(keys.privateKey) })).rejects.toThrow(/'link' is a link/);
    const verifiers = [await createVerifier(keys.publicKey)];
    await expect(verifyModelSignature(model, { verifiers })).rejects.toThrow(/is not signed/);
  });
});

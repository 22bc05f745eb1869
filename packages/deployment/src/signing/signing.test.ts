import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { verifySignature } from './model-signature.js';
import { readSigner, signModel, verifyModelSignature } from './sign-files.js';
import { createSigner, createVerifier, generateSigningKeys } from './signing-key.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'signing-'));
});
afterAll(() => rm(folder, { recursive: true }));

describe('a signed folder', () => {
  it('is refused for one changed byte, a file too many and one too few', async () => {
    const model = join(folder, 'changed');
    await mkdir(model);
    await writeFile(join(model, 'one'), '1');
    await writeFile(join(model, 'two'), '2');
    const keys = await generateSigningKeys();
    const verifiers = [await createVerifier(keys.publicKey)];
    const refusal = (): Promise<unknown> => verifyModelSignature(model, { verifiers });
    await signModel(model, { signer: await createSigner(keys.privateKey) });
    await writeFile(join(model, 'one'), '3');
    await expect(refusal()).rejects.toThrow(/'one' was changed/);
    await writeFile(join(model, 'one'), '1');
    await writeFile(join(model, 'more'), '');
    await expect(refusal()).rejects.toThrow(/'more' is not among the signed files/);
    await verifyModelSignature(model, { verifiers, ignoreUnsignedFiles: true });
    await rm(join(model, 'more'));
    await rename(join(model, 'two'), join(model, 'three'));
    await expect(refusal()).rejects.toThrow(/'two', which was signed, is missing/);
  });
});

describe('a signature text', () => {
  /** A sound one, changed in one place. */
  async function changed(change: (bundle: Record<string, never>) => unknown): Promise<() => Promise<unknown>> {
    const file = join(folder, 'text.onnx');
    await writeFile(file, 'graph');
    const keys = await generateSigningKeys();
    const signature = await signModel(file, { signer: await createSigner(keys.privateKey) });
    const verifiers = [await createVerifier(keys.publicKey)];
    const bundle = JSON.parse(await readFile(signature, 'utf8'));
    const text = change(bundle) ?? bundle;
    return () => verifySignature(typeof text === 'string' ? text : JSON.stringify(text), verifiers);
  }
  const put = (path: readonly string[], value: unknown) => (bundle: Record<string, never>) => {
    const last = path.at(-1) as string;
    const parent = path.slice(0, -1).reduce<Record<string, unknown>>((at, key) => at[key] as never, bundle);
    if (value === undefined) delete parent[last];
    else parent[last] = value;
  };

  it.each<readonly [string, (bundle: Record<string, never>) => unknown, RegExp]>([
    ['empty', () => '', /cannot be read/],
    ['no JSON', () => '{"mediaType":', /cannot be read/],
    ['of another kind', put(['mediaType'], 'application/json'), /no Sigstore bundle/],
    ['without an envelope', put(['dsseEnvelope'], undefined), /cannot be read/],
    ['without a key', put(['verificationMaterial', 'publicKey'], undefined), /only signatures by keys/],
    ['about something else', put(['dsseEnvelope', 'payloadType'], 'text/plain'), /not an in-toto statement/],
    ['with two signatures', put(['dsseEnvelope', 'signatures'], [{}, {}]), /has 2 signatures/],
    ['with another payload', put(['dsseEnvelope', 'payload'], btoa('{}')), /what was signed is not what stands there/],
  ])('that is %s is refused', async (_, change, reason) => {
    const verify = await changed(change);
    await expect(verify()).rejects.toMatchObject({
      code: 'integrity-violation',
      message: expect.stringMatching(reason),
    });
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
  it('is an in-toto statement about sorted files, in a DSSE envelope, in a Sigstore bundle', async () => {
    const model = join(folder, 'statement');
    await mkdir(join(model, 'b'), { recursive: true });
    await writeFile(join(model, 'b', 'c'), 'x');
    await writeFile(join(model, 'b.txt'), 'y');
    const signature = await signModel(model, { signer: await createSigner((await generateSigningKeys()).privateKey) });
    expect(signature).toBe(join(model, 'model.sig'));
    const bundle = JSON.parse(await readFile(signature, 'utf8'));
    expect(bundle).toMatchObject({
      mediaType: 'application/vnd.dev.sigstore.bundle.v0.3+json',
      verificationMaterial: { publicKey: { hint: expect.stringMatching(/^[0-9a-f]{64}$/) }, tlogEntries: [] },
      dsseEnvelope: { payloadType: 'application/vnd.in-toto+json', signatures: [{ keyid: '' }] },
    });
    const statement = JSON.parse(Buffer.from(bundle.dsseEnvelope.payload, 'base64').toString());
    const digestOf = (...parts: (string | Buffer)[]): string =>
      parts.reduce((hash, part) => hash.update(part), createHash('sha256')).digest('hex');
    // '.' comes before '/'.
    const digests = [digestOf('y'), digestOf('x')];
    expect(statement).toEqual({
      _type: 'https://in-toto.io/Statement/v1',
      subject: [
        { name: 'statement', digest: { sha256: digestOf(...digests.map((each) => Buffer.from(each, 'hex'))) } },
      ],
      predicateType: 'https://model_signing/signature/v1.0',
      predicate: {
        resources: ['b.txt', 'b/c'].map((name, index) => ({ name, algorithm: 'sha256', digest: digests[index] })),
        serialization: {
          method: 'files',
          hash_type: 'sha256',
          allow_symlinks: false,
          ignore_paths: ['.git', '.gitattributes', '.github', '.gitignore', 'model.sig'],
        },
      },
    });
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

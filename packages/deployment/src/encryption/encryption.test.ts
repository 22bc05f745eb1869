import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decryptFile, encryptFile, isEncrypted, rewrapKey } from './encrypted-file.js';
import { createKeyFile, environmentKeyProvider, keyFileProvider } from './key-file.js';
import { type KeyProvider, kmsKeyProvider, localKeyProvider } from './key-provider.js';

let folder: string;
let provider: KeyProvider;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'encryption-'));
  await createKeyFile(join(folder, 'key'));
  provider = await keyFileProvider(join(folder, 'key'));
});
afterAll(() => rm(folder, { recursive: true }));

const bytesOf = (length: number): Uint8Array => Uint8Array.from({ length }, (_, index) => (index * 31) % 251);
const other = (): Promise<KeyProvider> => localKeyProvider(crypto.getRandomValues(new Uint8Array(32)));

describe('an encrypted file', () => {
  it.each([0, 1, 63, 64, 65, 128, 1000])('of %d bytes gives them back', async (length) => {
    const sealed = await encryptFile(bytesOf(length), provider, { name: 'm.onnx', chunkSizeBytes: 64 });
    expect(isEncrypted(sealed)).toBe(true);
    expect(await decryptFile(sealed, provider)).toEqual(bytesOf(length));
  });

  it('holds nothing of the plain text, and never the same twice', async () => {
    const plain = new TextEncoder().encode('secret weights '.repeat(20));
    const [a, b] = [
      await encryptFile(plain, provider, { name: 'm' }),
      await encryptFile(plain, provider, { name: 'm' }),
    ];
    expect(Buffer.from(a).includes('secret')).toBe(false);
    expect(Buffer.from(a).subarray(-300).equals(Buffer.from(b).subarray(-300))).toBe(false);
  });

  it('is refused for any bit that is turned', async () => {
    const sealed = await encryptFile(bytesOf(150), provider, { name: 'm.onnx', chunkSizeBytes: 64 });
    for (let at = 8; at < sealed.length; at++) {
      const turned = sealed.slice();
      turned[at] = (turned[at] as number) ^ 1;
      const opened = await decryptFile(turned, provider).catch((error: unknown) => error);
      expect(opened, `byte ${at}`).toMatchObject({
        code: expect.stringMatching(/integrity-violation|invalid-(data|argument)/),
      });
    }
  });

  it('is refused when chunks change places, or the end is missing', async () => {
    const sealed = await encryptFile(bytesOf(192), provider, { name: 'm.onnx', chunkSizeBytes: 64 });
    const chunks = sealed.length - 3 * 80;
    const swapped = sealed.slice();
    swapped.set(sealed.subarray(chunks + 80, chunks + 160), chunks);
    swapped.set(sealed.subarray(chunks, chunks + 80), chunks + 80);
    await expect(decryptFile(swapped, provider)).rejects.toThrow(/chunk 1 of 3/);
    await expect(decryptFile(sealed.slice(0, -80), provider)).rejects.toThrow(/its length is another/);
  });

  it('says which key it wants', async () => {
    const sealed = await encryptFile(bytesOf(10), provider, { name: 'm.onnx' });
    await expect(decryptFile(sealed, await other())).rejects.toThrow(/it is for the key 'local:[0-9a-f]{16}'/);
  });

  it('changes its key without being encrypted again', async () => {
    const next = await other();
    const sealed = await encryptFile(bytesOf(500), provider, { name: 'm.onnx' });
    const again = await rewrapKey(sealed, provider, next);
    expect(Buffer.from(again).subarray(-500).equals(Buffer.from(sealed).subarray(-500))).toBe(true);
    expect(await decryptFile(again, next)).toEqual(bytesOf(500));
    await expect(decryptFile(again, provider)).rejects.toMatchObject({ code: 'integrity-violation' });
  });
});

describe('keys', () => {
  it('lie in files that others cannot read, and are not written over', async () => {
    expect((await stat(join(folder, 'key'))).mode & 0o077).toBe(0);
    await expect(createKeyFile(join(folder, 'key'))).rejects.toMatchObject({ code: 'file-unwritable' });
  });

  it('come from the environment', async () => {
    const key = Buffer.from(bytesOf(32)).toString('base64');
    process.env['TEST_MODEL_KEY'] = key;
    const sealed = await encryptFile(bytesOf(10), await environmentKeyProvider('TEST_MODEL_KEY'), { name: 'm' });
    expect(await decryptFile(sealed, await localKeyProvider(bytesOf(32)))).toEqual(bytesOf(10));
    await expect(environmentKeyProvider('TEST_MODEL_KEY_MISSING')).rejects.toThrow(/holds no key/);
  });

  it('may stay in a service, which is told what they are for', async () => {
    // A service in small: wraps with a key of its own and checks the context, as they do.
    const own = await other();
    const service = kmsKeyProvider({
      keyId: 'alias/models',
      encrypt: async (plain, { content }) => Buffer.from(JSON.stringify(await own.wrap(plain, String(content)))),
      decrypt: async (sealed, { content }) => own.unwrap(JSON.parse(Buffer.from(sealed).toString()), String(content)),
    });
    const sealed = await encryptFile(bytesOf(10), service, { name: 'm' });
    expect(await decryptFile(sealed, service)).toEqual(bytesOf(10));
    await expect(decryptFile(sealed, provider)).rejects.toMatchObject({ code: 'integrity-violation' });
  });
});

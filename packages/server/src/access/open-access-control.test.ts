import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { addKeyToFile, readKeysFile, revokeKeyInFile } from './keys-file.js';
import { openAccessControl } from './open-access-control.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'modelwright-access-'));
});
afterAll(() => rm(folder, { recursive: true }));

const bearer =
  (key: string) =>
  (name: string): string | undefined =>
    name === 'authorization' ? `Bearer ${key}` : undefined;

test('keys are added by several at once, and none is lost', async () => {
  const file = join(folder, 'many.json');
  const made = await Promise.all(
    Array.from({ length: 8 }, (_, at) => addKeyToFile(file, { name: `key ${at}`, roles: ['user'] })),
  );
  const kept = await readKeysFile(file);
  expect(kept.map(({ id }) => id).sort()).toEqual(made.map(({ record }) => record.id).sort());
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  for (const { key } of made) expect(await readFile(file, 'utf8')).not.toContain(key);
});

test('a server follows its files: a revoked key, a new key, a changed policy; a broken file changes nothing', async () => {
  const [keys, policy] = [join(folder, 'keys.json'), join(folder, 'policy.json')];
  const { key, record } = await addKeyToFile(keys, { name: 'a', roles: ['user'] });
  await writeFile(policy, '{}');
  const problems: unknown[] = [];
  const access = await openAccessControl(
    { keys, policy },
    { onProblem: (error) => problems.push(error), checkMilliseconds: 0 },
  );
  const principal = await access.authenticate(bearer(key));
  expect(access.isAllowed(principal, 'infer', 'digits')).toBe(true);

  await revokeKeyInFile(keys, record.id);
  const later = await addKeyToFile(keys, { name: 'b', roles: ['user'] });
  await writeFile(policy, JSON.stringify({ roles: { user: [{ models: ['*'], actions: ['read'] }] } }));
  await expect(access.authenticate(bearer(key))).rejects.toThrow('was revoked');
  await expect(access.authenticate(bearer(later.key))).resolves.toMatchObject({ id: `key:${later.record.id}` });
  expect(access.isAllowed(principal, 'infer', 'digits')).toBe(false);

  await writeFile(keys, '{"version": 1, "keys": [');
  await expect(access.authenticate(bearer(later.key))).resolves.toBeDefined();
  expect(problems).toMatchObject([{ code: 'invalid-configuration' }]);
  await access.close();
});

test('keys of tokens stand in a file beside the policy', async () => {
  const { privateKey, publicKey } = await generateKeyPair('EdDSA', { extractable: true });
  await writeFile(join(folder, 'issuer.jwks'), JSON.stringify({ keys: [await exportJWK(publicKey)] }));
  const policy = join(folder, 'tokens.json');
  await writeFile(policy, JSON.stringify({ tokens: [{ issuer: 'me', audience: 'models', keys: 'issuer.jwks' }] }));
  const access = await openAccessControl({ policy });
  const token = await new SignJWT({ roles: 'user viewer' })
    .setProtectedHeader({ alg: 'EdDSA' })
    .setIssuer('me')
    .setAudience('models')
    .setSubject('ada')
    .setExpirationTime('1m')
    .sign(privateKey);
  expect(await access.authenticate(bearer(token))).toMatchObject({ id: 'token:me#ada', roles: ['user', 'viewer'] });
});

test('what is used up of limits outlives the server', async () => {
  const [policy, limits] = [join(folder, 'limited.json'), join(folder, 'used.json')];
  await writeFile(policy, JSON.stringify({ limits: [{ quota: { requests: 1, per: 'month' } }] }));
  const ask = async (): Promise<unknown> => {
    const access = await openAccessControl({ policy, limits });
    const outcome = await access
      .consume({ id: 'key:a', kind: 'key', roles: [] }, 'digits', { requests: 1 })
      .catch((error) => error.code);
    await access.close();
    return outcome;
  };
  expect(await ask()).toMatchObject({ 'x-ratelimit-remaining': '0' });
  expect(await ask()).toBe('rate-limited');
});

test('files that others may write, that are broken or not there are refused from the start', async () => {
  const file = join(folder, 'open.json');
  await addKeyToFile(file, { name: 'a', roles: [] });
  await chmod(file, 0o666);
  await expect(openAccessControl({ keys: file })).rejects.toThrow('may be written by others');
  await writeFile(join(folder, 'broken.json'), '{"keys": 1}');
  await expect(openAccessControl({ keys: join(folder, 'broken.json') })).rejects.toThrow('broken.json');
  await expect(openAccessControl({ keys: join(folder, 'away.json') })).rejects.toMatchObject({
    code: 'file-unreadable',
  });
  await expect(openAccessControl({})).rejects.toMatchObject({ code: 'invalid-configuration' });
});

test('a key that is not there cannot be revoked', async () => {
  const file = join(folder, 'one.json');
  const { key } = await addKeyToFile(file, { name: 'a', roles: [] });
  await expect(revokeKeyInFile(file, '000000000000')).rejects.toMatchObject({ code: 'invalid-argument' });
  const { revokedAt } = await revokeKeyInFile(file, key);
  expect((await revokeKeyInFile(file, key)).revokedAt).toBe(revokedAt);
});

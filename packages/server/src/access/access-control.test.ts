import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { beforeAll, describe, expect, test } from 'vitest';
import type { AccessControl, Action, Principal } from '../contract/access.js';
import { createAccessControl } from './access-control.js';
import type { AccessPolicy, Permission } from './access-policy.js';
import { createApiKey } from './api-key.js';
import { readPolicy } from './read-policy.js';

const now = Date.UTC(2030, 0, 31, 23, 30);

function headers(given: Readonly<Record<string, string>>): (name: string) => string | undefined {
  return (name) => given[name];
}

const bearer = (credential: string): ((name: string) => string | undefined) =>
  headers({ authorization: `Bearer ${credential}` });

describe('keys', () => {
  test('a key has 256 random bits, and only its hash is kept', async () => {
    const { key, record } = await createApiKey({ name: 'a', roles: ['user'] });
    const secret = key.split('_').slice(2).join('_');
    expect(Buffer.from(secret, 'base64url')).toHaveLength(32);
    expect(JSON.stringify(record)).not.toContain(secret);
    expect((await createApiKey({ name: 'a', roles: ['user'] })).key).not.toBe(key);
  });

  test('is known by either header, and says who it is without the secret', async () => {
    const { key, record } = await createApiKey({ name: 'a', roles: ['user'] });
    const access = createAccessControl({ keys: [record] });
    const principal = { id: `key:${record.id}`, kind: 'key', roles: ['user'] };
    expect(await access.authenticate(bearer(key))).toEqual(principal);
    expect(await access.authenticate(headers({ 'x-api-key': key }))).toEqual(principal);
  });

  test.each<[string, (key: string) => Readonly<Record<string, string>>]>([
    ['nothing', () => ({})],
    ['another secret for a known id', (key) => ({ authorization: `Bearer ${key.slice(0, 16)}${'A'.repeat(43)}` })],
    ['an unknown id', (key) => ({ authorization: `Bearer mw_000000000000_${key.slice(16)}` })],
    ['a shortened key', (key) => ({ authorization: `Bearer ${key.slice(0, -1)}` })],
    ['a lengthened key', (key) => ({ authorization: `Bearer ${key}A` })],
    ['the key as password', (key) => ({ authorization: `Basic ${btoa(`user:${key}`)}` })],
    ['an empty header', () => ({ authorization: '' })],
    ['an empty key', () => ({ 'x-api-key': '' })],
    ['its hash', () => ({ 'x-api-key': 'f'.repeat(64) })],
  ])('%s is refused, and the error holds no secret', async (_what, make) => {
    const { key, record } = await createApiKey({ name: 'a', roles: ['user'] });
    const failure = await createAccessControl({ keys: [record] })
      .authenticate(headers(make(key)))
      .catch((error) => error);
    expect(failure).toMatchObject({ code: 'unauthenticated' });
    expect(`${failure.message}${JSON.stringify(failure.details)}`).not.toContain(key.slice(20, 40));
  });

  test('an expired one and a revoked one are refused', async () => {
    const { key, record } = await createApiKey({ name: 'a', roles: ['user'], expiresAt: new Date(now) });
    const early = createAccessControl({ keys: [record], now: () => now - 1 });
    await expect(early.authenticate(bearer(key))).resolves.toBeDefined();
    const late = createAccessControl({ keys: [record], now: () => now });
    await expect(late.authenticate(bearer(key))).rejects.toThrow('has expired');
    const revoked = createAccessControl({ keys: [{ ...record, revokedAt: new Date().toISOString() }], now: () => 0 });
    await expect(revoked.authenticate(bearer(key))).rejects.toThrow('was revoked');
  });

  test('who shows none is anonymous where the policy says so; who shows a wrong one is refused', async () => {
    const access = createAccessControl({ policy: { anonymous: ['viewer'] } });
    expect(await access.authenticate(headers({}))).toEqual({ id: 'anonymous', kind: 'anonymous', roles: ['viewer'] });
    await expect(access.authenticate(bearer('nonsense'))).rejects.toMatchObject({ code: 'unauthenticated' });
  });
});

describe('tokens', () => {
  const issuer = 'https://login.example';
  let sign: (
    claims?: Record<string, unknown>,
    header?: { readonly kid?: string; readonly alg?: string },
  ) => Promise<string>;
  let access: AccessControl;

  beforeAll(async () => {
    const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true });
    const jwk = { ...(await exportJWK(publicKey)), kid: 'one', alg: 'ES256' };
    sign = ({ iss = issuer, aud = 'models', sub = 'ada', exp = now / 1000 + 60, ...claims } = {}, header = {}) =>
      new SignJWT({ iss, aud, sub, exp, ...claims } as never)
        .setProtectedHeader({ alg: 'ES256', kid: 'one', ...header })
        .sign(privateKey);
    access = createAccessControl({
      policy: { tokens: [{ issuer, audience: 'models', keys: 'keys.jwks', rolesClaim: 'realm_access.roles' }] },
      tokenKeys: new Map([['keys.jwks', { keys: [jwk] }]]),
      now: () => now,
    });
  });

  test('a good one names a principal and its roles', async () => {
    const token = await sign({ realm_access: { roles: ['user', 'other'] } });
    expect(await access.authenticate(bearer(token))).toEqual({
      id: 'token:https://login.example#ada',
      kind: 'token',
      roles: ['user', 'other'],
    });
  });

  test.each<[string, Record<string, unknown>]>([
    ['of another issuer', { iss: 'https://evil.example' }],
    ['for another audience', { aud: 'mail' }],
    ['of the past', { exp: now / 1000 - 6 }],
    ['of the future', { nbf: now / 1000 + 6 }],
    ['without end', { exp: null }],
    ['without subject', { sub: null }],
  ])('one %s is refused', async (_what, claims) => {
    await expect(access.authenticate(bearer(await sign(claims)))).rejects.toMatchObject({ code: 'unauthenticated' });
  });

  test('one that is changed, unsigned, or signed by a public key as a password is refused', async () => {
    const [head, body, signature] = (await sign()).split('.') as [string, string, string];
    const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
    const payload = JSON.parse(Buffer.from(body, 'base64url').toString());
    const symmetric = await new SignJWT(payload)
      .setProtectedHeader({ alg: 'HS256', kid: 'one' })
      .sign(new TextEncoder().encode('p'.repeat(32)));
    const changed = encode({ ...payload, realm_access: { roles: ['admin'] } });
    for (const forged of [
      `${head}.${changed}.${signature}`,
      `${encode({ alg: 'none' })}.${body}.`,
      symmetric,
      await sign({}, { kid: 'two' }),
    ])
      await expect(access.authenticate(bearer(forged))).rejects.toMatchObject({ code: 'unauthenticated' });
  });

  test('keys must come by https', () => {
    const make = (keys: string): unknown =>
      createAccessControl({ policy: { tokens: [{ issuer, audience: 'a', keys }] } });
    expect(() => make('http://login.example/keys')).toThrow('https');
    expect(make('http://127.0.0.1:9/keys')).toBeDefined();
  });

  test('keys are found by what the issuer says of itself, and asked for once', async () => {
    const asked: string[] = [];
    const { privateKey, publicKey } = await generateKeyPair('RS256');
    const jwk = { ...(await exportJWK(publicKey)), kid: 'a', alg: 'RS256', use: 'sig' };
    const provider = createServer((request, response) => {
      asked.push(request.url ?? '');
      const own = `http://localhost:${(provider.address() as AddressInfo).port}`;
      const isKeys = request.url === '/keys';
      response.end(JSON.stringify(isKeys ? { keys: [jwk] } : { issuer: own, jwks_uri: `${own}/keys` }));
    });
    await new Promise<void>((resolve) => provider.listen(0, 'localhost', resolve));
    const own = `http://localhost:${(provider.address() as AddressInfo).port}`;
    const found = createAccessControl({ policy: { tokens: [{ issuer: own, audience: 'models' }] } });
    const token = await new SignJWT({ roles: ['user'] })
      .setProtectedHeader({ alg: 'RS256', kid: 'a' })
      .setIssuer(own)
      .setAudience(['mail', 'models'])
      .setSubject('ada')
      .setExpirationTime('1m')
      .sign(privateKey);
    for (let again = 0; again < 3; again++)
      expect(await found.authenticate(bearer(token))).toMatchObject({ id: `token:${own}#ada`, roles: ['user'] });
    expect(asked).toEqual(['/.well-known/openid-configuration', '/keys']);
    provider.close();
    provider.closeAllConnections();
  });

  test('an issuer that cannot be reached is trouble of the server, not of the caller', async () => {
    const away = createAccessControl({
      policy: { tokens: [{ issuer, audience: 'models', keys: 'http://127.0.0.1:9/keys' }] },
      now: () => now,
    });
    await expect(away.authenticate(bearer(await sign()))).rejects.toMatchObject({ code: 'model-unavailable' });
  });
});

test('certificates give the roles that the policy has for their subject or fingerprint', async () => {
  const access = createAccessControl({
    policy: {
      certificates: [
        { subject: 'CN=reports', roles: ['viewer'] },
        { fingerprint256: 'AB:CD', roles: ['user'] },
      ],
    },
  });
  const roles = async (subject: string, fingerprint256: string): Promise<readonly string[]> =>
    (await access.authenticate(headers({}), { certificate: { subject, fingerprint256 } })).roles;
  expect(await roles('CN=reports', 'ff')).toEqual(['viewer']);
  expect(await roles('CN=other', 'abcd')).toEqual(['user']);
  await expect(roles('CN=other', 'ff')).rejects.toMatchObject({ code: 'unauthenticated' });
});

describe('permissions', () => {
  const roles: Readonly<Record<string, readonly Permission[]>> = {
    scientist: [
      { models: ['*', '!payroll*'], actions: ['read', 'infer'] },
      { models: ['draft-*-v?', 'mine'], actions: ['control'] },
    ],
    chief: [{ models: ['*'], actions: ['observe', 'control'] }],
  };
  const access = createAccessControl({ policy: { roles } });
  const principal = (...held: string[]): Principal => ({ id: 'p', kind: 'key', roles: held });

  test.each<[string, Action, string, boolean]>([
    ['scientist', 'infer', 'digits', true],
    ['scientist', 'infer', 'payroll-2030', false],
    ['scientist', 'observe', 'digits', false],
    ['scientist', 'control', 'draft-a-v?', true],
    ['scientist', 'control', 'draft-v?', false],
    ['scientist', 'control', 'digits', false],
    ['scientist', 'infer', '*', true],
    ['scientist', 'control', '*', false],
    ['chief', 'control', '*', true],
    ['chief', 'observe', 'payroll', true],
    ['chief', 'infer', '*', false],
    ['nobody', 'read', '*', false],
    ['nobody', 'read', 'digits', false],
    ['constructor', 'read', 'digits', false],
  ])('%s may %s %s: %s', (role, action, model, expected) => {
    expect(access.isAllowed(principal(role), action, model)).toBe(expected);
  });

  test('several roles add up, none is nothing', () => {
    expect(access.isAllowed(principal('chief', 'scientist'), 'infer', 'digits')).toBe(true);
    expect(access.isAllowed(principal(), 'read', 'digits')).toBe(false);
  });
});

test.each<[string, unknown, string]>([
  ['no JSON', undefined, 'policy is not JSON'],
  ['a misspelt field', { limit: [] }, 'policy.limit: expected only the fields'],
  ['a misspelt action', { roles: { a: [{ models: ['*'], actions: ['reed'] }] } }, 'policy.roles.a[0].actions[0]'],
  ['an undefined role', { anonymous: ['guest'] }, "role 'guest' is not defined"],
  ['a symmetric signature', { tokens: [{ issuer: 'a', audience: 'b', algorithms: ['HS256'] }] }, 'algorithms[0]'],
  ['a limit of nothing', { limits: [{ rate: { perSeconds: 1 } }] }, 'limits[0] limits neither'],
  ['a negative limit', { limits: [{ rate: { perSeconds: 1, requests: -1 } }] }, 'limits[0].rate.requests'],
  ['a certificate of nobody', { certificates: [{ roles: ['user'] }] }, 'neither subject nor'],
])('a policy with %s is refused', (_what, policy, message) => {
  expect(() => readPolicy(JSON.stringify(policy) ?? '{')).toThrow(message);
});

test('a policy file is what it says', () => {
  const policy: AccessPolicy = {
    roles: { user: [{ models: ['*'], actions: ['infer'] }] },
    limits: [{ roles: ['user'], rate: { requests: 10, perSeconds: 60 }, quota: { tokens: 1000, per: 'day' } }],
    tokens: [{ issuer: 'https://a', audience: 'b' }],
  };
  expect(readPolicy(JSON.stringify({ $schema: 'x', ...policy }))).toEqual(policy);
});

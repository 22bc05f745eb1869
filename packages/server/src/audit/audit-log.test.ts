import { createHash, generateKeyPairSync } from 'node:crypto';
import { appendFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { tensor } from '@modelwright/core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openAccess } from '../access/open-access.js';
import type { ServerEvent } from '../contract/events.js';
import { type AuditLogOptions, openAuditLog } from './audit-log.js';
import { auditedAccess } from './audited-access.js';
import { verifyAuditLog } from './verify-audit-log.js';

let parent: string;
let count = 0;
beforeAll(async () => {
  parent = await mkdtemp(join(tmpdir(), 'modelwright-audit-'));
});
afterAll(() => rm(parent, { recursive: true }));

const pair = () =>
  generateKeyPairSync('ed25519', {
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
const { privateKey: signingKey, publicKey } = pair();
const segment = 'audit-000000000001.jsonl';

const inference: ServerEvent & { kind: 'inference' } = {
  kind: 'inference',
  requestId: 'r1',
  protocol: 'open-inference',
  principal: { id: 'key:a', kind: 'key', roles: ['user'] },
  model: 'digits',
  version: '3',
  sha256: 'ab',
  outcome: 'success',
  count: 1,
  totalNanoseconds: 1_234_567,
  inputs: { image: tensor([[0.25, 0.5]]), name: tensor(['Ada Lovelace']) },
};

/** A closed log of `start`, `lineCount` inferences and `stop`. */
async function writeLog(lineCount: number, options: AuditLogOptions = {}): Promise<string> {
  const folder = join(parent, String(count++));
  const log = await openAuditLog(folder, options);
  for (let at = 0; at < lineCount; at++) log.listener({ ...inference, requestId: `r${at}` });
  await log.close();
  return folder;
}

const read = (folder: string, file = segment): Promise<string> => readFile(join(folder, file), 'utf8');
const problemsOf = async (folder: string, options = {}): Promise<string[]> =>
  (await verifyAuditLog(folder, options)).problems.map(({ file, line, what }) => `${file}:${line ?? ''} ${what}`);

describe('a record', () => {
  test('says who used which model when, and of inputs only their hashes', async () => {
    const text = await read(await writeLog(1));
    expect(text).not.toContain('Lovelace');
    expect(JSON.parse(text.split('\n')[1]!)).toMatchObject({
      sequence: 2,
      kind: 'inference',
      requestId: 'r0',
      principal: { id: 'key:a' },
      model: 'digits',
      version: '3',
      sha256: 'ab',
      outcome: 'success',
      milliseconds: 1.235,
      inputs: {
        image: {
          dtype: 'float32',
          shape: [1, 2],
          sha256: createHash('sha256')
            .update(Buffer.from(Float32Array.of(0.25, 0.5).buffer))
            .digest('hex'),
        },
        name: { sha256: createHash('sha256').update('["Ada Lovelace"]').digest('hex') },
      },
    });
  });

  test('of inputs that could be guessed has a keyed hash, or none', async () => {
    const line = async (options: AuditLogOptions): Promise<{ inputs?: { image: object } }> =>
      JSON.parse((await read(await writeLog(1, options))).split('\n')[1]!);
    const keyed = (await line({ inputKey: new Uint8Array(32) })).inputs?.image;
    expect(keyed).toHaveProperty('hmacSha256');
    expect(keyed).not.toEqual((await line({ inputKey: new Uint8Array(32).fill(1) })).inputs?.image);
    expect(await line({ inputs: 'omit' })).not.toHaveProperty('inputs');
  });

  test('is kept of refusals and of models that come and go, not of executions', async () => {
    const folder = join(parent, 'kinds');
    const log = await openAuditLog(folder);
    const { principal } = inference;
    log.listener({ kind: 'execution', model: 'm', version: '1', batchSize: 1, computeNanoseconds: 1 });
    log.listener({ kind: 'model-state', model: 'm', version: '1', state: 'READY', reason: '', principal });
    log.listener({
      kind: 'refused',
      requestId: 'r',
      protocol: 'grpc',
      action: 'authenticate',
      model: '*',
      errorCode: 'unauthenticated',
    });
    await log.close();
    const kinds = (await read(folder))
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).kind);
    expect(kinds).toEqual(['start', 'model-state', 'refused', 'stop']);
  });

  test('can be checked by other means', async () => {
    for (const text of (await read(await writeLog(3))).trim().split('\n')) {
      const { hash, ...bare } = JSON.parse(text);
      const sorted = JSON.stringify(bare, Object.keys(flatten(bare)).sort());
      expect(createHash('sha256').update(sorted).digest('hex')).toBe(hash);
    }
  });
});

describe('verification', () => {
  test('an untouched log is intact, however it was split and signed', async () => {
    const folder = await writeLog(50, { segmentBytes: 2000, signingKey, checkpointLines: 10 });
    expect((await readdir(folder)).length).toBeGreaterThan(5);
    const report = await verifyAuditLog(folder, { publicKeys: [publicKey] });
    expect(report).toMatchObject({ isIntact: true, lineCount: 58, head: { sequence: 58 }, signedThrough: 58 });
  });

  test.each<[string, (lines: string[]) => string[], string]>([
    ['a changed word', (lines) => lines.with(2, lines[2]!.replace('digits', 'letters')), ':3 was changed'],
    ['a changed number', (lines) => lines.with(2, lines[2]!.replace('"count":1', '"count":2')), ':3 was changed'],
    ['a space put in', (lines) => lines.with(2, lines[2]!.replace(':', ': ')), ':3 was changed'],
    ['a field twice', (lines) => lines.with(2, lines[2]!.replace('{', '{"count":1,')), ':3 was changed'],
    ['a removed line', (lines) => lines.toSpliced(2, 1), ':3 is number 4: 3 is missing before it'],
    ['several removed', (lines) => lines.toSpliced(1, 3), ':2 is number 5: 2 to 4 are missing before it'],
    ['the first removed', (lines) => lines.slice(1), ':1 is number 2: 1 is missing before it'],
    ['the last removed', (lines) => lines.slice(0, -1), 'Line 7 was there and is missing'],
    ['all removed', () => [], 'Line 7 was there and is missing'],
    ['two swapped', (lines) => lines.with(2, lines[3]!).with(3, lines[2]!), ':3 is number 4'],
    ['one twice', (lines) => lines.toSpliced(2, 0, lines[2]!), ':4 is number 3: it stands after 3'],
    ['something else', (lines) => lines.toSpliced(2, 0, 'hello'), ':3 is not JSON'],
    ['half a line', (lines) => lines.with(6, lines[6]!.slice(0, 20)), ':7 is not JSON'],
  ])('finds %s', async (_what, change, expected) => {
    const folder = await writeLog(5);
    const lines = (await read(folder)).trim().split('\n');
    expect(lines).toHaveLength(7);
    await writeFile(
      join(folder, segment),
      change(lines)
        .map((line) => `${line}\n`)
        .join(''),
    );
    expect((await problemsOf(folder)).join('\n')).toContain(expected);
  });

  test('finds any flipped bit', async () => {
    const folder = await writeLog(2);
    const bytes = await readFile(join(folder, segment));
    for (let at = 0; at < bytes.length; at += 7) {
      const flipped = Buffer.from(bytes);
      flipped[at]! ^= 1 << (at % 8);
      await writeFile(join(folder, segment), flipped);
      expect((await verifyAuditLog(folder)).isIntact, `byte ${at}`).toBe(false);
    }
  });

  test('finds a file that is away, first, middle or last', async () => {
    for (const which of [0, 2, -1]) {
      const folder = await writeLog(30, { segmentBytes: 2000 });
      const files = (await readdir(folder)).filter((name) => name.startsWith('audit-')).sort();
      await rm(join(folder, files.at(which)!));
      expect(await problemsOf(folder)).not.toEqual([]);
    }
  });

  test('finds a missing head', async () => {
    const folder = await writeLog(1);
    await rm(join(folder, 'head.json'));
    expect(await problemsOf(folder)).toEqual([expect.stringContaining('may have been cut off')]);
  });

  test('finds a log that was written anew: by its signature, or by a line noted elsewhere', async () => {
    const original = await writeLog(3, { signingKey });
    const { head } = await verifyAuditLog(original, { publicKeys: [publicKey] });
    for (const forgery of [await writeLog(3), await writeLog(3, { signingKey: pair().privateKey })]) {
      expect(await problemsOf(forgery)).toEqual([]);
      expect(await problemsOf(forgery, { publicKeys: [publicKey] })).not.toEqual([]);
      expect((await problemsOf(forgery, { expectedHead: head })).join()).toMatch(
        /not the line|missing|not the expected/,
      );
    }
    expect(await problemsOf(original, { expectedHead: head })).toEqual([]);
  });
});

describe('opening', () => {
  test('goes on where the log ended, signed or not', async () => {
    const folder = await writeLog(1);
    const log = await openAuditLog(folder, { signingKey, sync: 'always' });
    log.append({ kind: 'note', text: 'line\nbreak' });
    await log.flush();
    expect(await verifyAuditLog(folder)).toMatchObject({ isIntact: true, lineCount: 5 });
    await log.close();
    expect(await verifyAuditLog(folder, { publicKeys: [publicKey] })).toMatchObject({
      isIntact: true,
      signedThrough: 7,
    });
  });

  test('takes away a line that was not finished, and says so', async () => {
    const folder = await writeLog(1);
    await appendFile(join(folder, segment), '{"count":');
    expect((await verifyAuditLog(folder)).isIntact).toBe(true);
    await (await openAuditLog(folder)).close();
    expect((await verifyAuditLog(folder)).isIntact).toBe(true);
    expect(await read(folder)).toContain('"unfinishedBytes":9');
  });

  test('goes on after a file that got no line', async () => {
    const folder = await writeLog(1);
    await writeFile(join(folder, 'audit-000000000004.jsonl'), '');
    await (await openAuditLog(folder)).close();
    expect(await problemsOf(folder)).toEqual([]);
  });

  test('refuses a log whose end was cut off or changed', async () => {
    for (const change of [
      (text: string) => text.slice(0, text.lastIndexOf('\n', text.length - 2) + 1),
      (text: string) => text.replace('"kind":"stop"', '"kind":"shop"'),
      () => '',
    ]) {
      const folder = await writeLog(1);
      await writeFile(join(folder, segment), change(await read(folder)));
      await expect(openAuditLog(folder)).rejects.toMatchObject({ code: 'integrity-violation' });
    }
  });

  test('only one at a time writes', async () => {
    const folder = join(parent, 'one');
    const log = await openAuditLog(folder);
    await expect(openAuditLog(folder)).rejects.toMatchObject({ code: 'file-unwritable' });
    await log.close();
    await (await openAuditLog(folder)).close();
  });
});

test('lines that cannot be written wait, and come later', async () => {
  const folder = join(parent, 'full');
  const problems: unknown[] = [];
  const log = await openAuditLog(folder, { onProblem: (error) => problems.push(error), segmentBytes: 1 });
  await log.flush();
  await mkdir(join(folder, 'audit-000000000002.jsonl'));
  log.append({ kind: 'note' });
  await expect(log.flush()).rejects.toMatchObject({ code: 'file-unwritable' });
  expect(log.problem).toBe(problems[0]);
  const access = auditedAccess(openAccess(), log);
  await expect(access.authenticate(() => undefined)).rejects.toMatchObject({ code: 'model-unavailable' });
  await rm(join(folder, 'audit-000000000002.jsonl'), { recursive: true });
  await log.close();
  expect(log.problem).toBeUndefined();
  expect(await access.authenticate(() => undefined)).toMatchObject({ id: 'anonymous' });
  expect(await verifyAuditLog(folder)).toMatchObject({ isIntact: true, lineCount: 3 });
});

test('strangers cannot fill the disk, neither by many requests nor by long names', async () => {
  const folder = join(parent, 'strangers');
  const clock = { now: new Date(1e12) };
  const log = await openAuditLog(folder, { now: () => clock.now });
  const refused = { kind: 'refused', requestId: 'r', protocol: 'p', action: 'authenticate', errorCode: 'e' } as const;
  const flood = (): void => {
    for (let at = 0; at < 1000; at++) log.listener({ ...refused, model: 'x'.repeat(10_000) });
  };
  flood();
  clock.now = new Date(1e12 + 1000);
  flood();
  await log.close();
  const lines = (await read(folder)).trim().split('\n');
  expect(lines).toHaveLength(204);
  expect(lines.map((line) => JSON.parse(line)).filter(({ kind }) => kind === 'refused-more')).toMatchObject([
    { sequence: 102, count: 900 },
    { sequence: 203, count: 900 },
  ]);
  expect(Math.max(...lines.map(({ length }) => length))).toBeLessThan(1000);
});

test('lines beyond what may wait are counted', async () => {
  const folder = join(parent, 'lost');
  const log = await openAuditLog(folder, { segmentBytes: 1 });
  await log.flush();
  await mkdir(join(folder, 'audit-000000000002.jsonl'));
  log.append({ kind: 'note', text: 'x'.repeat(2 ** 24) });
  await expect(log.flush()).rejects.toMatchObject({ code: 'file-unwritable' });
  for (let at = 0; at < 3; at++) log.append({ kind: 'note', at });
  await rm(join(folder, 'audit-000000000002.jsonl'), { recursive: true });
  await log.flush();
  log.append({ kind: 'note' });
  await log.close();
  expect(await read(folder, 'audit-000000000003.jsonl')).toContain('"count":3,"hash":');
});

/** Every key at any depth, as `JSON.stringify` wants them to sort by. */
function flatten(value: object): Record<string, true> {
  return Object.assign(
    {},
    ...Object.entries(value).map(([key, held]) => ({
      [key]: true,
      ...(typeof held === 'object' && held !== null ? flatten(held) : {}),
    })),
  );
}

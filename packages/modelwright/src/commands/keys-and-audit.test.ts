import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generateSigningKeys } from '@modelwright/deployment';
import { createAccessControl, type KeyRecord } from '@modelwright/server';
import { openAuditLog, readKeysFile } from '@modelwright/server/node';
import { CommanderError } from 'commander';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { createProgram, everyCommand } from '../cli/create-program.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'modelwright-keys-'));
});
afterAll(() => rm(folder, { recursive: true }));

interface Outcome {
  readonly exitCode: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

/** The program without a process around it: a start costs more than all of these tests. */
async function modelwright(...words: string[]): Promise<Outcome> {
  const written = { stdout: '', stderr: '' };
  const spies = (['stdout', 'stderr'] as const).map((name) =>
    vi.spyOn(process[name], 'write').mockImplementation((text) => {
      written[name] += text;
      return true;
    }),
  );
  const program = createProgram();
  for (const command of everyCommand(program)) command.exitOverride();
  try {
    await program.parseAsync(words, { from: 'user' });
    return { exitCode: Number(process.exitCode), ...written };
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return { exitCode: 2, ...written };
  } finally {
    process.exitCode = undefined;
    for (const spy of spies) spy.mockRestore();
  }
}

test('a key is made, works, is listed without its secret, and revoked', async () => {
  const file = join(folder, 'keys.json');
  const made = await modelwright('keys', 'create', '-f', file, '--name', 'ada', '--role', 'viewer,user', '-e', '90d');
  expect(made).toMatchObject({ exitCode: 0, stderr: expect.stringContaining("of 'ada' (viewer, user)") });
  const key = made.stdout.trim();
  const keys = await readKeysFile(file);
  const principal = await createAccessControl({ keys }).authenticate((name) =>
    name === 'x-api-key' ? key : undefined,
  );
  expect(principal.roles).toEqual(['viewer', 'user']);

  const { id, expiresAt, sha256 } = keys[0] as KeyRecord;
  const listed = await modelwright('keys', 'list', '-f', file);
  expect(listed.stdout).toMatch(new RegExp(`${id} +ada +viewer, user +[\\d-]+ +${expiresAt?.slice(0, 10)} +valid`));
  expect(listed.stdout).not.toContain(sha256);
  expect((await modelwright('keys', 'revoke', id, '-f', file)).stdout).toContain('is revoked');
  const { stdout } = await modelwright('keys', 'list', '-f', file, '--json');
  expect(JSON.parse(stdout)).toMatchObject({ keys: [{ id, state: 'revoked' }] });
});

test.each([
  ['a role that nobody has defined', ['create', '-n', 'a', '-r', 'admim'], "no role 'admim'; there are admin", 2],
  ['a date that is over', ['create', '-n', 'a', '-e', '2020-01-01'], 'a date to come', 2],
  ['a key without name', ['create'], '--name', 2],
  ['a file that is not there', ['list', '-f', 'away.json'], "'away.json' cannot be read", 3],
  ['a key that is not there', ['revoke', 'abc'], "no key 'abc'", 2],
])('keys refuses %s', async (_what, [verb = '', ...words], message, status) => {
  const file = join(folder, 'some.json');
  await writeFile(file, '{"version": 1, "keys": []}', { mode: 0o600 });
  const { exitCode, stderr } = await modelwright('keys', verb, '-f', file, ...words);
  expect([exitCode, stderr]).toEqual([status, expect.stringContaining(message)]);
});

test('a role of a policy can be given where the policy is named', async () => {
  const [file, policy] = [join(folder, 'team.json'), join(folder, 'policy.json')];
  await writeFile(policy, JSON.stringify({ roles: { team: [{ models: ['a*'], actions: ['infer'] }] } }));
  expect((await modelwright('keys', 'create', '-f', file, '-n', 'a', '-r', 'team')).exitCode).toBe(2);
  expect((await modelwright('keys', 'create', '-f', file, '-n', 'a', '-r', 'team', '-p', policy)).exitCode).toBe(0);
});

test('audit verify tells an intact log from a changed one', async () => {
  const [log, key] = [join(folder, 'audit'), join(folder, 'audit.key')];
  const { privateKey, publicKey } = await generateSigningKeys('Ed25519');
  await writeFile(key, publicKey);
  const opened = await openAuditLog(log, { signingKey: privateKey });
  for (let at = 0; at < 3; at++) opened.append({ kind: 'note', at });
  await opened.close();
  const intact = await modelwright('audit', 'verify', log, '--public-key', key);
  expect(intact).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('is intact: 6 lines in 1 file') });
  expect(intact.stdout).toContain('signed up to line 6');
  const head = /last line (\S+)/.exec(intact.stdout)?.[1] ?? '';
  expect((await modelwright('audit', 'verify', log, '--head', head)).exitCode).toBe(0);

  const file = join(log, 'audit-000000000001.jsonl');
  await writeFile(file, (await readFile(file, 'utf8')).replace('"at":1', '"at":7'));
  const changed = await modelwright('audit', 'verify', log);
  expect([changed.exitCode, changed.stdout]).toEqual([
    3,
    expect.stringMatching(/NOT intact[\s\S]*\.jsonl:3 +was changed/),
  ]);
  const noted = await modelwright('audit', 'verify', log, '--json', '--head', `2:${'0'.repeat(64)}`);
  expect(JSON.parse(noted.stdout).problems[0].what).toContain('was noted');
});

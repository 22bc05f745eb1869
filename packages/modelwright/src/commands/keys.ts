import { readFile } from 'node:fs/promises';
import { ModelwrightError } from '@modelwright/core';
import type { KeyRecord } from '@modelwright/server';
import { type Command, InvalidArgumentError } from 'commander';
import { collectNames } from '../cli/option-values.js';
import { type CommandResult, note, type OutputOptions, runCommand } from '../cli/output.js';
import { renderTable } from '../cli/table.js';

interface KeysOptions extends OutputOptions {
  readonly file: string;
}

interface CreateOptions extends KeysOptions {
  readonly name: string;
  readonly role?: readonly string[];
  readonly expires?: Date;
  readonly policy?: string;
}

const examples = `
Examples:
  $ modelwright keys create --name reporting                        prints the key, once; keys.json keeps only its hash
  $ modelwright keys create --name nightly-load --role operator --expires 90d
  $ modelwright keys create --name team-a --role team-a --policy policy.json
  $ modelwright keys list
  $ modelwright keys revoke 4f1d0a9c2b7e
  $ modelwright serve models --keys keys.json
  $ curl -H "authorization: Bearer $KEY" http://localhost:8000/v2/models/digits

Roles without a policy: admin (everything), operator (read, control, observe), user (read, infer), viewer (read, observe).`;

/** `modelwright keys create|list|revoke`: who may use a server. */
export function addKeysCommand(program: Command): void {
  const keys = program
    .command('keys')
    .description('make, list and revoke API keys of a server (every command takes --json)')
    .addHelpText('after', examples);
  const verb = (name: string, description: string): Command =>
    keys
      .command(name)
      .description(description)
      .option('-f, --file <path>', 'the keys file', 'keys.json')
      .option('--json', 'print the result as JSON');
  verb('create', 'make a key and print it, this one time')
    .requiredOption('-n, --name <name>', 'whose it is, for people')
    .option('-r, --role <roles>', 'its roles, with commas between (default: user)', collectNames)
    .option('-e, --expires <when>', 'until when it is good: a date, or from now on as in 12h, 90d', parseExpiry)
    .option('-p, --policy <file>', 'the policy that says which roles there are')
    .action((options: CreateOptions) => runCommand(options, () => create(options)));
  verb('list', 'show keys, without secrets').action((options: KeysOptions) => runCommand(options, () => list(options)));
  verb('revoke', 'refuse a key from now on; running servers follow within a second')
    .argument('<id>', 'as `keys list` shows it')
    .action((id: string, options: KeysOptions) => runCommand(options, () => revoke(id, options)));
}

/** The key alone goes to standard output, so that `KEY=$(modelwright keys create …)` holds it. */
async function create({ file, name, role = ['user'], expires, policy, json }: CreateOptions): Promise<CommandResult> {
  await checkRoles(role, policy);
  const options = { name, roles: role, ...(expires === undefined ? {} : { expiresAt: expires }) };
  const { addKeyToFile } = await serverPackage();
  const { key, record } = await addKeyToFile(file, options);
  if (!json) note(`key ${record.id} of '${name}' (${role.join(', ')}) is in '${file}'; it cannot be shown again:`);
  return { data: { key, ...describe(record) }, text: () => key };
}

async function list({ file }: KeysOptions): Promise<CommandResult> {
  const { readKeysFile } = await serverPackage();
  const records = await readKeysFile(file);
  const text = (): string =>
    renderTable(
      ['id', 'name', 'roles', 'created', 'expires', 'state'].map((heading) => ({ heading })),
      records.map((record) => [
        record.id,
        record.name,
        record.roles.join(', '),
        record.createdAt.slice(0, 10),
        record.expiresAt?.slice(0, 10) ?? 'never',
        stateOf(record),
      ]),
    );
  return { data: { file, keys: records.map(describe) }, text };
}

async function revoke(id: string, { file }: KeysOptions): Promise<CommandResult> {
  const { revokeKeyInFile } = await serverPackage();
  const record = await revokeKeyInFile(file, id);
  return { data: describe(record), text: () => `key ${record.id} of '${record.name}' is revoked` };
}

function describe({ sha256: _, ...record }: KeyRecord): object {
  return { ...record, state: stateOf(record) };
}

function stateOf({ revokedAt, expiresAt }: Pick<KeyRecord, 'revokedAt' | 'expiresAt'>): string {
  if (revokedAt !== undefined) return 'revoked';
  return expiresAt !== undefined && Date.parse(expiresAt) <= Date.now() ? 'expired' : 'valid';
}

/** The server, which other commands need not wait for. */
function serverPackage(): Promise<typeof import('@modelwright/server/node')> {
  return import('@modelwright/server/node');
}

/** A role that nobody defines would be a key that may do nothing. */
async function checkRoles(roles: readonly string[], policy: string | undefined): Promise<void> {
  const { defaultRoles } = await import('@modelwright/server');
  const known = Object.keys((policy === undefined ? undefined : await rolesOf(policy)) ?? defaultRoles);
  const unknown = roles.find((role) => !known.includes(role));
  if (unknown === undefined) return;
  throw new ModelwrightError('invalid-argument', `there is no role '${unknown}'; there are ${known.join(', ')}`, {
    given: unknown,
    allowed: known,
    ...(policy === undefined ? { hint: 'roles of your own stand in a policy; name its file with --policy' } : {}),
  });
}

async function rolesOf(policy: string): Promise<object | undefined> {
  const source = await readFile(policy, 'utf8').catch((cause: unknown) => {
    throw new ModelwrightError('file-unreadable', `'${policy}' cannot be read`, { file: policy, cause });
  });
  const { readPolicy } = await import('@modelwright/server');
  return readPolicy(source, policy).roles;
}

const unitMilliseconds: Readonly<Record<string, number>> = { h: 3_600_000, d: 86_400_000 };

function parseExpiry(value: string): Date {
  const [, count, unit] = /^(\d+)([hd])$/.exec(value) ?? [];
  const time = unit === undefined ? Date.parse(value) : Date.now() + Number(count) * unitMilliseconds[unit]!;
  if (!(time > Date.now()) || Number.isNaN(new Date(time).getTime()))
    throw new InvalidArgumentError(
      "write a date to come, as in '2031-12-31', or a time from now on, as in '12h' or '90d'.",
    );
  return new Date(time);
}

import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { ModelwrightError } from '@modelwright/core';
import type { AccessControl } from '../contract/access.js';
import { writeFileAtomically } from '../files/atomic-file.js';
import { createAccessControl } from './access-control.js';
import type { AccessPolicy } from './access-policy.js';
import type { AllowanceState } from './allowance.js';
import { readGuardedFile, readKeysFile } from './keys-file.js';
import { MemoryLimitStore } from './limit-store.js';
import { readPolicy } from './read-policy.js';

/** Files of access control. */
export interface AccessFiles {
  /** As `modelwright keys create` writes it. */
  readonly keys?: string;
  /** An {@link AccessPolicy} as JSON. */
  readonly policy?: string;
  /** Where what is used up of limits outlives the server; default nowhere. */
  readonly limits?: string;
}

/** Access control that follows its files. */
export interface WatchedAccessControl extends AccessControl {
  /** Writes down what is used up of limits. */
  close(): Promise<void>;
}

const saveMilliseconds = 10_000;

/**
 * Access control by files, which are read again within a second of a change: a revoked key is refused from then on. If a changed file
 * is broken or away, what it said last goes on, and `onProblem` hears of it.
 *
 * @throws {@link ModelwrightError} `file-unreadable`, `invalid-configuration` if a file is not right from the start.
 */
export async function openAccessControl(
  files: AccessFiles,
  options: {
    readonly onProblem?: (error: unknown) => void;
    readonly now?: () => number;
    /** How often files are looked at; default 1000. */
    readonly checkMilliseconds?: number;
  } = {},
): Promise<WatchedAccessControl> {
  const { onProblem = () => {}, now = Date.now, checkMilliseconds = 1000 } = options;
  const limits = new MemoryLimitStore(files.limits === undefined ? [] : await readLimits(files.limits));
  let [current, seen] = await load(files, limits, now);
  let checkedAt = performance.now();
  let checking: Promise<void> | undefined;

  const check = async (): Promise<void> => {
    try {
      if ((await fingerprint([...seen.keys()])) === fingerprintOf(seen)) return;
      [current, seen] = await load(files, limits, now);
    } catch (error) {
      onProblem(error);
    }
  };
  const refresh = (): Promise<void> | undefined => {
    if (checking === undefined && performance.now() - checkedAt >= checkMilliseconds) {
      checkedAt = performance.now();
      checking = check().finally(() => {
        checking = undefined;
      });
    }
    return checking;
  };
  const save = async (): Promise<void> => {
    if (files.limits !== undefined) await writeFileAtomically(files.limits, JSON.stringify([...limits.entries()]));
  };
  const saving = files.limits === undefined ? undefined : setInterval(() => save().catch(onProblem), saveMilliseconds);
  saving?.unref();

  return {
    isAuthenticating: true,
    async authenticate(header, peer) {
      await refresh();
      return current.authenticate(header, peer);
    },
    isAllowed: (principal, action, model) => current.isAllowed(principal, action, model),
    consume: (principal, model, amount) => current.consume(principal, model, amount),
    async close() {
      clearInterval(saving);
      await save();
    },
  };
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

async function load(
  files: AccessFiles,
  limits: MemoryLimitStore,
  now: () => number,
): Promise<[AccessControl, ReadonlyMap<string, string>]> {
  const watched = [files.keys, files.policy].filter((file) => file !== undefined);
  if (watched.length === 0)
    throw new ModelwrightError('invalid-configuration', 'Access control needs a keys file or a policy.');
  // Marks are taken before the files are read: a change in between is seen at the next check.
  const seen = new Map(await marks(watched));
  const policy = files.policy === undefined ? {} : readPolicy(await readGuardedFile(files.policy), files.policy);
  const tokenKeys = files.policy === undefined ? new Map() : await readTokenKeys(policy, dirname(files.policy), seen);
  const keys = files.keys === undefined ? [] : await readKeysFile(files.keys);
  return [createAccessControl({ keys, policy, tokenKeys, limits, now, sha256 }), seen];
}

async function readTokenKeys(
  policy: AccessPolicy,
  folder: string,
  seen: Map<string, string>,
): Promise<Map<string, { keys: Record<string, unknown>[] }>> {
  const names = (policy.tokens ?? []).flatMap(({ keys }) =>
    keys === undefined || /^https?:/.test(keys) ? [] : [keys],
  );
  const read = new Map<string, { keys: Record<string, unknown>[] }>();
  for (const name of names) {
    const file = resolve(folder, name);
    for (const [path, mark] of await marks([file])) seen.set(path, mark);
    read.set(name, readKeySet(await readGuardedFile(file), file));
  }
  return read;
}

function readKeySet(source: string, file: string): { keys: Record<string, unknown>[] } {
  try {
    const set = JSON.parse(source);
    if (Array.isArray(set.keys)) return set;
  } catch {
    // Falls through: no JSON is no key set either.
  }
  throw new ModelwrightError('invalid-configuration', `${file} is not a JSON Web Key Set.`, { file });
}

async function marks(files: readonly string[]): Promise<[string, string][]> {
  return Promise.all(
    files.map(async (file): Promise<[string, string]> => {
      const { mtimeMs, ino, size } = await stat(file).catch((cause) => {
        throw new ModelwrightError('file-unreadable', `'${file}' cannot be read.`, { file, cause });
      });
      return [file, `${mtimeMs}/${ino}/${size}`];
    }),
  );
}

async function fingerprint(files: readonly string[]): Promise<string> {
  return fingerprintOf(new Map(await marks(files)));
}

function fingerprintOf(seen: ReadonlyMap<string, string>): string {
  return JSON.stringify([...seen]);
}

async function readLimits(file: string): Promise<[string, AllowanceState][]> {
  let source: string;
  try {
    source = await readFile(file, 'utf8');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw new ModelwrightError('file-unreadable', `'${file}' cannot be read.`, { file, cause });
  }
  try {
    const entries: [string, AllowanceState][] = JSON.parse(source);
    return entries.map(([key, { remaining, at }]) => [String(key), { remaining: Number(remaining), at: Number(at) }]);
  } catch (cause) {
    throw new ModelwrightError('invalid-configuration', `'${file}' does not hold what is used up of limits.`, {
      file,
      cause,
    });
  }
}

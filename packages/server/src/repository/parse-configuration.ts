import { ModelwrightError } from '@modelwright/core';
import type { ModelConfiguration } from '../contract/model-configuration.js';

/** Whether a value is right; else what it has to be. */
type Check = (value: unknown, path: string, fail: Fail) => void;
type Fail = (path: string, allowed: string) => never;

const whole =
  (least: number, most = 2 ** 31): Check =>
  (value, path, fail) => {
    if (!Number.isInteger(value) || (value as number) < least || (value as number) > most) {
      fail(path, `a whole number from ${least}`);
    }
  };

const positive: Check = (value, path, fail) => {
  if (typeof value !== 'number' || !(value > 0) || value === Number.POSITIVE_INFINITY) fail(path, 'a number above 0');
};

const notNegative: Check = (value, path, fail) => {
  if (typeof value !== 'number' || !(value >= 0) || value === Number.POSITIVE_INFINITY) fail(path, 'a number from 0');
};

const flag: Check = (value, path, fail) => {
  if (typeof value !== 'boolean') fail(path, 'true or false');
};

const text: Check = (value, path, fail) => {
  if (typeof value !== 'string') fail(path, 'a text');
};

const listOf =
  (check: Check): Check =>
  (value, path, fail) => {
    if (!Array.isArray(value)) fail(path, 'a list');
    for (const [index, each] of (value as unknown[]).entries()) check(each, `${path}[${index}]`, fail);
  };

const recordOf =
  (check: Check): Check =>
  (value, path, fail) => {
    for (const [key, each] of Object.entries(object(value, path, fail))) check(each, `${path}.${key}`, fail);
  };

const fields =
  (checks: Readonly<Record<string, Check>>): Check =>
  (value, path, fail) => {
    for (const [key, each] of Object.entries(object(value, path, fail))) {
      const check = Object.hasOwn(checks, key) ? checks[key] : undefined;
      const inner = path === '' ? key : `${path}.${key}`;
      if (check === undefined) fail(inner, `one of: ${Object.keys(checks).join(', ')}`);
      else check(each, inner, fail);
    }
  };

const versionPolicy: Check = (value, path, fail) => {
  fields({ latest: whole(1), all: flag, specific: listOf(text) })(value, path, fail);
  if (Object.keys(value as object).length !== 1) fail(path, 'one of: latest, all, specific');
};

const configuration = fields({
  maxBatchSize: whole(0),
  dynamicBatching: fields({
    isEnabled: flag,
    preferredBatchSizes: listOf(whole(1)),
    maxQueueDelayMicroseconds: notNegative,
  }),
  queue: fields({ maxSize: whole(1), defaultTimeoutMilliseconds: positive, priorityLevels: whole(1, 1000) }),
  concurrency: whole(1, 1024),
  workers: whole(0, 1024),
  isIsolated: flag,
  warmUpBatchSizes: listOf(whole(1)),
  versionPolicy,
  routing: recordOf(notNegative),
  generation: fields({ maxConcurrent: whole(1), maxLength: whole(1), maxTokens: whole(1) }),
  parameters: recordOf(text),
});

/**
 * Reads how a model is served: the fields of {@link ModelConfiguration} as JSON, and no others.
 *
 * @param file - What errors call it.
 * @throws {@link ModelwrightError} `invalid-configuration` naming the field and what it may be.
 */
export function parseConfiguration(json: string, file: string): ModelConfiguration {
  const fail = (path: string, allowed: string): never => {
    const what = path === '' ? 'it' : `'${path}'`;
    throw new ModelwrightError('invalid-configuration', `${file}: ${what} has to be ${allowed}`, { file, allowed });
  };
  let parsed: unknown;
  try {
    parsed = JSON.parse(json);
  } catch (cause) {
    throw new ModelwrightError('invalid-configuration', `${file}: not JSON`, { file, cause });
  }
  configuration(parsed, '', fail);
  return parsed as ModelConfiguration;
}

function object(value: unknown, path: string, fail: Fail): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return fail(path, 'an object');
  return value as Readonly<Record<string, unknown>>;
}

import { ModelwrightError } from '@modelwright/core';
import { fields, list, oneOf, type Reader, readStrictJson, text } from './strict-json.js';

/** A key as it is kept: what it is allowed, and a hash from which it cannot be had back. */
export interface KeyRecord {
  /** Stands in the key itself, in lists and in logs; 12 hexadecimal digits. */
  readonly id: string;
  /** Whose it is, for people. */
  readonly name: string;
  /** Of the whole key, lower-case hexadecimal. A key has 256 random bits: there is nothing to guess, so one round is enough. */
  readonly sha256: string;
  readonly roles: readonly string[];
  /** ISO 8601, as all dates here. */
  readonly createdAt: string;
  readonly expiresAt?: string;
  readonly revokedAt?: string;
}

const keyPattern = /^mw_([0-9a-f]{12})_[A-Za-z0-9_-]{43}$/;
const date: Reader<string> = (value, path) => {
  const read = text()(value, path);
  if (Number.isNaN(Date.parse(read)))
    throw new ModelwrightError('invalid-configuration', `${path}: '${read}' is not a date.`, { given: read });
  return read;
};

const keysDocument = fields(
  {
    version: oneOf([1]),
    keys: list(
      fields(
        {
          id: text(/^[0-9a-f]{12}$/),
          name: text(),
          sha256: text(/^[0-9a-f]{64}$/),
          roles: list(text()),
          createdAt: date,
        },
        { expiresAt: date, revokedAt: date },
      ),
    ),
  },
  {},
);

/**
 * Makes a key: `mw_<id>_<secret>`, the secret 256 random bits.
 *
 * @returns the key, to be shown once, and the record to keep.
 */
export async function createApiKey(options: {
  readonly name: string;
  readonly roles: readonly string[];
  readonly expiresAt?: Date;
  readonly now?: Date;
}): Promise<{ readonly key: string; readonly record: KeyRecord }> {
  const { name, roles, expiresAt, now = new Date() } = options;
  const id = toHexadecimal(crypto.getRandomValues(new Uint8Array(6)));
  const key = `mw_${id}_${toBase64Url(crypto.getRandomValues(new Uint8Array(32)))}`;
  const record = { id, name, sha256: await sha256Of(key), roles, createdAt: now.toISOString() };
  return { key, record: expiresAt === undefined ? record : { ...record, expiresAt: expiresAt.toISOString() } };
}

/** The id that stands in a key, if `credential` looks like one. */
export function idOfKey(credential: string): string | undefined {
  return keyPattern.exec(credential)?.[1];
}

/** SHA-256 of a text, lower-case hexadecimal. */
export async function sha256Of(value: string): Promise<string> {
  return toHexadecimal(new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(value))));
}

/**
 * Reads a keys file.
 *
 * @throws {@link ModelwrightError} `invalid-configuration`, naming the place.
 */
export function readKeys(source: string, file = 'keys'): readonly KeyRecord[] {
  const { keys } = readStrictJson(source, keysDocument, file);
  if (new Set(keys.map(({ id }) => id)).size < keys.length)
    throw new ModelwrightError('invalid-configuration', `${file}: two keys have the same id.`);
  return keys;
}

/** A keys file's text. */
export function writeKeys(keys: readonly KeyRecord[]): string {
  return `${JSON.stringify({ version: 1, keys }, null, 2)}\n`;
}

function toHexadecimal(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

function toBase64Url(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '');
}

import { ModelwrightError } from '@modelwright/core';
import type { Principal } from '../contract/access.js';
import { idOfKey, type KeyRecord, sha256Of } from './api-key.js';
import { equalInConstantTime } from './constant-time.js';

const noHash = '0'.repeat(64);

/** SHA-256 of a text, lower-case hexadecimal. */
export type TextHash = (text: string) => string | Promise<string>;

/** Judges keys by the records kept of them. */
export class KeyRing {
  readonly #records: ReadonlyMap<string, KeyRecord>;

  readonly #sha256: TextHash;

  /** @param sha256 - Lower-case hexadecimal; default by WebCrypto. */
  constructor(records: readonly KeyRecord[], sha256: TextHash = sha256Of) {
    this.#sha256 = sha256;
    this.#records = new Map(records.map((record) => [record.id, record]));
  }

  /**
   * @throws {@link ModelwrightError} `unauthenticated` for a key that is unknown, expired or revoked. Only who holds the key itself
   * learns which.
   */
  async authenticate(key: string, now: number): Promise<Principal> {
    const record = this.#records.get(idOfKey(key) ?? '');
    // An unknown id takes the same way as a known one with a wrong secret.
    const isGenuine = equalInConstantTime(await this.#sha256(key), record?.sha256 ?? noHash);
    if (record === undefined || !isGenuine) throw new ModelwrightError('unauthenticated', 'The API key is not known.');
    if (record.revokedAt !== undefined) throw refusal(record, 'was revoked');
    if (record.expiresAt !== undefined && Date.parse(record.expiresAt) <= now) throw refusal(record, 'has expired');
    return { id: `key:${record.id}`, kind: 'key', roles: record.roles };
  }
}

function refusal({ id }: KeyRecord, what: string): ModelwrightError {
  return new ModelwrightError('unauthenticated', `The API key ${id} ${what}.`);
}

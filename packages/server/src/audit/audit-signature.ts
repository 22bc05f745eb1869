import { createHash, createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import { ModelwrightError } from '@modelwright/core';
import type { ChainEnd } from './audit-line.js';

/** Vouches for a chain up to a line. */
export interface ChainSignature {
  /** The first 16 hexadecimal digits of the SHA-256 of the public key (SPKI, DER). */
  readonly keyId: string;
  /** Ed25519 of `modelwright audit v1\n<sequence>\n<hash>\n`, base64. */
  readonly signature: string;
}

/** Signs ends of a chain. */
export type ChainSigner = (end: ChainEnd) => ChainSignature;

/**
 * A signer by an Ed25519 key in PEM (PKCS #8), as `openssl genpkey -algorithm ed25519` makes it.
 *
 * @throws {@link ModelwrightError} `invalid-configuration` if it is none.
 */
export function chainSigner(privateKeyPem: string): ChainSigner {
  const key = readKey(() => createPrivateKey(privateKeyPem));
  const keyId = keyIdOf(createPublicKey(key));
  return (end) => ({ keyId, signature: sign(null, messageOf(end), key).toString('base64') });
}

/** A judge of signatures by public keys in PEM (SPKI), older ones among them. */
export function chainVerifier(
  publicKeysPem: readonly string[],
): (end: ChainEnd, given: Partial<ChainSignature>) => boolean {
  const keys = publicKeysPem.map((pem) => readKey(() => createPublicKey(pem)));
  const byId = new Map(keys.map((key) => [keyIdOf(key), key]));
  return (end, { keyId, signature }) => {
    const key = byId.get(String(keyId));
    return key !== undefined && verify(null, messageOf(end), key, Buffer.from(String(signature), 'base64'));
  };
}

function readKey(read: () => KeyObject): KeyObject {
  let key: KeyObject | undefined;
  try {
    key = read();
  } catch {
    // The cause may quote the key.
  }
  if (key?.asymmetricKeyType === 'ed25519') return key;
  throw new ModelwrightError('invalid-configuration', 'The audit log is signed by Ed25519 keys in PEM; this is none.', {
    hint: 'openssl genpkey -algorithm ed25519 -out audit.key; openssl pkey -in audit.key -pubout -out audit.pub',
  });
}

function keyIdOf(publicKey: KeyObject): string {
  const encoded = publicKey.export({ type: 'spki', format: 'der' });
  return createHash('sha256').update(encoded).digest('hex').slice(0, 16);
}

function messageOf({ sequence, hash }: ChainEnd): Buffer {
  return Buffer.from(`modelwright audit v1\n${sequence}\n${hash}\n`);
}

import { ModelwrightError } from '@modelwright/core';
import { fromDer, toDer } from './ecdsa-signature.js';
import { formatPem, parsePem, sha256Hex } from './pem.js';

/** WebCrypto's types, however the platform names them. */
type WebKey = Awaited<ReturnType<typeof crypto.subtle.importKey>>;
type KeyParameters = { readonly name: string; readonly namedCurve: string };

/** Whoever can sign: a key in memory, or one that never leaves its device or service. */
export interface Signer {
  /** `-----BEGIN PUBLIC KEY-----…` of the key that verifies. */
  readonly publicKeyPem: string;
  sign(message: Uint8Array): Promise<Uint8Array>;
}

/** A key that signatures are verified with. */
export interface Verifier {
  /** SHA-256 of the key's PEM text: how a signature names its key. */
  readonly fingerprint: string;
  verify(signature: Uint8Array, message: Uint8Array): Promise<boolean>;
}

interface KeyAlgorithm {
  /** What stands in the key's own description of itself. */
  readonly identifier: readonly number[];
  readonly parameters: { readonly name: string; readonly namedCurve?: string; readonly hash?: string };
  /** Bytes of a number of the curve; none where signatures have one form only. */
  readonly size?: number;
}

/** Kinds of keys by name: the curves of OpenSSF model signing, and Ed25519. */
export const keyAlgorithms: { readonly [name: string]: KeyAlgorithm } = {
  'P-256': ecdsa('P-256', [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07], { hash: 'SHA-256', size: 32 }),
  'P-384': ecdsa('P-384', [0x2b, 0x81, 0x04, 0x00, 0x22], { hash: 'SHA-384', size: 48 }),
  'P-521': ecdsa('P-521', [0x2b, 0x81, 0x04, 0x00, 0x23], { hash: 'SHA-512', size: 66 }),
  Ed25519: { identifier: [0x2b, 0x65, 0x70], parameters: { name: 'Ed25519' } },
};

/** A new pair of keys in PEM. */
export interface KeyPairPem {
  readonly privateKey: string;
  readonly publicKey: string;
}

/**
 * Makes a pair of keys for signing.
 *
 * @param kind - `P-256` is read by every OpenSSF tool, `Ed25519` by Modelwright.
 * @throws {@link ModelwrightError} `invalid-argument` for another kind.
 */
export async function generateSigningKeys(kind = 'P-256'): Promise<KeyPairPem> {
  const algorithm = keyAlgorithms[kind];
  if (algorithm === undefined) throw unsupported(`there is no kind of key '${kind}'`);
  const pair = (await crypto.subtle.generateKey(algorithm.parameters as KeyParameters, true, ['sign', 'verify'])) as {
    readonly privateKey: WebKey;
    readonly publicKey: WebKey;
  };
  const [privateKey, publicKey] = await Promise.all([
    crypto.subtle.exportKey('pkcs8', pair.privateKey),
    crypto.subtle.exportKey('spki', pair.publicKey),
  ]);
  return {
    privateKey: formatPem({ label: 'PRIVATE KEY', bytes: new Uint8Array(privateKey) }),
    publicKey: formatPem({ label: 'PUBLIC KEY', bytes: new Uint8Array(publicKey) }),
  };
}

/**
 * Signs with a private key in PKCS #8 PEM (`-----BEGIN PRIVATE KEY-----`).
 *
 * @throws {@link ModelwrightError} `invalid-data` for other text, `invalid-argument` for a kind of key that cannot sign models.
 */
export async function createSigner(privateKeyPem: string): Promise<Signer> {
  const { label, bytes } = parsePem(privateKeyPem, 'the private key');
  if (label !== 'PRIVATE KEY') {
    throw new ModelwrightError('invalid-data', `the private key is '${label}'; PKCS #8 ('PRIVATE KEY') is needed`, {
      given: label,
      hint: 'openssl pkcs8 -topk8 -nocrypt -in key.pem',
    });
  }
  const algorithm = algorithmOf(bytes);
  const key = await imported('pkcs8', bytes, algorithm, 'sign');
  return {
    publicKeyPem: await publicKeyOf(key, algorithm),
    async sign(message) {
      const raw = await crypto.subtle.sign(algorithm.parameters, key, message as Uint8Array<ArrayBuffer>);
      const signature = new Uint8Array(raw);
      return algorithm.size === undefined ? signature : toDer(signature);
    },
  };
}

/**
 * Verifies with a public key in PEM (`-----BEGIN PUBLIC KEY-----`).
 *
 * @throws {@link ModelwrightError} `invalid-data` for other text, `invalid-argument` for another kind of key.
 */
export async function createVerifier(publicKeyPem: string): Promise<Verifier> {
  const block = parsePem(publicKeyPem, 'the public key');
  if (block.label !== 'PUBLIC KEY') {
    throw new ModelwrightError('invalid-data', `the public key is '${block.label}'; 'PUBLIC KEY' is needed`, {});
  }
  const algorithm = algorithmOf(block.bytes);
  const key = await imported('spki', block.bytes, algorithm, 'verify');
  return {
    fingerprint: await fingerprintOf(formatPem(block)),
    async verify(signature, message) {
      const raw = algorithm.size === undefined ? signature : fromDer(signature, algorithm.size);
      return crypto.subtle.verify(
        algorithm.parameters,
        key,
        raw as Uint8Array<ArrayBuffer>,
        message as Uint8Array<ArrayBuffer>,
      );
    },
  };
}

/** SHA-256 of a public key's PEM text, in hexadecimal. */
export function fingerprintOf(publicKeyPem: string): Promise<string> {
  return sha256Hex(new TextEncoder().encode(publicKeyPem));
}

async function imported(
  format: 'pkcs8' | 'spki',
  bytes: Uint8Array<ArrayBuffer>,
  algorithm: KeyAlgorithm,
  use: 'sign' | 'verify',
): Promise<WebKey> {
  try {
    return await crypto.subtle.importKey(format, bytes, algorithm.parameters as KeyParameters, true, [use]);
  } catch (cause) {
    throw new ModelwrightError('invalid-data', `the key to ${use} with cannot be read`, { cause });
  }
}

async function publicKeyOf(key: WebKey, algorithm: KeyAlgorithm): Promise<string> {
  const { d: _secret, key_ops: _operations, ...open } = await crypto.subtle.exportKey('jwk', key);
  const publicKey = await crypto.subtle.importKey('jwk', open, algorithm.parameters as KeyParameters, true, ['verify']);
  return formatPem({ label: 'PUBLIC KEY', bytes: new Uint8Array(await crypto.subtle.exportKey('spki', publicKey)) });
}

function algorithmOf(key: Uint8Array): KeyAlgorithm {
  // The identifier stands in the first bytes of both forms, ahead of the key itself.
  const head = key.subarray(0, 40);
  const found = Object.values(keyAlgorithms).find(({ identifier }) =>
    head.some((_, at) => identifier.every((byte, index) => head[at + index] === byte)),
  );
  if (found === undefined) throw unsupported('the key is of another kind');
  return found;
}

function ecdsa(
  namedCurve: string,
  identifier: readonly number[],
  { hash, size }: { readonly hash: string; readonly size: number },
): KeyAlgorithm {
  return { identifier, parameters: { name: 'ECDSA', namedCurve, hash }, size };
}

function unsupported(message: string): ModelwrightError {
  const allowed = Object.keys(keyAlgorithms);
  return new ModelwrightError('invalid-argument', `${message}; models are signed with ${allowed.join(', ')}`, {
    allowed,
  });
}

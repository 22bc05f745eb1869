import { ModelwrightError } from '@modelwright/core';
import { fromBase64, sha256Hex, toBase64 } from '../signing/pem.js';

/** A data key as it stands in a file: only its provider can open it. */
export interface WrappedKey {
  /** Which provider: `local`, `kms`. */
  readonly provider: string;
  /** Which of its keys. */
  readonly keyId: string;
  /** Base64. */
  readonly wrapped: string;
}

/**
 * Keeps the keys that keys are wrapped with: a file, the environment, or a key management service. Every file has a data key of its own,
 * and only that passes here, so that a service never sees models, and changing the key of keys touches headers alone.
 */
export interface KeyProvider {
  /** @param context - What the key is for; the same must be given to unwrap it. */
  wrap(dataKey: Uint8Array, context: string): Promise<WrappedKey>;
  /** @throws {@link ModelwrightError} `integrity-violation` if it was wrapped by another key or for something else. */
  unwrap(key: WrappedKey, context: string): Promise<Uint8Array>;
}

/** Bytes of a key. */
export const keySizeBytes = 32;
const nonceSizeBytes = 12;

/**
 * Wraps with a key in memory, by AES-256-GCM.
 *
 * @param key - 32 bytes.
 * @throws {@link ModelwrightError} `invalid-argument` for another length.
 */
export async function localKeyProvider(key: Uint8Array): Promise<KeyProvider> {
  if (key.length !== keySizeBytes) {
    throw new ModelwrightError('invalid-argument', `a key has ${keySizeBytes} bytes, this has ${key.length}`, {
      given: key.length,
      allowed: keySizeBytes,
    });
  }
  const keyId = (await sha256Hex(key)).slice(0, 16);
  const imported = await crypto.subtle.importKey('raw', key as Uint8Array<ArrayBuffer>, 'AES-GCM', false, [
    'encrypt',
    'decrypt',
  ]);
  const parametersOf = (iv: Uint8Array<ArrayBuffer>, context: string) => ({
    name: 'AES-GCM',
    iv,
    additionalData: new TextEncoder().encode(context),
  });
  return {
    async wrap(dataKey, context) {
      const nonce = crypto.getRandomValues(new Uint8Array(nonceSizeBytes));
      const sealed = new Uint8Array(
        await crypto.subtle.encrypt(parametersOf(nonce, context), imported, dataKey as Uint8Array<ArrayBuffer>),
      );
      const wrapped = new Uint8Array(nonce.length + sealed.length);
      wrapped.set(nonce);
      wrapped.set(sealed, nonce.length);
      return { provider: 'local', keyId, wrapped: toBase64(wrapped) };
    },
    async unwrap(key, context) {
      if (key.provider !== 'local' || key.keyId !== keyId) {
        throw wrongKey(`it is for the key '${key.provider}:${key.keyId}', the one given is 'local:${keyId}'`);
      }
      const bytes = fromBase64(key.wrapped);
      try {
        const parameters = parametersOf(bytes.slice(0, nonceSizeBytes), context);
        return new Uint8Array(await crypto.subtle.decrypt(parameters, imported, bytes.slice(nonceSizeBytes)));
      } catch (cause) {
        throw wrongKey('its header was changed', cause);
      }
    },
  };
}

/** What is needed of a key management service; its SDK's `encrypt` and `decrypt` with an encryption context fit in a few lines. */
export interface KeyManagementService {
  readonly keyId: string;
  encrypt(plaintext: Uint8Array, context: Readonly<Record<string, string>>): Promise<Uint8Array>;
  decrypt(ciphertext: Uint8Array, context: Readonly<Record<string, string>>): Promise<Uint8Array>;
}

/**
 * Wraps with a key that stays in a key management service.
 *
 * @example
 * const kms = new KMSClient({});
 * const provider = kmsKeyProvider({
 *   keyId: 'alias/models',
 *   encrypt: async (Plaintext, EncryptionContext) =>
 *     (await kms.send(new EncryptCommand({ KeyId: 'alias/models', Plaintext, EncryptionContext }))).CiphertextBlob,
 *   decrypt: async (CiphertextBlob, EncryptionContext) =>
 *     (await kms.send(new DecryptCommand({ CiphertextBlob, EncryptionContext }))).Plaintext,
 * });
 */
export function kmsKeyProvider(service: KeyManagementService): KeyProvider {
  return {
    async wrap(dataKey, context) {
      const wrapped = await service.encrypt(dataKey, { content: context });
      return { provider: 'kms', keyId: service.keyId, wrapped: toBase64(wrapped) };
    },
    async unwrap(key, context) {
      if (key.provider !== 'kms')
        throw wrongKey(`it is for '${key.provider}:${key.keyId}', not for a key management service`);
      try {
        return await service.decrypt(fromBase64(key.wrapped), { content: context });
      } catch (cause) {
        throw wrongKey(`the key management service did not open '${key.keyId}'`, cause);
      }
    },
  };
}

function wrongKey(reason: string, cause?: unknown): ModelwrightError {
  const details = cause === undefined ? {} : { cause };
  return new ModelwrightError('integrity-violation', `the encrypted file cannot be opened: ${reason}`, details);
}

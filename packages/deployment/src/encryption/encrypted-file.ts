import { ModelwrightError } from '@modelwright/core';
import { sha256Hex, toHex } from '../signing/pem.js';
import { type KeyProvider, keySizeBytes, type WrappedKey } from './key-provider.js';

/*
 * An encrypted file:
 *
 *   "MWENC1\r\n"                     8 bytes
 *   length, content header (JSON)    4 bytes little-endian, then text: what was encrypted and how; never changes
 *   length, key header (JSON)        the wrapped data key; all that changes when the key of keys does
 *   chunks                           AES-256-GCM of chunkSizeBytes each, a tag of 16 bytes behind every one
 *
 * The nonce of a chunk is 7 random bytes of the file, its number and whether it is the last, so that chunks can be neither reordered nor left out.
 * @see Hoang, Reyhanitabar, Rogaway and Vizár, "Online Authenticated-Encryption and its Nonce-Reuse Misuse-Resistance", CRYPTO 2015, §7 (STREAM).
 */
const magic = new TextEncoder().encode('MWENC1\r\n');
const tagSizeBytes = 16;
const defaultChunkSizeBytes = 1 << 20;
const longestHeaderBytes = 1 << 16;
const largestChunkBytes = 1 << 28;

interface ContentHeader {
  readonly algorithm: 'AES-256-GCM';
  readonly name: string;
  readonly plaintextSizeBytes: number;
  readonly chunkSizeBytes: number;
  /** Hexadecimal, 7 bytes. */
  readonly noncePrefix: string;
}

/** How a file is encrypted. */
export interface EncryptOptions {
  /** Name of the plain file; anyone can read it. */
  readonly name: string;
  /** Default 1 MiB. */
  readonly chunkSizeBytes?: number;
}

/**
 * Encrypts a file under a new key of its own, which the provider wraps.
 *
 * @throws {@link ModelwrightError} `invalid-argument` for a chunk size out of range.
 * @example
 * const sealed = await encryptFile(bytes, await localKeyProvider(key), { name: 'digits.onnx' });
 */
export async function encryptFile(
  plain: Uint8Array,
  provider: KeyProvider,
  options: EncryptOptions,
): Promise<Uint8Array> {
  const content: ContentHeader = {
    algorithm: 'AES-256-GCM',
    name: options.name,
    plaintextSizeBytes: plain.length,
    chunkSizeBytes: checkedChunkSize(options.chunkSizeBytes ?? defaultChunkSizeBytes),
    noncePrefix: toHex(crypto.getRandomValues(new Uint8Array(7))),
  };
  const contentBytes = new TextEncoder().encode(JSON.stringify(content));
  const context = await sha256Hex(contentBytes);
  const dataKey = crypto.getRandomValues(new Uint8Array(keySizeBytes));
  const keyBytes = new TextEncoder().encode(JSON.stringify(await provider.wrap(dataKey, context)));
  const head = headOf(contentBytes, keyBytes);
  const count = chunkCountOf(content);
  const sealed = new Uint8Array(head.length + plain.length + count * tagSizeBytes);
  sealed.set(head);
  const key = await importDataKey(dataKey, 'encrypt');
  for (let index = 0, at = head.length; index < count; index++) {
    const chunk = plain.subarray(index * content.chunkSizeBytes, (index + 1) * content.chunkSizeBytes);
    const bytes = new Uint8Array(
      await crypto.subtle.encrypt(chunkParameters(content, index, context), key, chunk as Uint8Array<ArrayBuffer>),
    );
    sealed.set(bytes, at);
    at += bytes.length;
  }
  return sealed;
}

/** Whether bytes are an encrypted file. */
export function isEncrypted(bytes: Uint8Array): boolean {
  return magic.every((byte, index) => bytes[index] === byte);
}

/**
 * Opens an encrypted file, in memory.
 *
 * @throws {@link ModelwrightError} `integrity-violation` for another key and for anything that was changed, cut off or put in another
 *   order; `invalid-data` if it is no encrypted file.
 */
export async function decryptFile(sealed: Uint8Array, provider: KeyProvider): Promise<Uint8Array> {
  const { content, contentBytes, wrapped, start } = parse(sealed);
  const context = await sha256Hex(contentBytes);
  const count = chunkCountOf(content);
  if (sealed.length - start !== content.plaintextSizeBytes + count * tagSizeBytes)
    throw changed(content, 'its length is another');
  const key = await importDataKey(await provider.unwrap(wrapped, context), 'decrypt');
  const plain = new Uint8Array(content.plaintextSizeBytes);
  const step = content.chunkSizeBytes + tagSizeBytes;
  for (let index = 0; index < count; index++) {
    const chunk = sealed.subarray(start + index * step, start + (index + 1) * step);
    try {
      const bytes = await crypto.subtle.decrypt(
        chunkParameters(content, index, context),
        key,
        chunk as Uint8Array<ArrayBuffer>,
      );
      plain.set(new Uint8Array(bytes), index * content.chunkSizeBytes);
    } catch (cause) {
      throw changed(content, `chunk ${index + 1} of ${count} is not what was encrypted`, cause);
    }
  }
  return plain;
}

/**
 * Wraps the data key of a file anew: the file can then be opened with the new provider, and no longer with the old one. What is encrypted stays
 * as it is.
 *
 * @throws {@link ModelwrightError} as {@link decryptFile}.
 */
export async function rewrapKey(sealed: Uint8Array, from: KeyProvider, to: KeyProvider): Promise<Uint8Array> {
  const { contentBytes, wrapped, start } = parse(sealed);
  const context = await sha256Hex(contentBytes);
  const again = await to.wrap(await from.unwrap(wrapped, context), context);
  const head = headOf(contentBytes, new TextEncoder().encode(JSON.stringify(again)));
  const result = new Uint8Array(head.length + sealed.length - start);
  result.set(head);
  result.set(sealed.subarray(start), head.length);
  return result;
}

function headOf(content: Uint8Array, key: Uint8Array): Uint8Array {
  const head = new Uint8Array(magic.length + 8 + content.length + key.length);
  const view = new DataView(head.buffer);
  head.set(magic);
  view.setUint32(magic.length, content.length, true);
  head.set(content, magic.length + 4);
  view.setUint32(magic.length + 4 + content.length, key.length, true);
  head.set(key, magic.length + 8 + content.length);
  return head;
}

function parse(sealed: Uint8Array): {
  readonly content: ContentHeader;
  readonly contentBytes: Uint8Array;
  readonly wrapped: WrappedKey;
  readonly start: number;
} {
  if (!isEncrypted(sealed)) throw new ModelwrightError('invalid-data', 'this is no encrypted file of Modelwright');
  const contentBytes = section(sealed, magic.length);
  const keyAt = magic.length + 4 + contentBytes.length;
  const keyBytes = section(sealed, keyAt);
  const content = json(contentBytes) as ContentHeader;
  const wrapped = json(keyBytes) as WrappedKey;
  const isSound =
    content.algorithm === 'AES-256-GCM' &&
    /^[0-9a-f]{14}$/.test(content.noncePrefix) &&
    Number.isSafeInteger(content.plaintextSizeBytes) &&
    content.plaintextSizeBytes >= 0 &&
    content.plaintextSizeBytes <= sealed.length &&
    typeof wrapped.wrapped === 'string';
  if (!isSound) throw changed(content, 'its header is not one');
  checkedChunkSize(content.chunkSizeBytes);
  return { content, contentBytes, wrapped, start: keyAt + 4 + keyBytes.length };
}

function section(sealed: Uint8Array, at: number): Uint8Array {
  const length =
    at + 4 <= sealed.length ? new DataView(sealed.buffer, sealed.byteOffset + at, 4).getUint32(0, true) : 0;
  if (length === 0 || length > longestHeaderBytes || at + 4 + length > sealed.length) {
    throw new ModelwrightError('integrity-violation', 'the encrypted file cannot be opened: it is cut off');
  }
  return sealed.subarray(at + 4, at + 4 + length);
}

function json(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes)) ?? {};
  } catch (cause) {
    throw new ModelwrightError('integrity-violation', 'the encrypted file cannot be opened: its header was changed', {
      cause,
    });
  }
}

function importDataKey(key: Uint8Array, use: 'encrypt' | 'decrypt'): ReturnType<typeof crypto.subtle.importKey> {
  return crypto.subtle.importKey('raw', key as Uint8Array<ArrayBuffer>, 'AES-GCM', false, [use]);
}

function chunkParameters(
  content: ContentHeader,
  index: number,
  context: string,
): { readonly name: string; readonly iv: Uint8Array<ArrayBuffer>; readonly additionalData: Uint8Array<ArrayBuffer> } {
  const iv = new Uint8Array(12);
  iv.set(Uint8Array.from({ length: 7 }, (_, at) => Number.parseInt(content.noncePrefix.slice(2 * at, 2 * at + 2), 16)));
  new DataView(iv.buffer).setUint32(7, index);
  iv[11] = index === chunkCountOf(content) - 1 ? 1 : 0;
  return { name: 'AES-GCM', iv, additionalData: new TextEncoder().encode(context) };
}

/** An empty file has one empty chunk, which says so. */
const chunkCountOf = ({ plaintextSizeBytes, chunkSizeBytes }: ContentHeader): number =>
  Math.max(1, Math.ceil(plaintextSizeBytes / chunkSizeBytes));

function checkedChunkSize(sizeBytes: number): number {
  if (Number.isInteger(sizeBytes) && sizeBytes >= 16 && sizeBytes <= largestChunkBytes) return sizeBytes;
  throw new ModelwrightError('invalid-argument', `chunks of ${sizeBytes} bytes are not possible`, {
    given: sizeBytes,
    allowed: [16, largestChunkBytes],
  });
}

function changed({ name }: ContentHeader, reason: string, cause?: unknown): ModelwrightError {
  const details = cause === undefined ? { file: name } : { file: name, cause };
  return new ModelwrightError('integrity-violation', `'${name}' cannot be decrypted: ${reason}`, details);
}

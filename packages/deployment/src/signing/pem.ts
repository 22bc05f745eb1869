import { ModelwrightError } from '@modelwright/core';

/** The bytes of a PEM block, and its label: `PUBLIC KEY`. */
export interface PemBlock {
  readonly label: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/**
 * Reads the first block of a PEM text.
 *
 * @param what - Named in the error: `the public key`.
 * @throws {@link ModelwrightError} `invalid-data` if there is none.
 */
export function parsePem(text: string, what: string): PemBlock {
  const found = /-----BEGIN ([A-Z0-9 ]+)-----([A-Za-z0-9+/=\s]+)-----END \1-----/.exec(text);
  if (found === null) {
    throw new ModelwrightError('invalid-data', `${what} is no PEM text (-----BEGIN … KEY-----)`, { given: what });
  }
  return { label: found[1] as string, bytes: fromBase64((found[2] as string).replace(/\s/g, '')) };
}

/** PEM as OpenSSL writes it: 64 signs a line, a line break at the end. */
export function formatPem({ label, bytes }: PemBlock): string {
  const lines = toBase64(bytes).match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}

/** Base64 of bytes of any length. */
export function toBase64(bytes: Uint8Array): string {
  let binary = '';
  for (let start = 0; start < bytes.length; start += 0x8000) {
    binary += String.fromCharCode(...bytes.subarray(start, start + 0x8000));
  }
  return btoa(binary);
}

/** @throws {@link ModelwrightError} `invalid-data` if it is not base64. */
export function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  let binary: string;
  try {
    binary = atob(text);
  } catch (cause) {
    throw new ModelwrightError('invalid-data', 'not base64', { cause });
  }
  return Uint8Array.from(binary, (sign) => sign.charCodeAt(0));
}

/** Lower-case hexadecimal. */
export function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** @throws {@link ModelwrightError} `invalid-data` if it is not hexadecimal. */
export function fromHex(text: string): Uint8Array<ArrayBuffer> {
  if (text.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(text)) {
    throw new ModelwrightError('invalid-data', 'not hexadecimal', {});
  }
  return Uint8Array.from({ length: text.length / 2 }, (_, index) =>
    Number.parseInt(text.slice(2 * index, 2 * index + 2), 16),
  );
}

/** SHA-256 in lower-case hexadecimal. */
export async function sha256Hex(bytes: Uint8Array): Promise<string> {
  return toHex(new Uint8Array(await crypto.subtle.digest('SHA-256', bytes as Uint8Array<ArrayBuffer>)));
}

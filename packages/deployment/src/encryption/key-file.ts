import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { ModelwrightError } from '@modelwright/core';
import { type KeyProvider, keySizeBytes, localKeyProvider } from './key-provider.js';

/**
 * Writes a new key into a file that only its owner may read: 64 hexadecimal digits.
 *
 * @throws {@link ModelwrightError} `file-unwritable`, also if the file is there already: what it opens would be lost.
 */
export async function createKeyFile(file: string): Promise<void> {
  try {
    await writeFile(file, `${randomBytes(keySizeBytes).toString('hex')}\n`, { mode: 0o600, flag: 'wx' });
  } catch (cause) {
    throw new ModelwrightError('file-unwritable', `the key file '${file}' cannot be written, or is there already`, {
      file,
      cause,
    });
  }
}

/**
 * Wraps with the key in a file: 64 hexadecimal digits, or base64 of 32 bytes.
 *
 * @throws {@link ModelwrightError} `file-unreadable`, `invalid-data`.
 */
export async function keyFileProvider(file: string): Promise<KeyProvider> {
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new ModelwrightError('file-unreadable', `the key file '${file}' cannot be read`, { file, cause });
  });
  return localKeyProvider(parseKey(text, `the key file '${file}'`));
}

/**
 * Wraps with the key in a variable of the environment, written as in a key file.
 *
 * @param variable - Default `MODELWRIGHT_MODEL_KEY`.
 * @throws {@link ModelwrightError} `invalid-configuration` if it is not set, `invalid-data`.
 */
export async function environmentKeyProvider(variable = 'MODELWRIGHT_MODEL_KEY'): Promise<KeyProvider> {
  const text = process.env[variable];
  if (text === undefined || text === '') {
    throw new ModelwrightError('invalid-configuration', `the variable ${variable} holds no key`, {
      hint: `export ${variable}=$(openssl rand -hex 32)`,
    });
  }
  return localKeyProvider(parseKey(text, `the variable ${variable}`));
}

function parseKey(text: string, what: string): Uint8Array {
  const trimmed = text.trim();
  const bytes = /^[0-9a-fA-F]{64}$/.test(trimmed) ? Buffer.from(trimmed, 'hex') : Buffer.from(trimmed, 'base64');
  if (bytes.length === keySizeBytes) return new Uint8Array(bytes);
  throw new ModelwrightError(
    'invalid-data',
    `${what} holds no key of ${keySizeBytes} bytes, in hexadecimal or base64`,
    {
      hint: 'openssl rand -hex 32',
    },
  );
}

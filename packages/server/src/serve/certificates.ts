import { readFileSync, statSync, unwatchFile, watchFile } from 'node:fs';
import { createSecureContext, type SecureContextOptions, type TlsOptions } from 'node:tls';
import { ModelwrightError } from '@modelwright/core';

/** TLS from files that may be renewed while the server runs. */
export interface TlsFiles {
  /** PEM, the server's certificate first, then those that lead to its authority. */
  readonly certificate: string;
  /** PEM; default the file of the certificate. */
  readonly key?: string;
  /** PEM: authorities of client certificates. With it, clients may show one, and it is verified. */
  readonly clientAuthorities?: string;
  /** Turn away whoever has no certificate of `clientAuthorities`. Default false: keys and tokens do as well. */
  readonly requiresClientCertificate?: boolean;
  /** How often the files are looked at. Default 10,000. */
  readonly pollMilliseconds?: number;
}

/** What a listener needs of TLS. */
export interface Certificates {
  readonly options: TlsOptions;
  /** Called with new contents of the files once they are whole and fit together. */
  onChange(listener: (context: SecureContextOptions) => void): void;
  close(): void;
}

/**
 * Reads certificates and follows their files: a renewed one serves the next connection, and those that are open stay.
 *
 * @param onProblem - Told when changed files cannot be used; the ones before stay in use.
 * @throws {@link ModelwrightError} `file-unreadable`, `invalid-configuration` if they are none or do not fit together.
 */
export function openCertificates(
  files: TlsFiles,
  onProblem: (error: ModelwrightError) => void = () => {},
): Certificates {
  const listeners = new Set<(context: SecureContextOptions) => void>();
  const paths = [files.certificate, files.key, files.clientAuthorities].filter((path) => path !== undefined);
  let fingerprint = fingerprintOf(paths);
  const check = (): void => {
    try {
      const now = fingerprintOf(paths);
      if (now === fingerprint) return;
      const context = readContext(files);
      fingerprint = now;
      for (const listener of listeners) listener(context);
    } catch (error) {
      onProblem(error as ModelwrightError);
    }
  };
  const options = {
    ...readContext(files),
    minVersion: 'TLSv1.2',
    requestCert: files.clientAuthorities !== undefined,
    rejectUnauthorized: files.requiresClientCertificate ?? false,
    handshakeTimeout: 10_000,
  } as const;
  for (const path of paths) watchFile(path, { interval: files.pollMilliseconds ?? 10_000, persistent: false }, check);
  return {
    options,
    onChange: (listener) => {
      listeners.add(listener);
    },
    close: () => {
      for (const path of paths) unwatchFile(path, check);
    },
  };
}

function readContext({ certificate, key = certificate, clientAuthorities }: TlsFiles): SecureContextOptions {
  const context = {
    cert: read(certificate),
    key: read(key),
    ...(clientAuthorities === undefined ? {} : { ca: read(clientAuthorities) }),
    minVersion: 'TLSv1.2',
  } as const;
  try {
    createSecureContext(context);
    return context;
  } catch (cause) {
    const message = `'${certificate}' and '${key}' are no certificate and key that fit together`;
    throw new ModelwrightError('invalid-configuration', message, { file: certificate, cause });
  }
}

function read(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (cause) {
    throw new ModelwrightError('file-unreadable', `'${file}' cannot be read`, { file, cause });
  }
}

function fingerprintOf(paths: readonly string[]): string {
  const facts = paths.map((path) => {
    const stats = statSync(path, { throwIfNoEntry: false });
    return `${stats?.ino}:${stats?.size}:${stats?.mtimeMs}`;
  });
  return facts.join('|');
}

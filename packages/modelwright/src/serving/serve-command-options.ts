import { readFile } from 'node:fs/promises';
import { type Backend, ModelwrightError } from '@modelwright/core';
import { createVerifier, type KeyProvider, type Verifier } from '@modelwright/deployment';
import { environmentKeyProvider, keyFileProvider } from '@modelwright/deployment/node';
import type { ServeOptions } from '@modelwright/server/node';
import { backendModuleOf } from '../backend/backend-module.js';
import { chooseBackend } from '../backend/load-backend.js';
import type { OutputOptions } from '../cli/output.js';
import { withServingThreads } from './serving-threads.js';

/** The options of `modelwright serve`, as they were typed. */
export interface ServeCommandOptions extends OutputOptions {
  readonly host: string;
  readonly port: number;
  readonly grpcPort?: number;
  readonly grpc: boolean;
  readonly keys?: string;
  readonly policy?: string;
  readonly usage?: string;
  readonly allowEverybody?: boolean;
  readonly allowOrigin?: readonly string[];
  readonly tlsCertificate?: string;
  readonly tlsKey?: string;
  readonly clientAuthorities?: string;
  readonly requireClientCertificate?: boolean;
  readonly audit?: string;
  readonly auditKey?: string;
  readonly modelKey?: string;
  readonly modelKeyEnv?: string;
  readonly publicKey?: readonly string[];
  readonly isolate?: boolean;
  readonly workers?: number;
  readonly explicit?: boolean;
  readonly strictReadiness?: boolean;
  readonly poll: number;
  readonly memoryLimit?: number;
  readonly maxBody?: number;
  readonly timeout?: number;
  readonly drain: number;
  readonly retire: number;
  readonly log: 'silent' | 'error' | 'warn' | 'info' | 'debug';
  readonly backend?: string;
  readonly threads?: number;
}

/** What the server is asked for. */
export async function serveOptionsFrom(
  models: string,
  options: ServeCommandOptions,
  backend: Backend,
): Promise<ServeOptions> {
  const modelKeys = await modelKeysFrom(options);
  const trustedSigners = await signersFrom(options.publicKey);
  const backendModule = backendModuleOf(
    withServingThreads((await chooseBackend(options.backend)).configuration, options.threads),
  );
  const { isolate, workers, memoryLimit, allowOrigin, allowEverybody } = options;
  return {
    models,
    backend,
    ownsProcess: true,
    host: options.host,
    port: options.port,
    ...(options.grpc ? { grpcPort: options.grpcPort ?? (options.port === 0 ? 0 : options.port + 1) } : {}),
    control: options.explicit ? 'explicit' : { pollMilliseconds: options.poll },
    retireMilliseconds: options.retire * 1000,
    limits: limitsFrom(options),
    strictReadiness: options.strictReadiness ?? false,
    ...accessFrom(options),
    ...tlsFrom(options),
    ...(await auditFrom(options)),
    ...(backendModule === undefined ? {} : { backendModule }),
    ...(isolate === undefined ? {} : { isIsolated: isolate }),
    ...(workers === undefined ? {} : { defaults: { workers } }),
    ...(memoryLimit === undefined ? {} : { memoryLimitBytes: memoryLimit }),
    ...(allowOrigin === undefined ? {} : { allowedOrigins: allowOrigin }),
    ...(allowEverybody === undefined ? {} : { allowsEverybody: allowEverybody }),
    ...(modelKeys === undefined ? {} : { modelKeys }),
    ...(trustedSigners === undefined ? {} : { trustedSigners }),
  };
}

function limitsFrom({ maxBody, timeout }: ServeCommandOptions): NonNullable<ServeOptions['limits']> {
  return {
    ...(maxBody === undefined ? {} : { maxBodyBytes: maxBody }),
    ...(timeout === undefined ? {} : { timeoutMilliseconds: timeout * 1000 }),
  };
}

function accessFrom({ keys, policy, usage }: ServeCommandOptions): Pick<ServeOptions, 'access'> {
  if (keys === undefined && policy === undefined) return {};
  return {
    access: {
      ...(keys === undefined ? {} : { keys }),
      ...(policy === undefined ? {} : { policy }),
      ...(usage === undefined ? {} : { limits: usage }),
    },
  };
}

function tlsFrom(options: ServeCommandOptions): Pick<ServeOptions, 'tls'> {
  const { tlsCertificate, tlsKey, clientAuthorities, requireClientCertificate } = options;
  if (tlsCertificate === undefined) {
    if (tlsKey === undefined && clientAuthorities === undefined) return {};
    throw new ModelwrightError('invalid-argument', 'give the certificate: --tls-certificate FILE');
  }
  return {
    tls: {
      certificate: tlsCertificate,
      ...(tlsKey === undefined ? {} : { key: tlsKey }),
      ...(clientAuthorities === undefined ? {} : { clientAuthorities }),
      ...(requireClientCertificate === undefined ? {} : { requiresClientCertificate: requireClientCertificate }),
    },
  };
}

async function auditFrom({ audit, auditKey }: ServeCommandOptions): Promise<Pick<ServeOptions, 'audit'>> {
  if (audit === undefined) return {};
  return { audit: { folder: audit, ...(auditKey === undefined ? {} : { signingKey: await textOf(auditKey) }) } };
}

function modelKeysFrom({ modelKey, modelKeyEnv }: ServeCommandOptions): Promise<KeyProvider> | undefined {
  if (modelKey !== undefined && modelKeyEnv !== undefined) {
    throw new ModelwrightError(
      'invalid-argument',
      'give the key of models once: --model-key FILE or --model-key-env VARIABLE',
    );
  }
  if (modelKey !== undefined) return keyFileProvider(modelKey);
  return modelKeyEnv === undefined ? undefined : environmentKeyProvider(modelKeyEnv);
}

async function signersFrom(files: readonly string[] | undefined): Promise<readonly Verifier[] | undefined> {
  if (files === undefined) return undefined;
  return Promise.all(files.map(async (file) => createVerifier(await textOf(file))));
}

async function textOf(file: string): Promise<string> {
  return readFile(file, 'utf8').catch((cause: unknown) => {
    throw new ModelwrightError('file-unreadable', `'${file}' cannot be read`, { file, cause });
  });
}

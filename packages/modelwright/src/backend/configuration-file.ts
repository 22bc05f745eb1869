import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { isModelwrightError, ModelwrightError } from '@modelwright/core';
import { importModule } from '../files/import-module.js';
import { type BackendConfiguration, toBackendConfiguration } from './backend-configuration.js';

/** What `modelwright.config.ts` (or `.mts`, `.js`, `.mjs`, `.json`) exports by default. */
export interface Configuration {
  /** The backend that `loadBackend()` and the command line use. */
  readonly backend?: string | BackendConfiguration;
}

/** A configuration file as found. */
export interface LoadedConfiguration {
  readonly file: string;
  readonly backend?: BackendConfiguration;
}

const fileNames = ['ts', 'mts', 'js', 'mjs', 'json'].map((extension) => `modelwright.config.${extension}`);

/**
 * Gives a configuration its type; returns it as it is.
 *
 * @example
 * // modelwright.config.ts
 * export default defineConfig({ backend: { name: 'onnxruntime', device: 'cpu', threads: 4 } });
 */
export function defineConfig(configuration: Configuration): Configuration {
  return configuration;
}

/**
 * Finds and reads the nearest `modelwright.config.*`, from `directory` upwards.
 *
 * @returns undefined if there is none.
 * @throws {@link ModelwrightError} `invalid-configuration` if it cannot be loaded or names no backend.
 */
export async function loadConfiguration(directory: string = process.cwd()): Promise<LoadedConfiguration | undefined> {
  const file = findConfiguration(resolve(directory));
  if (file === undefined) return undefined;
  const content = await readConfiguration(file);
  if (typeof content !== 'object' || content === null) throw failure(file, 'it exports no object by default');
  const unknown = Object.keys(content).filter((key) => key !== 'backend' && key !== '$schema');
  if (unknown.length > 0) throw failure(file, `it has no option '${unknown[0]}'; there is: backend`);
  const { backend } = content as Configuration;
  return backend === undefined
    ? { file }
    : { file, backend: toBackendConfiguration(backend, `'backend' of '${file}'`) };
}

function findConfiguration(directory: string): string | undefined {
  const found = fileNames.map((name) => join(directory, name)).find((file) => existsSync(file));
  const parent = dirname(directory);
  return found ?? (parent === directory ? undefined : findConfiguration(parent));
}

async function readConfiguration(file: string): Promise<unknown> {
  try {
    if (file.endsWith('.json')) return JSON.parse(await readFile(file, 'utf8'));
    return ((await importModule(file)) as { default?: unknown }).default;
  } catch (cause) {
    if (isModelwrightError(cause)) throw cause;
    throw failure(file, cause instanceof Error ? cause.message : String(cause), cause);
  }
}

function failure(file: string, why: string, cause?: unknown): ModelwrightError {
  return new ModelwrightError('invalid-configuration', `cannot use '${file}': ${why}`, { file, cause });
}

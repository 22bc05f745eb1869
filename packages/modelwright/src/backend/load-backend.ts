import { isAbsolute, resolve } from 'node:path';
import {
  type Backend,
  createReferenceBackend,
  installCommands,
  isModelwrightError,
  ModelwrightError,
} from '@modelwright/core';
import {
  type BackendConfiguration,
  parseBackendConfiguration,
  toBackendConfiguration,
} from './backend-configuration.js';
import { loadConfiguration } from './configuration-file.js';
import { importFromProject } from './import-from-project.js';

/** Where a choice of backend was made. */
export type BackendSource = 'argument' | 'environment' | 'configuration-file' | 'default';

/** The backend to use, and who said so. */
export interface ChosenBackend {
  readonly configuration: BackendConfiguration;
  readonly source: BackendSource;
}

interface BackendModule {
  createBackend(options: object): Backend | Promise<Backend>;
}

/** Short names of what this package brings along. */
const included: { readonly [name: string]: () => Promise<object> } = {
  onnxruntime: () => import('@modelwright/backend-onnxruntime'),
  wasm: () => import('@modelwright/backend-wasm'),
  cuda: () => import('@modelwright/backend-cuda'),
  reference: async () => ({ createBackend: createReference }),
};

/** The backends that come with this package, by short name. */
export const includedBackends: readonly string[] = Object.keys(included);

/**
 * Loads a backend by name.
 *
 * Without an argument it takes the variable `MODELWRIGHT_BACKEND` (`onnxruntime:webgpu`), else the nearest
 * `modelwright.config.{ts,mts,js,mjs,json}`, else ONNX Runtime. Any npm package that exports `createBackend` is a backend.
 *
 * @param configuration - `'name'`, `'name:device'`, or an object whose further fields go to the backend.
 * @param options.directory - Where configuration files and packages are looked up; default is the working directory.
 * @throws {@link ModelwrightError} `backend-unavailable` saying what to install, `invalid-configuration`.
 * @example
 * const backend = await loadBackend('onnxruntime');
 */
export async function loadBackend(
  configuration?: string | BackendConfiguration,
  options: { readonly directory?: string } = {},
): Promise<Backend> {
  const directory = options.directory ?? process.cwd();
  const { name, ...rest } = (await chooseBackend(configuration, { directory })).configuration;
  const { createBackend } = await findBackendModule(name, directory);
  const backend = await createBackend(rest);
  // Checked as data from outside: the package may be anyone's, built against any version.
  if ((backend as { specificationVersion?: unknown } | undefined)?.specificationVersion !== 'v1') {
    const given = (backend as { specificationVersion?: unknown } | undefined)?.specificationVersion;
    const message = `backend '${name}' follows specification ${JSON.stringify(given)}, this version needs 'v1'`;
    throw new ModelwrightError('backend-unavailable', message, { given, allowed: 'v1' });
  }
  return backend;
}

/** Decides which backend to load: argument, environment, configuration file, default, in this order. */
export async function chooseBackend(
  configuration?: string | BackendConfiguration,
  { directory = process.cwd() }: { readonly directory?: string } = {},
): Promise<ChosenBackend> {
  if (configuration !== undefined) {
    return { configuration: toBackendConfiguration(configuration, 'the backend'), source: 'argument' };
  }
  const variable = process.env['MODELWRIGHT_BACKEND'];
  if (variable) {
    return { configuration: parseBackendConfiguration(variable, 'MODELWRIGHT_BACKEND'), source: 'environment' };
  }
  const file = await loadConfiguration(directory);
  if (file?.backend !== undefined) return { configuration: file.backend, source: 'configuration-file' };
  return { configuration: { name: 'onnxruntime' }, source: 'default' };
}

async function findBackendModule(name: string, directory: string): Promise<BackendModule> {
  const candidates = packageNamesOf(name);
  for (const candidate of candidates) {
    const module = await (included[candidate]?.() ?? importBackend(candidate, directory));
    if (module === undefined) continue;
    if ('createBackend' in module && typeof module.createBackend === 'function') return module as BackendModule;
    const message = `'${candidate}' is no backend: it does not export createBackend`;
    throw new ModelwrightError('invalid-configuration', message, { given: name });
  }
  throw unknownBackend(name, candidates, directory);
}

function unknownBackend(name: string, candidates: readonly string[], directory: string): ModelwrightError {
  const known = includedBackends.join(', ');
  const looked = isPath(name) ? `no file '${resolve(directory, name)}'` : `looked for ${candidates.join(', ')}`;
  const hint = isPath(name)
    ? `give the path of a module that exports createBackend, or use one of: ${known}`
    : `use one of: ${known}; or, if it is a package, ${installCommands(name)}`;
  const message = `there is no backend '${name}'; there are: ${known} (${looked})`;
  return new ModelwrightError('backend-unavailable', message, { given: name, allowed: includedBackends, hint });
}

async function importBackend(specifier: string, directory: string): Promise<object | undefined> {
  try {
    return await importFromProject(specifier, directory);
  } catch (cause) {
    if (isModelwrightError(cause)) throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new ModelwrightError('backend-unavailable', `backend '${specifier}' cannot be loaded: ${reason}`, { cause });
  }
}

/** The packages behind the short names, as far as they are packages. */
export const includedPackages: { readonly [name: string]: string } = {
  onnxruntime: '@modelwright/backend-onnxruntime',
  wasm: '@modelwright/backend-wasm',
  cuda: '@modelwright/backend-cuda',
};

/** The packages that a name of a backend may mean, in the order in which they are tried. */
export function packageNamesOf(name: string): readonly string[] {
  if (name in included) return [name];
  if (!/^[\w-]+$/.test(name)) return [name];
  return [`@modelwright/backend-${name}`, `modelwright-backend-${name}`, name];
}

function isPath(name: string): boolean {
  return name.startsWith('.') || isAbsolute(name);
}

function createReference({ device }: { readonly device?: string }): Backend {
  if (device === undefined || device === 'cpu') return createReferenceBackend();
  const message = `the reference backend has no device '${device}', only 'cpu'`;
  throw new ModelwrightError('backend-unavailable', message, { given: device, allowed: ['cpu'] });
}

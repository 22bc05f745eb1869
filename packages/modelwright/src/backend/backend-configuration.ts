import { ModelwrightError } from '@modelwright/core';

/**
 * Which backend to use. `name` is a short name (`onnxruntime`, `reference`), an npm package that exports
 * `createBackend`, or the path of such a module; all other fields go to its `createBackend` as they are.
 */
export interface BackendConfiguration {
  readonly name: string;
  /** `cpu`, `cuda`, `webgpu`, … Default: the backend's own choice. */
  readonly device?: string;
  readonly [option: string]: unknown;
}

/**
 * Reads `name` or `name:device`, the form of `MODELWRIGHT_BACKEND` and of `--backend`.
 *
 * @param source - Where the text comes from, for the error message.
 * @throws {@link ModelwrightError} `invalid-configuration` if it is neither form.
 * @example
 * parseBackendConfiguration('onnxruntime:webgpu'); // { name: 'onnxruntime', device: 'webgpu' }
 */
export function parseBackendConfiguration(text: string, source = 'the backend'): BackendConfiguration {
  // A colon before a slash or backslash belongs to a path or a URL, as in `C:\backend.js`.
  const [, name, device] = /^(.+?)(?::([^:/\\]+))?$/.exec(text.trim()) ?? [];
  if (name === undefined || name.startsWith(':') || name.endsWith(':')) {
    throw new ModelwrightError('invalid-configuration', `${source} is '${text}', not 'name' or 'name:device'`, {
      given: text,
      allowed: ['onnxruntime', 'onnxruntime:cpu', 'reference'],
    });
  }
  return device === undefined ? { name } : { name, device };
}

/**
 * Checks what a configuration file or a caller gave as its backend.
 *
 * @throws {@link ModelwrightError} `invalid-configuration` if it names none.
 */
export function toBackendConfiguration(given: unknown, source: string): BackendConfiguration {
  if (typeof given === 'string') return parseBackendConfiguration(given, source);
  if (typeof given === 'object' && given !== null && 'name' in given && typeof given.name === 'string') {
    const { name, device, ...options } = given as BackendConfiguration;
    const parsed = parseBackendConfiguration(name, source);
    return { ...options, ...parsed, ...(device === undefined ? {} : { device }) };
  }
  const allowed = "'name', 'name:device' or { name, device, …options }";
  throw new ModelwrightError('invalid-configuration', `${source} is ${JSON.stringify(given)}, not ${allowed}`, {
    given,
    allowed,
  });
}

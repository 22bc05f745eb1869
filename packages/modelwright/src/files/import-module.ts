import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { isModelwrightError, ModelwrightError } from '@modelwright/core';

/** Imports a module in JavaScript or TypeScript. Newer Nodes strip types themselves; jiti does it everywhere else. */
export async function importModule(file: string): Promise<object> {
  const path = resolve(file);
  try {
    return (await import(pathToFileURL(path).href)) as object;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_UNKNOWN_FILE_EXTENSION') throw error;
    const { createJiti } = await import('jiti');
    return await createJiti(path).import(path);
  }
}

/**
 * The function that a user's module exports by default.
 *
 * @param what - What the function is for, as the message names it: `--evaluate`.
 * @throws {@link ModelwrightError} `file-unreadable` if there is no such file, `invalid-configuration` if it cannot be
 *   imported or exports no function by default.
 */
export async function importFunction(file: string, what: string): Promise<(...args: never[]) => unknown> {
  if (!existsSync(file)) {
    const message = `cannot read '${file}': no such file or directory`;
    throw new ModelwrightError('file-unreadable', message, { file });
  }
  const exported = await load(file, what);
  if (typeof exported === 'function') return exported as (...args: never[]) => unknown;
  const message = `${what}: '${file}' exports no function by default`;
  throw new ModelwrightError('invalid-configuration', message, {
    file,
    given: typeof exported,
    hint: `export default async (model, { backend }) => …`,
  });
}

async function load(file: string, what: string): Promise<unknown> {
  try {
    return ((await importModule(file)) as { default?: unknown }).default;
  } catch (cause) {
    if (isModelwrightError(cause)) throw cause;
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new ModelwrightError('invalid-configuration', `${what}: cannot import '${file}': ${why}`, { file, cause });
  }
}

import { type Backend, ModelwrightError } from '@modelwright/core';

/** How another thread or process opens the backend: a backend itself cannot be handed over. */
export interface BackendModule {
  /** What `import()` takes there: a `file:` URL, or the name of a package that the server's own code finds. */
  readonly module: string;
  /** Passed to the module's `createBackend`. */
  readonly options?: Readonly<Record<string, unknown>>;
}

/**
 * Opens the backend that a module exports as `createBackend`.
 *
 * @throws {@link ModelwrightError} `backend-unavailable` if it does not.
 */
export async function openBackendModule({ module, options = {} }: BackendModule): Promise<Backend> {
  const found = (await import(module)) as { readonly createBackend?: unknown };
  if (typeof found.createBackend === 'function')
    return (found.createBackend as (options: object) => Backend | Promise<Backend>)(options);
  throw new ModelwrightError('backend-unavailable', `'${module}' does not export createBackend`, { given: module });
}

import type { Backend } from '@modelwright/core';

/** An entry of the page's menu. */
export interface BackendChoice {
  readonly id: string;
  readonly label: string;
  readonly create: () => Promise<Backend>;
  /** Why it cannot run in this browser, if so. */
  readonly missing?: () => Promise<string | undefined>;
}

/** Each is loaded when it is chosen: a page pays only for the backend that it uses. */
export const backends: readonly BackendChoice[] = [
  {
    id: 'reference',
    label: 'Reference (JavaScript)',
    create: async () => (await import('./backends/reference.js')).createBackend(),
  },
];

/** The entry of that name; the first one for a name that is unknown. */
export function backendById(id: string | null): BackendChoice {
  return backends.find((choice) => choice.id === id) ?? (backends[0] as BackendChoice);
}

const acceptable = /^[\w.:@-]{1,128}$/;

/** The caller's own name for a request if it is a harmless one, else a new one. */
export function requestIdOf(given: string | undefined): string {
  return given !== undefined && acceptable.test(given) ? given : globalThis.crypto.randomUUID();
}

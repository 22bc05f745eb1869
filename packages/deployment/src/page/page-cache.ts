/// <reference lib="dom" />

/** Files of one deployment that the browser keeps, so that a second visit downloads nothing and works without a network. */
export interface PageCache {
  /** Like `fetch`, from what is kept if it is there. */
  fetch(url: string): Promise<Response>;
  /** Keeps what has come since; called when it has been proven right. */
  keep(): Promise<void>;
  /** Forgets what is kept. @returns whether there was anything. */
  forget(): Promise<boolean>;
  /** How many files came from the cache. */
  readonly hits: number;
}

/** Cache of the deployment `id`; without a secure context it keeps nothing. */
export async function openPageCache(id: string): Promise<PageCache> {
  const cache = await globalThis.caches?.open(cacheName(id)).catch(() => undefined);
  const fresh = new Map<string, Response>();
  let hits = 0;
  return {
    fetch: async (url) => {
      const kept = await cache?.match(url);
      if (kept !== undefined) {
        hits++;
        return kept;
      }
      const response = await fetch(url, { cache: 'no-cache' });
      if (response.ok && cache !== undefined) fresh.set(url, response.clone());
      return response;
    },
    keep: async () => {
      // A full disk is no reason to fail: the page works without.
      for (const [url, response] of fresh) await cache?.put(url, response).catch(() => undefined);
      fresh.clear();
    },
    forget: async () => {
      fresh.clear();
      const keys = (await cache?.keys()) ?? [];
      for (const key of keys) await cache?.delete(key);
      return keys.length > 0;
    },
    get hits() {
      return hits;
    },
  };
}

/** Name of the cache of a deployment. */
export function cacheName(id: string): string {
  return `${cachePrefix}${id}`;
}

/** What the names of all our caches begin with, followed by the name of the model. */
export const cachePrefix = 'modelwright:';

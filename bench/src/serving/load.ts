import { createRequire } from 'node:module';

/** What autocannon found; it comes without types. */
export interface LoadResult {
  readonly requests: { readonly total: number };
  readonly latency: { readonly p50: number; readonly p97_5: number; readonly p99: number; readonly max: number };
  readonly errors: number;
  readonly timeouts: number;
  readonly non2xx: number;
  /** Seconds. */
  readonly duration: number;
}

export interface LoadOptions {
  readonly url: string;
  readonly method?: 'GET' | 'POST';
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
  readonly connections: number;
  /** Seconds. */
  readonly duration?: number;
  /** Requests in all, instead of a duration. */
  readonly amount?: number;
}

/** Puts load on a server from many connections that stay open. */
export const putLoad: (options: LoadOptions) => Promise<LoadResult> = createRequire(import.meta.url)('autocannon');

/** Requests that got no good answer. */
export function failuresOf({ errors, timeouts, non2xx }: LoadResult): number {
  return errors + timeouts + non2xx;
}

import { isModelwrightError, ModelwrightError } from '@modelwright/core';
import type { BundleSource, ReadProgress } from './bundle-source.js';
import { missingFile, tooLarge } from './memory-source.js';

export interface UrlSourceOptions {
  /** Used instead of the global `fetch`: with headers of one's own, a cache, a service binding. */
  readonly fetch?: (url: string) => Promise<Response>;
}

/**
 * A bundle on a web server, its files read as they stream in.
 *
 * @param url - The folder of the manifest: `https://example.org/models/digits/`.
 * @example
 * const bundle = await loadBundle(urlSource('./model/'), { backend, onProgress: ({ share }) => (bar.value = share) });
 */
export function urlSource(url: string | URL, options: UrlSourceOptions = {}): BundleSource {
  const folder = `${url}`.replace(/\/*$/, '/');
  const get = options.fetch ?? ((address: string) => globalThis.fetch(address));
  return {
    name: folder,
    read: async (path, onProgress, maxBytes = Number.POSITIVE_INFINITY) => {
      const response = await answerOf(get, folder, path);
      const declared = Number(response.headers.get('content-length') ?? Number.NaN);
      // With a content coding the header counts the compressed bytes.
      const total = response.headers.get('content-encoding') === null && declared >= 0 ? declared : undefined;
      if (total !== undefined && total > maxBytes) throw tooLarge(folder, path, { given: total, allowed: maxBytes });
      try {
        return await readBody(response, { onProgress, total, maxBytes, folder, path });
      } catch (cause) {
        if (isModelwrightError(cause)) throw cause;
        throw new ModelwrightError('file-unreadable', `'${path}' of ${folder} broke off`, { file: path, cause });
      }
    },
  };
}

async function answerOf(get: (url: string) => Promise<Response>, folder: string, path: string): Promise<Response> {
  let response: Response;
  try {
    response = await get(folder + path.split('/').map(encodeURIComponent).join('/'));
  } catch (cause) {
    throw new ModelwrightError('file-unreadable', `'${path}' of ${folder} cannot be fetched`, { file: path, cause });
  }
  if (response.ok) return response;
  throw missingFile(folder, path, `HTTP status ${response.status}`);
}

interface Download {
  readonly onProgress: ReadProgress | undefined;
  readonly total: number | undefined;
  readonly maxBytes: number;
  readonly folder: string;
  readonly path: string;
}

async function readBody(response: Response, download: Download): Promise<Uint8Array> {
  const { onProgress, total, maxBytes, folder, path } = download;
  const pieces: Uint8Array[] = [];
  let received = 0;
  const reader = response.body?.getReader();
  for (let piece = await reader?.read(); piece?.value !== undefined; piece = await reader?.read()) {
    received += piece.value.length;
    if (received > maxBytes) {
      await reader?.cancel();
      throw tooLarge(folder, path, { given: received, allowed: maxBytes });
    }
    pieces.push(piece.value);
    onProgress?.(received, total);
  }
  return joined(pieces, received);
}

function joined(pieces: readonly Uint8Array[], lengthBytes: number): Uint8Array {
  if (pieces.length === 1) return pieces[0]!;
  const bytes = new Uint8Array(lengthBytes);
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}

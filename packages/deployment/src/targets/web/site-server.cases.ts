import { existsSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { BundleFile } from '../target.js';

const usualPlaces = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
const named = process.env['CHROMIUM_PATH'];

/** Path of a Chromium: `CHROMIUM_PATH`, else where one usually lies; undefined where there is none. */
export const chromiumPath: string | undefined = (named ? [named] : usualPlaces).find((path) => existsSync(path));

const types: { readonly [ending: string]: string } = {
  html: 'text/html; charset=utf-8',
  js: 'text/javascript',
  mjs: 'text/javascript',
  css: 'text/css',
  json: 'application/json',
  svg: 'image/svg+xml',
  wasm: 'application/wasm',
};

/** A web server for the files of a bundle, with the headers that its `_headers` names. */
export interface SiteServer {
  readonly url: string;
  /** Paths that were asked for since the last call. */
  requests(): readonly string[];
  /** Files by path; may be changed while it serves. */
  readonly files: Map<string, Uint8Array>;
  close(): Promise<void>;
}

export async function serveSite(bundle: readonly BundleFile[]): Promise<SiteServer> {
  const files = new Map(bundle.map(({ path, content }) => [path, new Uint8Array(Buffer.from(content))]));
  const headers = Buffer.from(files.get('_headers') ?? [])
    .toString()
    .split('\n')
    .slice(1)
    .flatMap((line) => (line.includes(':') ? [line.trim().split(/:\s(.*)/, 2) as [string, string]] : []));
  let asked: string[] = [];
  const server = createServer((request, response) => {
    const path = decodeURIComponent(new URL(request.url ?? '/', 'http://site').pathname.slice(1)) || 'index.html';
    asked.push(path);
    const content = files.get(path);
    for (const [name, value] of headers) response.setHeader(name, value);
    if (content === undefined) {
      response.writeHead(404).end();
      return;
    }
    response.setHeader('content-type', types[path.split('.').at(-1) ?? ''] ?? 'application/octet-stream');
    response.setHeader('content-length', content.length);
    response.end(content);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    files,
    requests: () => {
      const since = asked;
      asked = [];
      return since;
    },
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

import { cacheName, cachePrefix } from './page-cache.js';

/** What of a service worker's surroundings is used. */
interface ServiceWorkerScope {
  readonly registration: { readonly scope: string };
  readonly location: { readonly origin: string };
  readonly clients: { claim(): Promise<void> };
  skipWaiting(): Promise<void>;
  addEventListener(name: string, listener: (event: WorkerEvent) => void): void;
}

interface WorkerEvent {
  readonly request: Request;
  waitUntil(task: Promise<unknown>): void;
  respondWith(response: Promise<Response>): void;
}

export interface ServiceWorkerOptions {
  /** Of this deployment: `digits:2026-01-31T…`. A new one replaces the files of the old one. */
  readonly id: string;
  /** Files of the page itself; those of the model are kept by the page once they are proven. */
  readonly shell: readonly string[];
}

/** Makes a page work without a network: the page's files are kept when it is first visited. */
export function startServiceWorker({ id, shell }: ServiceWorkerOptions): void {
  const scope = globalThis as unknown as ServiceWorkerScope;
  const open = (): Promise<Cache> => caches.open(cacheName(id));
  scope.addEventListener('install', (event) => {
    const keepShell = async (): Promise<void> => {
      await (await open()).addAll(shell.map((path) => new Request(path, { cache: 'reload' })));
      await scope.skipWaiting();
    };
    event.waitUntil(keepShell());
  });
  scope.addEventListener('activate', (event) => event.waitUntil(dropOthers(id).then(() => scope.clients.claim())));
  scope.addEventListener('fetch', (event) => {
    const { method, url } = event.request;
    if (method !== 'GET' || !url.startsWith(scope.registration.scope)) return;
    event.respondWith(answer(event.request, open));
  });
}

async function answer(request: Request, open: () => Promise<Cache>): Promise<Response> {
  const kept = await (await open()).match(request, { ignoreSearch: true });
  return kept ?? fetch(request);
}

/** Older deployments of the same model at this place. */
async function dropOthers(id: string): Promise<void> {
  const model = id.slice(0, id.indexOf(':') + 1);
  for (const name of await caches.keys()) {
    if (name.startsWith(cachePrefix + model) && name !== cacheName(id)) await caches.delete(name);
  }
}

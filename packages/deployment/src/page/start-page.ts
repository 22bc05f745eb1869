/// <reference lib="dom" />
import type { Backend } from '@modelwright/core';
import { isViolation, type LoadedBundle, type LoadProgress, loadBundle } from '../bundle/load-bundle.js';
import { urlSource } from '../bundle/url-source.js';
import { byId, formatBytes } from './elements.js';
import { offerModel } from './offer-model.js';
import { openPageCache, type PageCache } from './page-cache.js';

export interface PageOptions {
  readonly createBackend: () => Promise<Backend>;
}

/** Loads the bundle that lies beside the page, with a bar for what has come, and lets the visitor try it. */
export async function startPage({ createBackend }: PageOptions): Promise<void> {
  registerServiceWorker();
  const started = performance.now();
  try {
    const cache = await openPageCache(document.documentElement.dataset['deployment'] ?? '');
    const backend = await createBackend();
    const bundle = await loadOnceMore(cache, backend);
    await cache.keep();
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    const from = cache.hits > 0 ? 'from this browser’s cache' : 'over the network';
    offerModel(bundle, backend);
    showProof(bundle, backend);
    setState('ready', `Ready after ${seconds} s, ${from}.`);
  } catch (error) {
    setState(isViolation(error) ? 'refused' : 'error', (error as Error).message);
    throw error;
  }
}

/** Disks forget, too: what came from the cache and is not right is fetched again. */
async function loadOnceMore(cache: PageCache, backend: Backend): Promise<LoadedBundle> {
  try {
    return await load(cache, backend);
  } catch (error) {
    if (!isViolation(error) || cache.hits === 0 || !(await cache.forget())) throw error;
    return load(cache, backend);
  }
}

function load(cache: PageCache, backend: Backend): Promise<LoadedBundle> {
  const source = urlSource(new URL('./', document.baseURI), { fetch: cache.fetch });
  return loadBundle(source, { backend, onProgress: showProgress });
}

const phases: { readonly [Phase in LoadProgress['phase']]: string } = {
  download: 'Loading the model',
  compile: 'Compiling the model',
  verify: 'Asking it what is known',
};

function showProgress({ phase, receivedBytes, totalBytes, share }: LoadProgress): void {
  byId<HTMLProgressElement>('progress').value = share;
  byId('status').textContent = `${phases[phase]}: ${formatBytes(receivedBytes)} of ${formatBytes(totalBytes)}`;
}

function setState(state: 'ready' | 'refused' | 'error', message: string): void {
  document.body.dataset['state'] = state;
  byId('status').textContent = message;
  byId('progress').hidden = true;
}

function showProof({ manifest, golden }: LoadedBundle, backend: Backend): void {
  const results = golden?.results ?? [];
  const right = results.filter(({ passed }) => passed).length;
  byId('proof').textContent =
    `${right} of ${results.length} known answers given again on ${backend.name}:${backend.device}, ` +
    `as ${golden?.madeWith ?? 'nobody'} gave them when this was made.`;
  document.body.dataset['golden'] = `${right}/${results.length}`;
  document.body.dataset['backend'] = `${backend.name}:${backend.device}`;
  byId('facts').textContent =
    `${manifest.name} ${manifest.version}, licence ${manifest.licence}, ${manifest.createdAt}`;
}

function registerServiceWorker(): void {
  // Where there is none (plain HTTP) the page works, but not offline.
  const { serviceWorker } = navigator;
  if (serviceWorker === undefined) return;
  const hasKept = serviceWorker.controller !== null;
  serviceWorker.addEventListener('controllerchange', () => {
    if (!hasKept) return;
    document.body.dataset['update'] = 'there';
    byId('facts').append(' – a newer one is there: reload the page.');
  });
  serviceWorker
    .register('sw.js')
    // The browser alone would look for a newer deployment when it sees fit.
    .then((registration) => registration.update())
    .catch(() => undefined);
}

import type { Hub } from '../contract/hub.js';
import type { Route } from '../contract/route.js';

/** Probes as orchestrators ask for them: the process lives, its models are ready, its first models have been loaded. */
export function healthRoutes(hub: Hub): readonly Route[] {
  return [
    probe('/livez', 'Whether the server runs.', () => true),
    probe('/readyz', 'Whether every model that should be is ready.', () => hub.isReady),
    probe('/startupz', 'Whether the first models have been loaded.', () => hub.isStarted),
  ];
}

function probe(path: string, summary: string, check: () => boolean): Route {
  const handle = (): Response => {
    const isWell = check();
    return new Response(isWell ? 'ok' : 'not yet', { status: isWell ? 200 : 503 });
  };
  return { method: 'get', path, action: 'public', summary, errors: 'open-inference', handle };
}

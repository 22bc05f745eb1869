import { ModelwrightError } from '@modelwright/core';
import { renderError } from '../app/render-error.js';
import { isLoopback } from './loopback.js';

/** Which pages of browsers may ask. */
export interface OriginPolicy {
  /** `https://shop.example`: pages that may ask beside the server's own. */
  readonly allowedOrigins: readonly string[];
  /** Names are checked where nobody has to show a key: a page could otherwise give its own name this machine's address. */
  readonly requiresLocalName: boolean;
}

const allowedHeaders =
  'authorization, x-api-key, content-type, inference-header-content-length, x-request-id, x-request-timeout-ms, traceparent';
const readableHeaders =
  'inference-header-content-length, retry-after, x-request-id, x-ratelimit-limit, x-ratelimit-remaining, x-ratelimit-reset';

type Fetch = (request: Request, bindings: unknown) => Response | Promise<Response>;

/** Turns away pages of strangers, which a browser on this network would let ask in its user's name; and answers those that may. */
export function guardOrigin(fetch: Fetch, policy: OriginPolicy): Fetch {
  return (request, bindings) => {
    const host = request.headers.get('host') ?? new URL(request.url).host;
    if (policy.requiresLocalName && !isLocalName(host)) return refused(`the server is not called '${host}'`);
    const origin = request.headers.get('origin');
    if (origin === null) return fetch(request, bindings);
    if (policy.allowedOrigins.includes(origin)) return shared(request, origin, () => fetch(request, bindings));
    if (hostOf(origin) === host.toLowerCase()) return fetch(request, bindings);
    return refused(`pages of '${origin}' may not ask this server`);
  };
}

async function shared(request: Request, origin: string, fetch: () => Response | Promise<Response>): Promise<Response> {
  const isPreflight = request.method === 'OPTIONS' && request.headers.has('access-control-request-method');
  const response = isPreflight ? new Response(null, { status: 204 }) : await fetch();
  response.headers.set('access-control-allow-origin', origin);
  response.headers.append('vary', 'origin');
  if (isPreflight) {
    response.headers.set('access-control-allow-methods', 'GET, POST, DELETE');
    response.headers.set('access-control-allow-headers', allowedHeaders);
    response.headers.set('access-control-max-age', '600');
  } else response.headers.set('access-control-expose-headers', readableHeaders);
  return response;
}

function refused(message: string): Response {
  return renderError(new ModelwrightError('permission-denied', message), 'open-inference');
}

/** `http://127.0.0.1:8000` → `127.0.0.1:8000`; nothing for `null`, which sandboxed pages send. */
function hostOf(origin: string): string | undefined {
  return URL.canParse(origin) ? new URL(origin).host.toLowerCase() : undefined;
}

/** Clients say the same name again and again. */
const knownNames = new Map<string, boolean>();
const mostKnownNames = 64;

function isLocalName(host: string): boolean {
  const known = knownNames.get(host);
  if (known !== undefined) return known;
  const name = URL.canParse(`http://${host}`) ? new URL(`http://${host}`).hostname : '';
  const isLocal = isLoopback(name);
  if (knownNames.size >= mostKnownNames) knownNames.clear();
  knownNames.set(host, isLocal);
  return isLocal;
}

import type { Route } from '../contract/route.js';
import { answers, reference } from '../openapi/fragments.js';
import { jsonResponse } from './request-body.js';
import { serverMetadata } from './server-metadata.js';

/** Endpoints of the server as a whole: what it is, whether it lives and is ready. */
export const serverRoutes: readonly Route[] = [
  ...['/v2', '/v2/'].map(
    (path): Route => ({
      method: 'get',
      path,
      action: 'read',
      summary: 'Name, version and extensions of the server',
      errors: 'open-inference',
      openapi: answers(reference('ServerMetadata')),
      handle: () => jsonResponse(serverMetadata),
    }),
  ),
  {
    method: 'get',
    path: '/v2/health/live',
    action: 'public',
    summary: 'Whether the server runs',
    errors: 'open-inference',
    openapi: answers({ type: 'object', properties: { live: { type: 'boolean' } } }),
    handle: () => jsonResponse({ live: true }),
  },
  {
    method: 'get',
    path: '/v2/health/ready',
    action: 'public',
    summary: 'Whether every model that should be is ready: 200 or 503',
    errors: 'open-inference',
    openapi: answers({ type: 'object', properties: { ready: { type: 'boolean' } } }),
    handle: (_, { hub }) => {
      const ready = hub.isReady();
      return jsonResponse({ ready }, ready ? 200 : 503);
    },
  },
];

import { ModelwrightError } from '@modelwright/core';
import { Hono } from 'hono';
import type { Logger } from 'pino';
import { openAccess } from '../access/open-access.js';
import type { AccessControl, Peer } from '../contract/access.js';
import type { Hub } from '../contract/hub.js';
import type { RequestObserver } from '../contract/request-observer.js';
import type { Route } from '../contract/route.js';
import { BodyBudget } from './body-budget.js';
import { handlerOf, type RouteServices } from './handle-route.js';
import { healthRoutes } from './health-routes.js';
import { renderError } from './render-error.js';
import { silentLogger } from './silent-logger.js';

/** Bounds on what requests may cost, whoever sends them. */
export interface RequestLimits {
  /** Default 64 MiB. */
  readonly maxBodyBytes?: number;
  /** Bodies of all requests that are in the house. Default 512 MiB. */
  readonly maxBodyBytesInAll?: number;
  /** The longest that a request may take, whatever it says itself. Default 300,000. */
  readonly timeoutMilliseconds?: number;
}

export interface AppOptions {
  readonly hub: Hub;
  /** Protocols; the probes `/livez`, `/readyz` and `/startupz` are always there. */
  readonly routes: readonly Route[];
  /** Has to be the hub's. Default everybody may do everything. */
  readonly access?: AccessControl;
  /** Default none. */
  readonly logger?: Logger;
  /** Traces, metrics of HTTP. */
  readonly observers?: readonly RequestObserver[];
  readonly limits?: RequestLimits;
  /** Ends the requests that run when the server stops. */
  readonly stopped?: AbortSignal;
  /** What the listener knows of the other side: a client certificate. `bindings` is what it gave to `fetch` beside the request. */
  readonly peerOf?: (bindings: unknown) => Peer | undefined;
}

/**
 * The server's handlers as a `fetch` function: the same in Node, in a worker and in a test. Every endpoint is a {@link Route}; who asks,
 * whether they may, limits, request ids and the form of errors are settled here for all of them.
 *
 * @example
 * const app = createApp({ hub, routes: openInferenceRoutes });
 * const response = await app.request('/v2/models/digits');
 */
export function createApp(options: AppOptions): Hono {
  const { limits = {} } = options;
  const services: RouteServices = {
    hub: options.hub,
    access: options.access ?? openAccess(),
    logger: options.logger ?? silentLogger,
    observers: options.observers ?? [],
    budget: new BodyBudget({
      maxBodyBytes: limits.maxBodyBytes ?? 2 ** 26,
      maxBodyBytesInAll: limits.maxBodyBytesInAll ?? 2 ** 29,
    }),
    timeoutMilliseconds: limits.timeoutMilliseconds ?? 300_000,
    stopped: options.stopped ?? new AbortController().signal,
    peerOf: options.peerOf ?? (() => undefined),
  };
  const app = new Hono();
  mountRoutes(app, [...healthRoutes(options.hub), ...options.routes], services);
  return app;
}

/** Puts routes under an app; what is not among them is `404`, a wrong method `405`. */
export function mountRoutes(app: Hono, routes: readonly Route[], services: RouteServices): void {
  for (const route of routes) app.on(route.method.toUpperCase(), route.path, handlerOf(route, services));
  for (const [path, methods] of methodsByPath(routes)) {
    app.all(path, () => methodNotAllowed(methods));
  }
  app.notFound((context) => {
    const style = context.req.path.startsWith('/v1/') ? 'openai' : 'open-inference';
    return renderError(new ModelwrightError('model-not-found', 'there is nothing at this path'), style);
  });
  app.onError((error) => {
    services.logger.error({ err: error }, 'request failed outside of its handler');
    return renderError(error, 'open-inference');
  });
}

function methodsByPath(routes: readonly Route[]): ReadonlyMap<string, readonly string[]> {
  const methods = new Map<string, string[]>();
  for (const { path, method } of routes) methods.set(path, [...(methods.get(path) ?? []), method.toUpperCase()]);
  return methods;
}

function methodNotAllowed(methods: readonly string[]): Response {
  return new Response(JSON.stringify({ error: 'this path has no such method' }), {
    status: 405,
    headers: { 'content-type': 'application/json', allow: methods.join(', ') },
  });
}

import type { Context, Handler } from 'hono';
import type { Peer } from '../contract/access.js';
import type { RequestObservation, RequestObserver } from '../contract/request-observer.js';
import type { Route } from '../contract/route.js';
import { statusOf } from '../errors/status-of.js';
import type { BodyBudget } from './body-budget.js';
import { type OpenedScope, openScope, type ScopeServices } from './open-scope.js';
import { renderError } from './render-error.js';
import { deadlineOf, timeoutHeader } from './request-deadline.js';
import { requestIdOf } from './request-id.js';
import { requestSignal } from './request-signal.js';

/** What stands behind every route. */
export interface RouteServices extends ScopeServices {
  readonly observers: readonly RequestObserver[];
  readonly budget: BodyBudget;
  readonly timeoutMilliseconds: number;
  readonly stopped: AbortSignal;
  readonly peerOf: (bindings: unknown) => Peer | undefined;
}

/** A route as Hono calls it. */
export function handlerOf(route: Route, services: RouteServices): Handler {
  return async (context) => {
    const requestId = requestIdOf(context.req.header('x-request-id'));
    const observation = observe(route, context, { requestId, observers: services.observers });
    const { response, errorCode } = await observation.run(() => answer(route, context, { requestId, services }));
    observation.end({ status: response.status, ...(errorCode === undefined ? {} : { errorCode }) });
    return response;
  };
}

interface Answer {
  readonly response: Response;
  readonly errorCode?: string;
}

async function answer(
  route: Route,
  context: Context,
  { requestId, services }: { readonly requestId: string; readonly services: RouteServices },
): Promise<Answer> {
  const releases: (() => void)[] = [];
  let scope: OpenedScope | undefined;
  try {
    scope = await openRoute(route, context, { requestId, services, releases });
    const response = await route.handle(context, scope);
    return { response: withHeaders(response, requestId, scope) };
  } catch (error) {
    const { status, code } = statusOf(error);
    if (status.http === 500) services.logger.error({ err: error, requestId, route: route.path }, 'request failed');
    return { response: withHeaders(renderError(error, route.errors), requestId, scope), errorCode: code };
  } finally {
    for (const release of releases) release();
  }
}

/** Who asks, whether they may, how long and how much: before the handler sees anything. */
async function openRoute(
  route: Route,
  context: Context,
  opening: { readonly requestId: string; readonly services: RouteServices; readonly releases: (() => void)[] },
): Promise<OpenedScope> {
  const { requestId, services, releases } = opening;
  const { req } = context;
  const header = (name: string): string | undefined => req.header(name);
  const lifetime = requestSignal(req.raw, context.env, services.stopped);
  releases.push(lifetime.release);
  const scope = await openScope(services, {
    requestId,
    protocol: route.protocol ?? route.errors,
    header,
    peer: services.peerOf(context.env),
    get signal() {
      return lifetime.signal;
    },
    deadline: deadlineOf(header(timeoutHeader), services.timeoutMilliseconds),
    action: route.action,
    model: req.param('model'),
  });
  if (route.method === 'post') {
    const body = services.budget.admit(req.raw, header('content-length'));
    releases.push(body.release);
    req.raw = body.request;
  }
  return scope;
}

/** Answers are never kept by caches and never taken for another type than they say. */
function withHeaders(response: Response, requestId: string, scope: OpenedScope | undefined): Response {
  const { headers } = response;
  headers.set('x-request-id', requestId);
  headers.set('x-content-type-options', 'nosniff');
  if (!headers.has('cache-control')) headers.set('cache-control', 'no-store');
  if (scope !== undefined) for (const [name, value] of Object.entries(scope.hub.limitHeaders)) headers.set(name, value);
  return response;
}

function observe(
  route: Route,
  context: Context,
  { requestId, observers }: { readonly requestId: string; readonly observers: readonly RequestObserver[] },
): RequestObservation {
  const request = {
    requestId,
    protocol: 'http' as const,
    method: context.req.method,
    route: route.path,
    header: (name: string) => context.req.header(name),
  };
  const observations = observers.map((observer) => observer.begin(request));
  return {
    run: (handle) => observations.reduceRight((inner, each) => () => each.run(inner), handle)(),
    end: (outcome) => {
      for (const each of observations) each.end(outcome);
    },
  };
}

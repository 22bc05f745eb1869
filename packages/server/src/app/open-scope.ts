import { isModelwrightError } from '@modelwright/core';
import type { Logger } from 'pino';
import type { AccessControl, Action, Peer, Principal } from '../contract/access.js';
import type { CallerHub, Hub } from '../contract/hub.js';
import type { RequestScope } from '../contract/route.js';

/** What scopes of requests are made from. */
export interface ScopeServices {
  readonly hub: Hub;
  readonly access: AccessControl;
  readonly logger: Logger;
}

/** A request of any protocol, before it is known who asks. */
export interface ArrivedRequest {
  readonly requestId: string;
  /** `open-inference`, `openai`, `grpc`, …: stands in events. */
  readonly protocol: string;
  /** Reads a request header (or metadata) by its lower-case name. */
  readonly header: (name: string) => string | undefined;
  readonly peer?: Peer | undefined;
  readonly signal: AbortSignal;
  readonly deadline?: number;
  /** What it wants to do; `public` asks for no credential. */
  readonly action: Action | 'public';
  /** The model it is about, where that is known before its body is read. */
  readonly model?: string | undefined;
}

/** A scope whose hub also tells what the limits said. */
export interface OpenedScope extends RequestScope {
  readonly hub: CallerHub;
}

const nobody: Principal = { id: 'anonymous', kind: 'anonymous', roles: [] };

/**
 * Finds out who asks, whether they may, and whether they have any requests left: what every protocol does before anything else.
 *
 * @throws {@link ModelwrightError} `unauthenticated`, `permission-denied`, `model-not-found`, `rate-limited`.
 */
export async function openScope(services: ScopeServices, request: ArrivedRequest): Promise<OpenedScope> {
  const { action, model } = request;
  const scope = await identify(services, request);
  if (action === 'public') return scope;
  scope.hub.authorize(action, model);
  // A model that the body names is charged by the call that runs it.
  if (model !== undefined || action !== 'infer') await scope.hub.charge(model ?? '*');
  return scope;
}

/**
 * Finds out who asks, no more: for protocols that name the model in the body. Whatever they do has to go through the scope's hub.
 *
 * @throws {@link ModelwrightError} `unauthenticated`.
 */
export async function identify(services: ScopeServices, request: ArrivedRequest): Promise<OpenedScope> {
  const { hub, logger } = services;
  const { requestId, protocol, deadline, action } = request;
  const principal = action === 'public' ? nobody : await authenticate(services, request);
  return {
    requestId,
    principal,
    get signal() {
      return request.signal;
    },
    ...(deadline === undefined ? {} : { deadline }),
    hub: hub.viewOf({ principal, requestId, protocol }),
    logger: logger.child({ requestId, principal: principal.id }),
  };
}

async function authenticate({ access, hub }: ScopeServices, request: ArrivedRequest): Promise<Principal> {
  const { requestId, protocol, header, peer, model = '*' } = request;
  try {
    return await access.authenticate(header, peer);
  } catch (error) {
    const errorCode = isModelwrightError(error) ? error.code : 'internal';
    hub.events.emit({ kind: 'refused', requestId, protocol, action: 'authenticate', model, errorCode });
    throw error;
  }
}

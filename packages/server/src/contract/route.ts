import type { Context } from 'hono';
import type { Logger } from 'pino';
import type { Action, Principal } from './access.js';
import type { ModelHub } from './model-hub.js';

/** What a handler has of one request; its hub is the caller's view. */
export interface RequestScope {
  readonly requestId: string;
  readonly principal: Principal;
  /** Ends with the client's connection, or when the server stops. */
  readonly signal: AbortSignal;
  /** From `timeout` headers or the server's limit, on the clock of `performance.now()`. */
  readonly deadline?: number;
  readonly hub: ModelHub;
  readonly logger: Logger;
}

/**
 * An endpoint as data: one place mounts all, and checks before the handler runs who asks and whether they may. The model is the path
 * parameter `:model` where there is one; a handler that reads it from the body asks its hub, which checks again.
 */
export interface Route {
  readonly method: 'get' | 'post' | 'delete';
  /** As Hono writes it: `/v2/models/:model/infer`. */
  readonly path: string;
  /** `public`: no credential is asked for (probes). */
  readonly action: Action | 'public';
  /** One line for the OpenAPI document. */
  readonly summary: string;
  /** How its errors look: `{error: string}` or `{error: {message, type, code}}`. */
  readonly errors: 'open-inference' | 'openai';
  /** What events call its protocol; default the form of its errors. */
  readonly protocol?: string;
  /** Parts of the OpenAPI operation object: parameters, requestBody, responses. */
  readonly openapi?: Readonly<Record<string, unknown>>;
  readonly handle: (context: Context, scope: RequestScope) => Promise<Response> | Response;
}

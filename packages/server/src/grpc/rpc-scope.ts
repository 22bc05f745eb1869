import { type ContextKey, createContextKey, type HandlerContext } from '@connectrpc/connect';
import { ModelwrightError } from '@modelwright/core';
import type { Action } from '../contract/access.js';
import type { RequestScope } from '../contract/route.js';

/** What a call has of its caller. */
export interface RpcScope extends RequestScope {
  /** Checks a permission and counts the call, before anything is done. @throws `permission-denied`, `model-not-found`, `rate-limited`. */
  readonly admit: (action: Action, model?: string) => Promise<void>;
  /** A scope that counts anew: a stream takes one for each of its messages. */
  readonly forMessage: () => Pick<RpcScope, 'hub' | 'admit'>;
  /** Metadata to send with the answer: `x-ratelimit-…`. */
  readonly answerHeaders: () => Readonly<Record<string, string>>;
}

/** Where a call's scope stands among the values of its context. */
export const rpcScopeKey: ContextKey<RpcScope | undefined> = createContextKey<RpcScope | undefined>(undefined);

/** The scope of a call; there is always one, since nothing of its body is read before. */
export function rpcScopeOf(context: HandlerContext): RpcScope {
  const scope = context.values.get(rpcScopeKey);
  if (scope === undefined) throw new ModelwrightError('unauthenticated', 'the call has not been let in');
  return scope;
}

/** What each call asks permission for, of the model that it names or of the server as a whole. */
export const rpcActions: Readonly<Record<string, Action | 'public'>> = {
  ServerLive: 'public',
  ServerReady: 'public',
  ServerMetadata: 'read',
  ModelReady: 'read',
  ModelMetadata: 'read',
  ModelConfig: 'read',
  ModelInfer: 'infer',
  ModelStreamInfer: 'infer',
  ModelStatistics: 'observe',
  RepositoryIndex: 'read',
  RepositoryModelLoad: 'control',
  RepositoryModelUnload: 'control',
  /** Of `grpc.health.v1.Health`. */
  Check: 'public',
};

import { type ContextKey, createContextKey, createContextValues } from '@connectrpc/connect';
import { universalServerRequestFromFetch, universalServerResponseToFetch } from '@connectrpc/connect/protocol';
import { ModelwrightError } from '@modelwright/core';
import type { RequestScope, Route } from '../contract/route.js';
import { createGrpcHandlers } from './grpc-handlers.js';
import { defaultGrpcLimits, type GrpcLimits, MessageBudget } from './guarded-body.js';
import { type RpcScope, rpcActions } from './rpc-scope.js';

const routeScopeKey: ContextKey<RequestScope | undefined> = createContextKey<RequestScope | undefined>(undefined);

/**
 * The unary calls of the Open Inference Protocol as gRPC-Web, over the server's ordinary port: for browsers and workers, which cannot speak
 * gRPC. A call that controls or observes asks for that permission for all models.
 */
export function grpcWebRoutes(limits: GrpcLimits = defaultGrpcLimits): readonly Route[] {
  const handlers = createGrpcHandlers({
    framing: 'grpc-web',
    budget: new MessageBudget(limits),
    openScope: async ({ request }) => {
      const scope = request.contextValues?.get(routeScopeKey);
      if (scope === undefined) throw new ModelwrightError('unauthenticated', 'the call has not been let in');
      return rpcScopeOfRoute(scope);
    },
  });
  const unary = handlers.filter(({ method }) => method.methodKind === 'unary');
  return unary.map((handler): Route => {
    const { method, requestPath } = handler;
    return {
      method: 'post',
      path: requestPath,
      action: rpcActions[method.name] ?? 'control',
      summary: `${method.name} by gRPC-Web`,
      errors: 'open-inference',
      protocol: 'grpc-web',
      handle: async (context, scope) => {
        const request = universalServerRequestFromFetch(context.req.raw, {});
        const contextValues = createContextValues().set(routeScopeKey, scope);
        return universalServerResponseToFetch(await handler({ ...request, signal: scope.signal, contextValues }));
      },
    };
  });
}

/** Permission and limits of the server as a whole have been settled where the route is mounted; the hub settles those of models. */
function rpcScopeOfRoute(scope: RequestScope): RpcScope {
  const { hub } = scope;
  const admit = async (): Promise<void> => {};
  return { ...scope, admit, forMessage: () => ({ hub, admit }), answerHeaders: () => ({}) };
}

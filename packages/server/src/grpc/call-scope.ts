import { type ContextKey, createContextKey } from '@connectrpc/connect';
import { identify, type ScopeServices } from '../app/open-scope.js';
import { requestIdOf } from '../app/request-id.js';
import { requestSignal } from '../app/request-signal.js';
import type { Peer } from '../contract/access.js';
import type { CallerHub } from '../contract/hub.js';
import { grpcDeadline } from './grpc-deadline.js';
import type { ArrivedCall } from './grpc-handlers.js';
import { type RpcScope, rpcActions } from './rpc-scope.js';

/** What the connection itself says of the other side. */
export const peerKey: ContextKey<Peer | undefined> = createContextKey<Peer | undefined>(undefined);

export interface CallLimits {
  /** The longest that a call may take, whatever it says itself. */
  readonly timeoutMilliseconds: number;
  /** Ends the calls that run when the server stops. */
  readonly stopped: AbortSignal;
}

/** Finds out who makes a call, by its metadata and the connection's certificate; what they may is settled call by call. */
export function callScopes(services: ScopeServices, limits: CallLimits): (call: ArrivedCall) => Promise<RpcScope> {
  return async ({ name, request, onEnd }) => {
    const header = (key: string): string | undefined => request.header.get(key) ?? undefined;
    const { signal, release } = requestSignal(request, undefined, limits.stopped);
    onEnd(release);
    const scope = await identify(services, {
      requestId: requestIdOf(header('x-request-id')),
      protocol: 'grpc',
      header,
      peer: request.contextValues?.get(peerKey),
      signal,
      deadline: grpcDeadline(header('grpc-timeout'), limits.timeoutMilliseconds),
      action: rpcActions[name] ?? 'control',
    });
    const { principal, requestId, hub } = scope;
    return {
      ...scope,
      admit: admitTo(hub),
      forMessage() {
        const fresh = services.hub.viewOf({ principal, requestId, protocol: 'grpc' });
        return { hub: fresh, admit: admitTo(fresh) };
      },
      answerHeaders: () => hub.limitHeaders,
    };
  };
}

function admitTo(hub: CallerHub): RpcScope['admit'] {
  return async (action, model) => {
    hub.authorize(action, model);
    await hub.charge(model ?? '*');
  };
}

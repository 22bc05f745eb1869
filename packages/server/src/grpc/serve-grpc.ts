import type { Logger } from 'pino';
import { openAccess } from '../access/open-access.js';
import { silentLogger } from '../app/silent-logger.js';
import type { AccessControl } from '../contract/access.js';
import type { Hub } from '../contract/hub.js';
import type { RequestObserver } from '../contract/request-observer.js';
import { combinedObserver } from '../observability/combined-observer.js';
import type { Certificates } from '../serve/certificates.js';
import { requireSafeAddress } from '../serve/loopback.js';
import { callScopes } from './call-scope.js';
import { createGrpcHandlers } from './grpc-handlers.js';
import { grpcListener } from './grpc-listener.js';
import { defaultGrpcLimits, type GrpcLimits, MessageBudget } from './guarded-body.js';
import { type GrpcConnectionLimits, openHttp2Listener } from './http2-server.js';

export interface GrpcServerOptions {
  readonly hub: Hub;
  /** Has to be the hub's. Default everybody may do everything, which only a server on the loopback address is allowed. */
  readonly access?: AccessControl;
  /** Let a server without authentication listen publicly all the same. Default false. */
  readonly allowsEverybody?: boolean;
  /** Default none. */
  readonly logger?: Logger;
  /** Traces, metrics. */
  readonly observers?: readonly RequestObserver[];
  /** Default `127.0.0.1`. */
  readonly host?: string;
  /** Default 8001; 0 takes any that is free. */
  readonly port?: number;
  /** Without, HTTP/2 in the clear. */
  readonly certificates?: Certificates | undefined;
  readonly limits?: Partial<GrpcLimits> & {
    /** The longest that a call may take, whatever it says itself. Default 300,000. */
    readonly timeoutMilliseconds?: number;
  };
  readonly connections?: GrpcConnectionLimits;
  /** Ends the calls that run when the server stops. */
  readonly stopped?: AbortSignal;
}

/** A gRPC server that listens. */
export interface GrpcServer {
  /** `127.0.0.1:8001` */
  readonly address: string;
  readonly port: number;
  /** Takes no more calls, and lets those that run end, for at most so long. Default 30,000. Idempotent. */
  close(drainMilliseconds?: number): Promise<void>;
}

/**
 * Serves a hub by the Open Inference Protocol over gRPC, on a port of its own.
 *
 * @throws {@link ModelwrightError} `invalid-configuration` for an address that cannot be listened on, or that strangers could reach
 *   without authentication.
 * @example
 * const server = await serveGrpc({ hub, port: 8001 });
 */
export async function serveGrpc(options: GrpcServerOptions): Promise<GrpcServer> {
  const { access = openAccess(), logger = silentLogger, host = '127.0.0.1', limits = {}, connections = {} } = options;
  requireSafeAddress(host, access, options.allowsEverybody ?? false);
  const openScope = callScopes(
    { hub: options.hub, access, logger },
    {
      timeoutMilliseconds: limits.timeoutMilliseconds ?? 300_000,
      stopped: options.stopped ?? new AbortController().signal,
    },
  );
  const budget = new MessageBudget({ ...defaultGrpcLimits, ...limits });
  const listener = await openHttp2Listener({
    host,
    port: options.port ?? 8001,
    certificates: options.certificates,
    limits: connections,
    listener: grpcListener({
      handlers: createGrpcHandlers({ framing: 'grpc', budget, openScope }),
      logger,
      observer: combinedObserver(options.observers ?? []),
      bodyIdleMilliseconds: connections.bodyIdleMilliseconds ?? 30_000,
    }),
  });
  let closing: Promise<void> | undefined;
  return {
    address: `${host.includes(':') ? `[${host}]` : host}:${listener.port}`,
    port: listener.port,
    close(drainMilliseconds = 30_000) {
      closing ??= listener.close(drainMilliseconds);
      return closing;
    },
  };
}

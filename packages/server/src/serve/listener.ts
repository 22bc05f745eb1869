import { createServer, type Server } from 'node:http';
import { createServer as createSecureServer, type Server as SecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import { ModelwrightError } from '@modelwright/core';
import type { Certificates } from './certificates.js';

/** Bounds on connections: what a client may take before, between and after its requests. */
export interface ConnectionLimits {
  /** From the first byte of a connection or request to the end of its head. Default 10,000. */
  readonly headMilliseconds?: number;
  /** From the first byte of a request to the last of its body. Default 60,000. */
  readonly bodyMilliseconds?: number;
  /** Between two requests of one connection. Default 75,000: longer than balancers keep theirs, so that they never use one that just closed. */
  readonly idleMilliseconds?: number;
  /** Nothing sent or read in the middle of an answer. Default 330,000. */
  readonly stalledMilliseconds?: number;
  /** Default 20,000; more are turned away at once. */
  readonly maxConnections?: number;
}

export interface ListenerOptions {
  readonly fetch: (request: Request, bindings: unknown) => Response | Promise<Response>;
  readonly host: string;
  readonly port: number;
  readonly certificates?: Certificates | undefined;
  readonly limits?: ConnectionLimits | undefined;
  /** Whether the global `Request` and `Response` may be replaced by lighter ones. Default false. */
  readonly ownsProcess?: boolean | undefined;
}

/** A listening socket with its connections. */
export interface Listener {
  readonly port: number;
  /** Takes no more connections and requests, and lets those that run end; after `drainMilliseconds` they are cut off. */
  close(drainMilliseconds: number): Promise<void>;
}

/**
 * Opens a socket and answers HTTP/1.1 on it, in the clear or over TLS.
 *
 * @throws {@link ModelwrightError} `invalid-configuration` if the address cannot be listened on.
 */
export async function openListener(options: ListenerOptions): Promise<Listener> {
  const { limits = {}, certificates, host, port } = options;
  let isClosing = false;
  const answer = getRequestListener(options.fetch, { overrideGlobalObjects: options.ownsProcess ?? false });
  const server = createHttpServer(certificates, limits);
  server.on('request', (incoming, outgoing) => {
    // Who keeps a connection open learns that it is over.
    if (isClosing) outgoing.setHeader('connection', 'close');
    void answer(incoming, outgoing);
  });
  server.timeout = limits.stalledMilliseconds ?? 330_000;
  server.keepAliveTimeout = limits.idleMilliseconds ?? 75_000;
  server.maxConnections = limits.maxConnections ?? 20_000;
  await listen(server, host, port);
  return {
    port: (server.address() as AddressInfo).port,
    async close(drainMilliseconds) {
      isClosing = true;
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeIdleConnections();
      // Connections become idle one by one as their last requests end.
      const sweep = setInterval(() => server.closeIdleConnections(), 50);
      const timer = setTimeout(() => server.closeAllConnections(), drainMilliseconds);
      await closed;
      clearInterval(sweep);
      clearTimeout(timer);
    },
  };
}

function createHttpServer(certificates: Certificates | undefined, limits: ConnectionLimits): Server | SecureServer {
  const timing = {
    headersTimeout: limits.headMilliseconds ?? 10_000,
    requestTimeout: limits.bodyMilliseconds ?? 60_000,
    // How often the two above are looked at.
    connectionsCheckingInterval: Math.min(5000, Math.max(50, (limits.headMilliseconds ?? 10_000) / 4)),
    maxHeaderSize: 16_384,
  };
  if (certificates === undefined) return createServer(timing);
  const server = createSecureServer({ ...timing, ...certificates.options });
  certificates.onChange((context) => server.setSecureContext(context));
  return server;
}

function listen(server: Server | SecureServer, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const why = cause.code === 'EADDRINUSE' ? 'the port is taken' : cause.message;
      const message = `cannot listen on ${host}:${port}: ${why}`;
      reject(new ModelwrightError('invalid-configuration', message, { given: `${host}:${port}`, cause }));
    });
    server.listen({ host, port, backlog: 2048 }, () => resolve());
  });
}

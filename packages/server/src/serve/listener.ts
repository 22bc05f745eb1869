import { createServer, type Server, type ServerResponse } from 'node:http';
import { createServer as createSecureServer, type Server as SecureServer } from 'node:https';
import { type AddressInfo, Server as TcpServer } from 'node:net';
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

const graceMilliseconds = 500;

/**
 * Opens a socket and answers HTTP/1.1 on it, in the clear or over TLS.
 *
 * @throws {@link ModelwrightError} `invalid-configuration` if the address cannot be listened on.
 */
export async function openListener(options: ListenerOptions): Promise<Listener> {
  const { limits = {}, certificates, host, port } = options;
  let isClosing = false;
  const running = new Set<ServerResponse>();
  const answer = getRequestListener(options.fetch, { overrideGlobalObjects: options.ownsProcess ?? false });
  const server = createHttpServer(certificates, limits);
  server.on('request', (incoming, outgoing) => {
    running.add(outgoing);
    outgoing.once('close', () => running.delete(outgoing));
    if (isClosing) announceEnd(outgoing);
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
      for (const outgoing of running) announceEnd(outgoing);
      await closeGently(server, drainMilliseconds);
    },
  };
}

/** Who keeps a connection open learns with an answer that it is the last one. */
function announceEnd(outgoing: ServerResponse): void {
  if (!outgoing.headersSent) outgoing.setHeader('connection', 'close');
}

/**
 * Listens no more; connections get a moment to send a request that is on its way and to learn from its answer that it was the last.
 * `close` of Node's HTTP server would cut idle ones at once, also those on which a request is just coming in.
 */
async function closeGently(server: Server | SecureServer, drainMilliseconds: number): Promise<void> {
  const closed = new Promise<void>((resolve) => {
    TcpServer.prototype.close.call(server, () => resolve());
  });
  const timer = setTimeout(() => server.closeAllConnections(), drainMilliseconds);
  let sweep: NodeJS.Timeout | undefined;
  const grace = setTimeout(
    () => {
      server.closeIdleConnections();
      // Others become idle one by one as their last requests end.
      sweep = setInterval(() => server.closeIdleConnections(), 50);
    },
    Math.min(graceMilliseconds, drainMilliseconds / 2),
  );
  await closed;
  for (const each of [timer, grace]) clearTimeout(each);
  clearInterval(sweep);
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

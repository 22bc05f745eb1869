import {
  createSecureServer,
  createServer,
  type Http2SecureServer,
  type Http2Server,
  type ServerHttp2Session,
} from 'node:http2';
import type { AddressInfo } from 'node:net';
import { ModelwrightError } from '@modelwright/core';
import type { Certificates } from '../serve/certificates.js';

/** Bounds on connections. */
export interface GrpcConnectionLimits {
  /** How long a connection may be silent. Default 600,000. */
  readonly idleMilliseconds?: number;
  /** How long the body of a call may pause. Default 30,000. */
  readonly bodyIdleMilliseconds?: number;
  /** Default 10,000; more are turned away at once. */
  readonly maxConnections?: number;
  /** Calls of one connection at once. Default 256. */
  readonly maxConcurrentCalls?: number;
}

export interface Http2ListenerOptions {
  readonly host: string;
  readonly port: number;
  readonly certificates?: Certificates | undefined;
  readonly limits: GrpcConnectionLimits;
  readonly listener: Parameters<typeof createServer>[1];
}

/** A listening socket with its connections. */
export interface Http2Listener {
  readonly port: number;
  /** Takes no more calls, and lets those that run end; after `drainMilliseconds` they are cut off. */
  close(drainMilliseconds: number): Promise<void>;
}

/**
 * Opens a socket for HTTP/2, in the clear or over TLS.
 *
 * @throws {@link ModelwrightError} `invalid-configuration` if the address cannot be listened on.
 */
export async function openHttp2Listener(options: Http2ListenerOptions): Promise<Http2Listener> {
  const { host, port, limits } = options;
  const server = createHttp2Server(options);
  const sessions = trackSessions(server, limits.idleMilliseconds ?? 600_000);
  server.maxConnections = limits.maxConnections ?? 10_000;
  await listen(server, host, port);
  return {
    port: (server.address() as AddressInfo).port,
    async close(drainMilliseconds) {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const session of sessions) session.close();
      const timer = setTimeout(() => {
        for (const session of sessions) session.destroy();
      }, drainMilliseconds);
      await closed;
      clearTimeout(timer);
    },
  };
}

function createHttp2Server({ certificates, limits, listener }: Http2ListenerOptions): Http2Server | Http2SecureServer {
  const http2 = {
    // Rooms for tensors: with the protocol's small default windows, each takes many round trips.
    settings: {
      initialWindowSize: 2 ** 20,
      maxConcurrentStreams: limits.maxConcurrentCalls ?? 256,
      maxHeaderListSize: 2 ** 14,
    },
    maxSessionMemory: 64,
  };
  if (certificates === undefined) return createServer(http2, listener);
  const server = createSecureServer({ ...http2, ...certificates.options, ALPNProtocols: ['h2'] }, listener);
  certificates.onChange((context) => server.setSecureContext(context));
  return server;
}

function trackSessions(
  server: Http2Server | Http2SecureServer,
  idleMilliseconds: number,
): ReadonlySet<ServerHttp2Session> {
  const sessions = new Set<ServerHttp2Session>();
  server.on('session', (session: ServerHttp2Session) => {
    sessions.add(session);
    session.setLocalWindowSize(2 ** 24);
    session.setTimeout(idleMilliseconds, () => session.close());
    session.on('error', () => session.destroy());
    session.once('close', () => sessions.delete(session));
  });
  // What is wrong with a connection is its client's trouble.
  server.on('sessionError', () => {});
  server.on('tlsClientError', () => {});
  return sessions;
}

function listen(server: Http2Server | Http2SecureServer, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const why = cause.code === 'EADDRINUSE' ? 'the port is taken' : cause.message;
      const message = `cannot listen on ${host}:${port}: ${why}`;
      reject(new ModelwrightError('invalid-configuration', message, { given: `${host}:${port}`, cause }));
    });
    server.listen({ host, port, backlog: 2048 }, () => resolve());
  });
}

import type { Backend } from '@modelwright/core';
import type { Logger } from 'pino';
import { openAccess } from '../access/open-access.js';
import { createApp, type RequestLimits } from '../app/create-app.js';
import { silentLogger } from '../app/silent-logger.js';
import type { AccessControl } from '../contract/access.js';
import type { Hub } from '../contract/hub.js';
import type { ModelRepository } from '../contract/model-repository.js';
import type { RequestObserver } from '../contract/request-observer.js';
import type { Route } from '../contract/route.js';
import { type HubOptions, prepareHub } from '../hub/create-hub.js';
import { createEventStream } from '../hub/event-stream.js';
import { openInferenceRoutes } from '../open-inference/routes.js';
import { folderRepository } from '../repository/folder-repository.js';
import { createServedModel } from '../serving/create-served-model.js';
import { openCertificates, type TlsFiles } from './certificates.js';
import { type ConnectionLimits, openListener } from './listener.js';
import { requireSafeAddress } from './loopback.js';
import { peerOf } from './peer.js';

export interface ServeOptions extends Partial<Omit<HubOptions, 'backend'>> {
  readonly backend: Backend;
  /** A folder of models, or any other repository. */
  readonly models: string | ModelRepository;
  /** Default `127.0.0.1`: this machine only. */
  readonly host?: string;
  /** Default 8000; 0 takes any that is free. */
  readonly port?: number;
  readonly tls?: TlsFiles;
  /** Default everybody may do everything, which only a server on the loopback address is allowed. */
  readonly access?: AccessControl;
  /** Let a server without authentication listen publicly all the same. Default false. */
  readonly allowsEverybody?: boolean;
  /** Protocols beside those that are always there. */
  readonly routes?: readonly Route[];
  readonly observers?: readonly RequestObserver[];
  /** Default none. */
  readonly logger?: Logger;
  readonly limits?: RequestLimits;
  readonly connections?: ConnectionLimits;
}

/** A server that listens. */
export interface RunningServer {
  /** `http://127.0.0.1:8000` */
  readonly url: string;
  readonly port: number;
  readonly hub: Hub;
  /** Takes no more requests, lets those that run end, frees the models. Idempotent. */
  close(drainMilliseconds?: number): Promise<void>;
}

/**
 * Serves a folder of models over HTTP. The probes answer at once; it resolves when the models are loaded, or refused.
 *
 * @throws {@link ModelwrightError} `invalid-configuration` for an address that cannot be listened on, or that strangers could reach
 *   without authentication; `file-unreadable`.
 * @example
 * const server = await serve({ models: 'models', backend, port: 8000 });
 */
export async function serve(options: ServeOptions): Promise<RunningServer> {
  const { host = '127.0.0.1', port = 8000, logger = silentLogger, access = openAccess() } = options;
  requireSafeAddress(host, access, options.allowsEverybody ?? false);
  const repository = typeof options.models === 'string' ? folderRepository(options.models) : options.models;
  const events = options.events ?? createEventStream((error) => logger.error({ err: error }, 'a listener failed'));
  const hub = prepareHub(repository, { createServedModel, ...options, access, events });
  const stopping = new AbortController();
  const app = createApp({
    hub,
    access,
    logger,
    routes: [...openInferenceRoutes, ...(options.routes ?? [])],
    observers: options.observers ?? [],
    limits: options.limits ?? {},
    stopped: stopping.signal,
    peerOf,
  });
  const certificates =
    options.tls &&
    openCertificates(options.tls, (error) => logger.error({ err: error }, 'certificates stay as they were'));
  const fetch = (request: Request, bindings: unknown): Response | Promise<Response> =>
    app.fetch(request, bindings as object);
  const listener = await openListener({ fetch, host, port, certificates, limits: options.connections });
  let closing: Promise<void> | undefined;
  const close = async (drainMilliseconds: number): Promise<void> => {
    const timer = setTimeout(() => stopping.abort(), drainMilliseconds);
    await listener.close(drainMilliseconds + 1000);
    clearTimeout(timer);
    await hub.dispose(drainMilliseconds);
  };
  const server: RunningServer = {
    url: `${certificates === undefined ? 'http' : 'https'}://${host.includes(':') ? `[${host}]` : host}:${listener.port}`,
    port: listener.port,
    hub,
    close(drainMilliseconds = 30_000) {
      closing ??= close(drainMilliseconds);
      return closing;
    },
  };
  try {
    await hub.start();
    return server;
  } catch (error) {
    await server.close(0);
    throw error;
  }
}

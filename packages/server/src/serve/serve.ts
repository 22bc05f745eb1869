import type { Logger } from 'pino';
import { openAccess } from '../access/open-access.js';
import { openAccessControl } from '../access/open-access-control.js';
import { createApp } from '../app/create-app.js';
import { silentLogger } from '../app/silent-logger.js';
import { type AuditLog, openAuditLog } from '../audit/audit-log.js';
import { auditedAccess } from '../audit/audited-access.js';
import type { AccessControl } from '../contract/access.js';
import type { EventStream } from '../contract/events.js';
import type { Hub } from '../contract/hub.js';
import type { ModelRepository } from '../contract/model-repository.js';
import type { RequestObserver } from '../contract/request-observer.js';
import type { Route } from '../contract/route.js';
import { serveGrpc } from '../grpc/serve-grpc.js';
import { prepareHub } from '../hub/create-hub.js';
import { createEventStream } from '../hub/event-stream.js';
import { logEvents } from '../observability/log-events.js';
import { createObservability } from '../observability/observability.js';
import { folderRepository } from '../repository/folder-repository.js';
import { nodeServing } from '../workers/node-serving.js';
import { type Certificates, openCertificates } from './certificates.js';
import { Closer } from './closer.js';
import { guardOrigin } from './guard-origin.js';
import { openListener } from './listener.js';
import { requireSafeAddress } from './loopback.js';
import { peerOf } from './peer.js';
import { protocolRoutes } from './protocol-routes.js';
import type { ServeOptions } from './serve-options.js';

/** A server that listens. */
export interface RunningServer {
  /** `http://127.0.0.1:8000` */
  readonly url: string;
  readonly port: number;
  /** `127.0.0.1:8001`, if it speaks gRPC. */
  readonly grpcAddress?: string;
  readonly hub: Hub;
  /** Takes no more requests, lets those that run end (default for 30,000 at most), frees the models. Idempotent. */
  close(drainMilliseconds?: number): Promise<void>;
}

/**
 * Serves a folder of models over HTTP and gRPC. The probes answer at once; it resolves when the models are loaded, or refused.
 *
 * @throws {@link ModelwrightError} `invalid-configuration` for an address that cannot be listened on, or that strangers could reach
 *   without authentication; `file-unreadable`, and what the files of keys, policies, certificates and the audit log throw.
 * @example
 * const server = await serve({ models: 'models', backend, port: 8000 });
 */
export async function serve(options: ServeOptions): Promise<RunningServer> {
  const closer = new Closer();
  try {
    return await open(options, closer);
  } catch (error) {
    await closer.close(0);
    throw error;
  }
}

async function open(options: ServeOptions, closer: Closer): Promise<RunningServer> {
  const { host = '127.0.0.1', logger = silentLogger, limits = {}, allowsEverybody = false } = options;
  const control = await openAccessOf(options, logger, closer);
  requireSafeAddress(host, control, allowsEverybody);
  const events = options.events ?? createEventStream((error) => logger.error({ err: error }, 'a listener failed'));
  const log = await openAudit(options, { events, logger, closer });
  const access = log === undefined || options.audit?.isOptional ? control : auditedAccess(control, log);
  const watch = observe(options, events, logger);
  const certificates = openTls(options, logger, closer);
  const createServedModel = nodeServing(options);
  const onProblem = (error: unknown): void => logger.error({ err: error }, 'models stay as they were');
  const hub = prepareHub(repositoryOf(options), { onProblem, ...options, access, events, createServedModel });
  closer.add((drainMilliseconds) => hub.dispose(drainMilliseconds));
  const stopping = new AbortController();
  closer.add(async () => stopping.abort());
  const common = { hub, access, logger, observers: watch.observers, stopped: stopping.signal };
  const app = createApp({ ...common, routes: protocolRoutes(watch.routes), limits, peerOf });
  const fetch = guardOrigin((request, bindings) => app.fetch(request, bindings as object), {
    allowedOrigins: options.allowedOrigins ?? [],
    requiresLocalName: !access.isAuthenticating && !allowsEverybody,
  });
  const address = { host, certificates };
  const { port = 8000, grpcPort, connections, ownsProcess } = options;
  const listener = await openListener({ ...address, fetch, port, limits: connections, ownsProcess });
  closer.addTogether((drainMilliseconds) => listener.close(drainMilliseconds));
  const grpc =
    grpcPort === undefined ? undefined : await serveGrpc({ ...common, ...address, port: grpcPort, allowsEverybody });
  if (grpc !== undefined) closer.addTogether((drainMilliseconds) => grpc.close(drainMilliseconds));
  closer.add(async (drainMilliseconds) => {
    hub.retire();
    if (hub.isStarted) await pause(options.retireMilliseconds ?? 0);
    // Requests that are still there when time is over are told so, a moment before connections are cut.
    setTimeout(() => stopping.abort(), drainMilliseconds * 0.95).unref();
  });
  await hub.start();
  return {
    url: `${certificates === undefined ? 'http' : 'https'}://${host.includes(':') ? `[${host}]` : host}:${listener.port}`,
    port: listener.port,
    ...(grpc === undefined ? {} : { grpcAddress: grpc.address }),
    hub,
    close: (drainMilliseconds = 30_000) => closer.close(drainMilliseconds),
  };
}

/** Metrics, traces, drift and the log listen; what they have to tell gets its routes. */
function observe(
  options: ServeOptions,
  events: EventStream,
  logger: Logger,
): { readonly observers: readonly RequestObserver[]; readonly routes: readonly Route[] } {
  const { observability = {}, observers = [], routes = [] } = options;
  events.subscribe(logEvents(logger));
  if (observability === false) return { observers, routes };
  const own = createObservability(observability);
  events.subscribe(own.listener);
  return { observers: [...own.observers, ...observers], routes: [...own.routes, ...routes] };
}

async function openAccessOf({ access }: ServeOptions, logger: Logger, closer: Closer): Promise<AccessControl> {
  if (access === undefined) return openAccess();
  if ('isAllowed' in access) return access;
  const onProblem = (error: unknown): void => logger.error({ err: error }, 'keys and policies stay as they were');
  const control = await openAccessControl(access, { onProblem });
  closer.add(() => control.close());
  return control;
}

async function openAudit(
  { audit }: ServeOptions,
  { events, logger, closer }: { readonly events: EventStream; readonly logger: Logger; readonly closer: Closer },
): Promise<AuditLog | undefined> {
  if (audit === undefined) return undefined;
  const { folder, isOptional: _, ...rest } = audit;
  const onProblem = (error: unknown): void => logger.error({ err: error }, 'the audit log cannot be written');
  const log = await openAuditLog(folder, { onProblem, ...rest });
  events.subscribe(log.listener);
  closer.add(() => log.close());
  return log;
}

function openTls({ tls }: ServeOptions, logger: Logger, closer: Closer): Certificates | undefined {
  if (tls === undefined) return undefined;
  const certificates = openCertificates(tls, (error) => logger.error({ err: error }, 'certificates stay as they were'));
  closer.add(async () => certificates.close());
  return certificates;
}

function repositoryOf({ models, defaults, modelKeys, trustedSigners }: ServeOptions): ModelRepository {
  if (typeof models !== 'string') return models;
  return folderRepository(models, {
    ...(defaults === undefined ? {} : { defaults }),
    ...(modelKeys === undefined ? {} : { modelKeys }),
    ...(trustedSigners === undefined ? {} : { trustedSigners }),
  });
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

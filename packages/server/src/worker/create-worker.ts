import { type Backend, isModelwrightError, ModelwrightError } from '@modelwright/core';
import { type BundleSource, loadBundle } from '@modelwright/deployment';
import { createAccessControl } from '../access/access-control.js';
import { readKeys } from '../access/api-key.js';
import { createApp, type RequestLimits } from '../app/create-app.js';
import { renderError } from '../app/render-error.js';
import type { AccessControl } from '../contract/access.js';
import type { ServedModelFactory } from '../contract/hub.js';
import { createHub } from '../hub/create-hub.js';
import { openInferenceRoutes } from '../open-inference/routes.js';
import { openAiRoutes } from '../openai/routes.js';
import { openApiRoutes } from '../openapi/routes.js';
import { pageRoutes } from '../page/routes.js';
import { createServedModel } from '../serving/create-served-model.js';
import { tensorFlowServingRoutes } from '../tensorflow-serving/routes.js';
import { bundleRepository } from './bundle-repository.js';
import { consoleLogger } from './console-logger.js';
import { SharedStart, Turns } from './shared-start.js';

/** Variables and secrets of a worker, as its platform hands them over. */
export type WorkerEnvironment = Readonly<Record<string, unknown>>;

/** What a platform gives beside: work that may outlast its request. */
export interface WorkerContext {
  waitUntil?(work: Promise<unknown>): void;
}

export interface WorkerOptions {
  readonly createBackend: () => Promise<Backend>;
  /** The bundle it serves. */
  readonly source: (environment: WorkerEnvironment) => BundleSource;
  /**
   * Whether everybody may ask. Otherwise the secret `MODELWRIGHT_KEYS` has to hold a keys file, as `modelwright keys create` writes it,
   * and without it nobody is let in.
   */
  readonly isPublic?: boolean;
  /** Default bodies of 8 MiB, 32 MiB in all, 30 seconds. */
  readonly limits?: RequestLimits;
}

/** What edge platforms call. */
export interface Worker {
  fetch(request: Request, environment?: WorkerEnvironment, context?: WorkerContext): Promise<Response>;
}

type Handler = (request: Request) => Promise<Response>;

/** Small, as the memory of an edge worker is. */
const defaultLimits: RequestLimits = {
  maxBodyBytes: 2 ** 23,
  maxBodyBytesInAll: 2 ** 25,
  timeoutMilliseconds: 30_000,
};

const protocols = [...openInferenceRoutes, ...openAiRoutes, ...tensorFlowServingRoutes];
const routes = [...protocols, ...openApiRoutes(protocols), ...pageRoutes];

/** Nothing stops a worker. A real signal would belong to the request in which it was made, and no other request may touch it. */
const neverStopped = { aborted: false, addEventListener: () => {} } as unknown as AbortSignal;

/**
 * Serves one bundle where there is `fetch` and no server: at the edge. Nothing is loaded before the first request, since platforms allow
 * no work before it; then the bundle's files are compared with its manifest and its golden answers are asked for, and only a bundle that
 * gives them is served.
 *
 * Protocols are those of the server but gRPC; models of language answer with tensors, not token by token.
 *
 * @example
 * export default createWorker({ createBackend: () => createBackend({ wasmModule }), source: () => memorySource(files) });
 */
export function createWorker(options: WorkerOptions): Worker {
  const started = new SharedStart<Handler>();
  return {
    fetch: (request, environment = {}, context = {}) => {
      const answering = answer(request, () => started.get(() => open(options, environment)));
      // What is begun is ended even if the client goes away: others wait for their turn.
      context.waitUntil?.(answering.then(() => undefined));
      return answering;
    },
  };
}

async function answer(request: Request, start: () => Promise<Handler>): Promise<Response> {
  const { pathname } = new URL(request.url);
  if (pathname === '/livez' || pathname === '/v2/health/live') return Response.json({ live: true });
  try {
    const handle = await start();
    return await handle(request);
  } catch (error) {
    return renderError(refusal(error), 'open-inference');
  }
}

async function open(options: WorkerOptions, environment: WorkerEnvironment): Promise<Handler> {
  const access = accessOf(options, environment);
  const backend = await options.createBackend();
  const bundle = await loadBundle(options.source(environment), { backend });
  await bundle.predictor.dispose();
  const hub = await createHub(bundleRepository(bundle, configuration), {
    ...{ backend, access },
    createServedModel: inTurns(createServedModel),
  });
  const { limits = defaultLimits } = options;
  const app = createApp({ hub, access, routes, limits, logger: consoleLogger, stopped: neverStopped });
  return async (request) => app.fetch(request);
}

/**
 * Timers and promises end with the request in which they were made, so that none may wait for what another does: every request runs by
 * itself, in its turn.
 */
const configuration = { dynamicBatching: { maxQueueDelayMicroseconds: 0 }, concurrency: 1 };

function inTurns(create: ServedModelFactory): ServedModelFactory {
  return async (artifact, options) => {
    const served = await create(artifact, options);
    const turns = new Turns();
    return {
      info: served.info,
      memoryBytes: served.memoryBytes,
      infer: (inputs, inferenceOptions) => turns.take(() => served.infer(inputs, inferenceOptions)),
      statistics: () => served.statistics(),
      dispose: (drainMilliseconds) => served.dispose(drainMilliseconds),
    };
  };
}

function accessOf({ isPublic = false }: WorkerOptions, environment: WorkerEnvironment): AccessControl {
  const keys = environment['MODELWRIGHT_KEYS'];
  if (typeof keys === 'string') return createAccessControl({ keys: readKeys(keys, 'MODELWRIGHT_KEYS') });
  if (isPublic) return createAccessControl({ policy: { anonymous: ['user'] } });
  throw new ModelwrightError('model-unavailable', 'this worker has no keys, so that nobody may ask it', {
    hint: 'set the secret MODELWRIGHT_KEYS, or deploy with --set public',
  });
}

/** What could not be loaded is not there: the reason is told, the code is that of a model that cannot answer. */
function refusal(error: unknown): unknown {
  if (!isModelwrightError(error)) return error;
  const message = `the model is not served: ${error.message}`;
  return new ModelwrightError('model-unavailable', message, { cause: error, retryAfterSeconds: 5 });
}

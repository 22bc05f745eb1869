import { type Backend, isModelwrightError, ModelwrightError } from '@modelwright/core';
import { type BundleSource, loadBundle } from '@modelwright/deployment';
import { createAccessControl } from '../access/access-control.js';
import { readKeys } from '../access/api-key.js';
import { createApp, type RequestLimits } from '../app/create-app.js';
import { renderError } from '../app/render-error.js';
import type { AccessControl } from '../contract/access.js';
import { createHub } from '../hub/create-hub.js';
import { openInferenceRoutes } from '../open-inference/routes.js';
import { createServedModel } from '../serving/create-served-model.js';
import { tensorFlowServingRoutes } from '../tensorflow-serving/routes.js';
import { bundleRepository } from './bundle-repository.js';

/** Variables and secrets of a worker, as its platform hands them over. */
export type WorkerEnvironment = Readonly<Record<string, unknown>>;

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
  fetch(request: Request, environment?: WorkerEnvironment): Promise<Response>;
}

/** Small, as the memory of an edge worker is. */
const defaultLimits: RequestLimits = {
  maxBodyBytes: 2 ** 23,
  maxBodyBytesInAll: 2 ** 25,
  timeoutMilliseconds: 30_000,
};

/** How long a bundle that could not be loaded is not tried again. */
const pauseMilliseconds = 5000;

/** Requests run as they come: timers of one request end with it on some platforms, so that none may wait for another's. */
const configuration = { dynamicBatching: { maxQueueDelayMicroseconds: 0 }, concurrency: 1 };

/**
 * Serves one bundle where there is `fetch` and no server: at the edge. Nothing is loaded before the first request, since platforms allow
 * no work before it; then the bundle's files are compared with its manifest and its golden answers are asked for, and only a bundle that
 * gives them is served.
 *
 * @example
 * export default createWorker({ createBackend: () => createBackend({ wasmModule }), source: () => memorySource(files) });
 */
export function createWorker(options: WorkerOptions): Worker {
  let started: Promise<Worker['fetch']> | undefined;
  let failedAt: number | undefined;
  const start = (environment: WorkerEnvironment): Promise<Worker['fetch']> => {
    if (failedAt !== undefined && Date.now() - failedAt > pauseMilliseconds) [started, failedAt] = [undefined, undefined];
    started ??= open(options, environment).catch((error: unknown) => {
      failedAt = Date.now();
      throw error;
    });
    return started;
  };
  return {
    fetch: async (request, environment = {}) => {
      const { pathname } = new URL(request.url);
      if (pathname === '/livez' || pathname === '/v2/health/live') return Response.json({ live: true });
      try {
        return await (await start(environment))(request);
      } catch (error) {
        return renderError(refusal(error), 'open-inference');
      }
    },
  };
}

async function open(options: WorkerOptions, environment: WorkerEnvironment): Promise<Worker['fetch']> {
  const access = accessOf(options, environment);
  const backend = await options.createBackend();
  const bundle = await loadBundle(options.source(environment), { backend });
  await bundle.predictor.dispose();
  const repository = bundleRepository(bundle, configuration);
  const hub = await createHub(repository, { backend, createServedModel, access });
  const app = createApp({ hub, access, routes: [...openInferenceRoutes, ...tensorFlowServingRoutes], limits: options.limits ?? defaultLimits });
  return async (request) => app.fetch(request);
}

function accessOf({ isPublic = false }: WorkerOptions, environment: WorkerEnvironment): AccessControl {
  const keys = environment['MODELWRIGHT_KEYS'];
  if (typeof keys === 'string') return createAccessControl({ keys: readKeys(keys, 'MODELWRIGHT_KEYS') });
  if (isPublic) return createAccessControl({ policy: { anonymous: ['user'] } });
  throw new ModelwrightError('model-unavailable', 'this worker has no keys, so that nobody may ask it', {
    hint: 'set the secret MODELWRIGHT_KEYS, or deploy with --public',
  });
}

/** What could not be loaded is not there: the reason is told, the code is that of a model that cannot answer. */
function refusal(error: unknown): unknown {
  if (!isModelwrightError(error)) return error;
  const message = `the model is not served: ${error.message}`;
  return new ModelwrightError('model-unavailable', message, { cause: error, retryAfterSeconds: 5 });
}

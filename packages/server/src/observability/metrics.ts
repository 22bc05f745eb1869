import { collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import type { ServerEvent } from '../contract/events.js';
import type { RequestObserver } from '../contract/request-observer.js';
import type { Route } from '../contract/route.js';
import { serverMetadata } from '../open-inference/server-metadata.js';
import type { DriftMonitor } from './drift-monitor.js';
import { httpMetrics } from './http-metrics.js';
import { InferenceMetrics } from './inference-metrics.js';
import { ServerGauges } from './server-gauges.js';

export interface MetricsOptions {
  /** Default one of its own; metrics of one's own can be added to it. */
  readonly registry?: Registry;
  /** Memory, event loop, garbage collection of the process. Default true. */
  readonly collectsProcess?: boolean;
  /** Its scores become gauges. */
  readonly drift?: DriftMonitor;
}

/** Metrics of a server in Prometheus' text format. */
export interface Metrics {
  readonly registry: Registry;
  /** To be subscribed to a server's events. */
  readonly listener: (event: ServerEvent) => void;
  readonly observer: RequestObserver;
  /** `GET /metrics`, for those who may observe all models. */
  readonly routes: readonly Route[];
}

/**
 * Counts what happens in a server: `nv_inference_*` as Triton's dashboards expect them, `modelwright_*` in seconds and bytes, and those of
 * the process.
 *
 * @example
 * const metrics = createMetrics();
 * hub.events.subscribe(metrics.listener);
 * const app = createApp({ hub, routes: metrics.routes, observers: [metrics.observer] });
 */
export function createMetrics(options: MetricsOptions = {}): Metrics {
  const { registry = new Registry(), drift } = options;
  if (options.collectsProcess ?? true) collectDefaultMetrics({ register: registry });
  const inference = new InferenceMetrics(registry);
  const gauges = new ServerGauges(registry);
  const driftScore = new Gauge({
    name: 'modelwright_input_drift_score',
    help: 'Population stability index of an input’s most changed feature; above 0.25 the inputs have changed',
    labelNames: ['model', 'version', 'input'],
    registers: [registry],
  });
  new Gauge({ name: 'modelwright_info', help: 'Version', labelNames: ['version'], registers: [registry] }).set(
    { version: serverMetadata.version },
    1,
  );
  const route: Route = {
    method: 'get',
    path: '/metrics',
    action: 'observe',
    summary: 'Metrics in Prometheus’ text format',
    errors: 'open-inference',
    openapi: {
      responses: { '200': { description: 'Metrics', content: { 'text/plain': { schema: { type: 'string' } } } } },
    },
    handle: async (_, { hub }) => {
      gauges.update(hub.index(), hub.statistics());
      driftScore.reset();
      for (const { score, ...labels } of drift?.scores() ?? []) driftScore.set(labels, score);
      return new Response(await registry.metrics(), { headers: { 'content-type': registry.contentType } });
    },
  };
  return { registry, listener: inference.listener, observer: httpMetrics(registry), routes: [route] };
}

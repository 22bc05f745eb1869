import type { ServerEvent } from '../contract/events.js';
import type { RequestObserver } from '../contract/request-observer.js';
import type { Route } from '../contract/route.js';
import { createDriftMonitor, type DriftMonitor, type DriftOptions } from './drift-monitor.js';
import { driftRoutes } from './drift-routes.js';
import { createMetrics, type Metrics, type MetricsOptions } from './metrics.js';
import { createTracing, type TracingOptions } from './tracing.js';

export interface ObservabilityOptions {
  readonly metrics?: Omit<MetricsOptions, 'drift'>;
  readonly tracing?: TracingOptions;
  /** `false` looks at no inputs. */
  readonly drift?: DriftOptions | false;
}

/** All that watches a server. */
export interface Observability {
  readonly metrics: Metrics;
  readonly drift?: DriftMonitor;
  /** To be subscribed to the server's events. */
  readonly listener: (event: ServerEvent) => void;
  readonly observers: readonly RequestObserver[];
  /** `/metrics` and `/v2/models/:model/drift`. */
  readonly routes: readonly Route[];
}

/**
 * Metrics, traces and drift of inputs for one server.
 *
 * @example
 * const observability = createObservability();
 * hub.events.subscribe(observability.listener);
 */
export function createObservability(options: ObservabilityOptions = {}): Observability {
  const drift = options.drift === false ? undefined : createDriftMonitor(options.drift);
  const metrics = createMetrics({ ...options.metrics, ...(drift === undefined ? {} : { drift }) });
  const tracing = createTracing(options.tracing);
  const listeners = [metrics.listener, tracing.listener, ...(drift === undefined ? [] : [drift.listener])];
  return {
    metrics,
    ...(drift === undefined ? {} : { drift }),
    listener(event) {
      for (const listener of listeners) listener(event);
    },
    observers: [tracing.observer, metrics.observer],
    routes: [...metrics.routes, ...(drift === undefined ? [] : driftRoutes(drift))],
  };
}

import { Counter, Histogram, type Registry } from 'prom-client';
import type { RequestObserver } from '../contract/request-observer.js';
import { secondsBuckets } from './inference-metrics.js';

/** Requests by route, whatever they are about. Routes are patterns, so there are as many series as endpoints. */
export function httpMetrics(registry: Registry): RequestObserver {
  const labels = ['protocol', 'method', 'route'] as const;
  const requests = new Counter({
    name: 'modelwright_server_requests_total',
    help: 'Requests by route and status (of HTTP, or of gRPC)',
    labelNames: [...labels, 'status'],
    registers: [registry],
  });
  const seconds = new Histogram({
    name: 'modelwright_server_request_duration_seconds',
    help: 'Time to answer, by route',
    labelNames: [...labels],
    buckets: [...secondsBuckets],
    registers: [registry],
  });
  return {
    begin({ protocol, method, route }) {
      const started = performance.now();
      return {
        run: (handle) => handle(),
        end({ status }) {
          requests.inc({ protocol, method, route, status });
          seconds.observe({ protocol, method, route }, (performance.now() - started) / 1e3);
        },
      };
    },
  };
}

import { SpanKind, SpanStatusCode } from '@opentelemetry/api';
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base';
import type { Hono } from 'hono';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createApp } from '../app/create-app.js';
import type { Hub } from '../contract/hub.js';
import { openInferenceRoutes } from '../open-inference/routes.js';
import { startService } from '../open-inference/service.cases.js';
import { createObservability, type Observability } from './observability.js';

const exporter = new InMemorySpanExporter();
const tracerProvider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
let app: Hono;
let hub: Hub;
let observability: Observability;

beforeAll(async () => {
  observability = createObservability({ metrics: { collectsProcess: false }, tracing: { tracerProvider } });
  ({ hub } = await startService([]));
  hub.events.subscribe(observability.listener);
  const { observers, routes } = observability;
  app = createApp({ hub, routes: [...openInferenceRoutes, ...routes], observers });
});

beforeEach(() => exporter.reset());
afterAll(() => hub.dispose());

const body = JSON.stringify({ inputs: [{ name: 'x', shape: [2, 2], datatype: 'FP32', data: [1, 0, 0, 1] }] });
const infer = async (headers: Record<string, string> = {}, text = body): Promise<number> =>
  (await app.request('/v2/models/linear/infer', { method: 'POST', headers, body: text })).status;

/** Samples of the text format by their name and labels. */
async function scrape(): Promise<ReadonlyMap<string, number>> {
  const text = await (await app.request('/metrics')).text();
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]),
  );
}

describe('metrics', () => {
  it('count as Triton does', async () => {
    await infer();
    const before = await scrape();
    for (let index = 0; index < 3; index++) await infer();
    const after = await scrape();
    const grown = (name: string): number => (after.get(name) ?? Number.NaN) - (before.get(name) ?? Number.NaN);
    const labels = '{model="linear",version="1"}';
    expect(grown(`nv_inference_request_success${labels}`)).toBe(3);
    expect(grown(`nv_inference_count${labels}`)).toBe(6);
    expect(grown(`nv_inference_exec_count${labels}`)).toBe(3);
    const parts = ['queue', 'compute_input', 'compute_infer', 'compute_output'];
    const durations = parts.map((part) => grown(`nv_inference_${part}_duration_us${labels}`));
    for (const duration of durations) expect(duration).toBeGreaterThanOrEqual(0);
    const sum = durations.reduce((all, duration) => all + duration, 0);
    expect(grown(`nv_inference_request_duration_us${labels}`)).toBeGreaterThanOrEqual(sum * 0.99);
    expect(after.get(`nv_inference_pending_request_count${labels}`)).toBe(0);
  });

  it('count our own way: protocol, outcome, batch sizes, routes', async () => {
    const before = await scrape();
    await infer();
    await infer({ 'x-request-timeout-ms': '0.000001' });
    const after = await scrape();
    const grown = (name: string): number => (after.get(name) ?? 0) - (before.get(name) ?? 0);
    const labels = 'model="linear",version="1",protocol="open-inference"';
    expect(grown(`modelwright_requests_total{${labels},outcome="success",code=""}`)).toBe(1);
    expect(grown(`modelwright_requests_total{${labels},outcome="failure",code="deadline-exceeded"}`)).toBe(1);
    expect(grown(`nv_inference_request_failure{model="linear",version="1",reason="REJECTED"}`)).toBe(1);
    expect(grown(`modelwright_batch_size_bucket{le="2",model="linear",version="1"}`)).toBeGreaterThanOrEqual(1);
    const route = 'protocol="http",method="POST",route="/v2/models/:model/infer"';
    expect(grown(`modelwright_server_requests_total{${route},status="200"}`)).toBe(1);
    expect(grown(`modelwright_server_requests_total{${route},status="504"}`)).toBe(1);
    expect(after.get(`modelwright_model_ready{model="linear",version="1"}`)).toBe(1);
  });

  it('do not grow with names that clients make up', async () => {
    await infer();
    await scrape();
    const before = (await scrape()).size;
    for (let index = 0; index < 20; index++) {
      await app.request(`/v2/models/made-up-${index}/infer`, { method: 'POST', body });
      await app.request(`/made-up/${index}`);
    }
    expect((await scrape()).size).toBeLessThan(before + 20);
    expect([...(await scrape()).keys()].filter((name) => name.includes('made-up'))).toEqual([]);
  });
});

describe('traces', () => {
  const traceId = '0af7651916cd43dd8448eb211c80319c';
  const traceparent = `00-${traceId}-b7ad6b7169203331-01`;
  const spans = () => Object.fromEntries(exporter.getFinishedSpans().map((span) => [span.name, span]));

  it('go on where the caller’s is: request, inference, queue, batch, execution', async () => {
    await infer({ traceparent, tracestate: 'vendor=1' });
    const { 'POST /v2/models/:model/infer': request, 'infer linear': inference, queue, batch, execute } = spans();
    expect(request).toMatchObject({
      kind: SpanKind.SERVER,
      parentSpanContext: { traceId, spanId: 'b7ad6b7169203331', isRemote: true },
      attributes: { 'http.route': '/v2/models/:model/infer', 'http.response.status_code': 200 },
    });
    expect(request?.spanContext().traceState?.get('vendor')).toBe('1');
    const parents = [
      [inference, request],
      [queue, inference],
      [batch, inference],
      [execute, batch],
    ] as const;
    for (const [child, parent] of parents) {
      expect(child?.spanContext().traceId).toBe(traceId);
      expect(child?.parentSpanContext?.spanId).toBe(parent?.spanContext().spanId);
    }
    const millis = ([seconds, nanos]: readonly [number, number] = [0, 0]): number => seconds * 1e3 + nanos / 1e6;
    for (const span of [inference, queue, batch, execute]) {
      expect(Math.abs(millis(span?.endTime) - Date.now())).toBeLessThan(5000);
      expect(millis(span?.startTime)).toBeLessThanOrEqual(millis(span?.endTime));
    }
    expect(millis(queue?.endTime)).toBeCloseTo(millis(batch?.startTime), 2);
  });

  it('say what failed, and whose fault it was', async () => {
    await infer({}, '{');
    expect(spans()['POST /v2/models/:model/infer']).toMatchObject({
      attributes: { 'error.type': 'invalid-argument', 'http.response.status_code': 400 },
      status: { code: SpanStatusCode.UNSET },
    });
    exporter.reset();
    await infer({ 'x-request-timeout-ms': '0.000001' });
    expect(spans()['infer linear']?.status.code).toBe(SpanStatusCode.ERROR);
    expect(spans()['POST /v2/models/:model/infer']?.status.code).toBe(SpanStatusCode.ERROR);
  });

  it.each([
    ['a version that is none', `ff-${traceId}-b7ad6b7169203331-01`],
    ['a trace of zeros', `00-${'0'.repeat(32)}-b7ad6b7169203331-01`],
    ['capital letters', traceparent.toUpperCase()],
    ['one field more', `${traceparent}-00`],
    ['something else', 'x'.repeat(10_000)],
  ])('begin anew after %s', async (_, header) => {
    await infer({ traceparent: header });
    const request = spans()['POST /v2/models/:model/infer'];
    expect(request?.parentSpanContext).toBeUndefined();
    expect(request?.spanContext().traceId).not.toBe(traceId);
  });
});

describe('drift', () => {
  it('is told of models that are there, and begun anew', async () => {
    await infer();
    const response = await app.request('/v2/models/linear/drift');
    expect(await response.json()).toMatchObject({ models: [{ model: 'linear', version: '1', status: 'collecting' }] });
    expect((await app.request('/v2/models/linear/versions/1/drift', { method: 'DELETE' })).status).toBe(200);
    expect(await (await app.request('/v2/models/linear/drift')).json()).toEqual({ models: [] });
    expect((await app.request('/v2/models/none/drift')).status).toBe(404);
    expect((await app.request('/v2/models/linear/versions/7/drift')).status).toBe(404);
  });
});

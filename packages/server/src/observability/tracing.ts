import {
  type Attributes,
  type Context,
  context,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  type TracerProvider,
  trace,
} from '@opentelemetry/api';
import type { ServerEvent } from '../contract/events.js';
import type { ObservedRequest, RequestObserver } from '../contract/request-observer.js';
import { serverMetadata } from '../open-inference/server-metadata.js';
import { remoteContext } from './trace-parent.js';

type InferenceEvent = Extract<ServerEvent, { readonly kind: 'inference' }>;

export interface TracingOptions {
  /** Default the one that is registered globally; without any, spans cost next to nothing and go nowhere. */
  readonly tracerProvider?: TracerProvider;
}

/** Spans of a server's requests. */
export interface Tracing {
  /** To be subscribed to a server's events. */
  readonly listener: (event: ServerEvent) => void;
  readonly observer: RequestObserver;
}

/**
 * Traces by OpenTelemetry: a span for every request, the child of the caller's by W3C's `traceparent`; under it one for the inference, with
 * its time in the queue, in its batch and in the model.
 *
 * @example
 * const tracing = createTracing(); // With an OpenTelemetry SDK registered.
 * hub.events.subscribe(tracing.listener);
 */
export function createTracing({ tracerProvider }: TracingOptions = {}): Tracing {
  const provider = tracerProvider ?? trace.getTracerProvider();
  const tracer = provider.getTracer('@modelwright/server', serverMetadata.version);
  const requests = new RecentContexts();
  return {
    observer: {
      begin(request) {
        const parent = remoteContext(request.header);
        const span = tracer.startSpan(
          nameOf(request),
          { kind: SpanKind.SERVER, attributes: attributesOf(request) },
          parent,
        );
        const own = trace.setSpan(parent, span);
        if (span.isRecording()) requests.add(request.requestId, own);
        return {
          run: (handle) => context.with(own, handle),
          end: ({ status, errorCode }) => endRequest(span, request, { status, errorCode }),
        };
      },
    },
    listener(event) {
      if (event.kind !== 'inference') return;
      traceInference(tracer, requests.get(event.requestId) ?? ROOT_CONTEXT, event);
    },
  };
}

function nameOf({ protocol, method, route }: ObservedRequest): string {
  return protocol === 'grpc' ? route.slice(1) : `${method} ${route}`;
}

function attributesOf({ protocol, method, route, requestId }: ObservedRequest): Attributes {
  const common = { 'modelwright.request_id': requestId };
  if (protocol === 'http') return { ...common, 'http.request.method': method, 'http.route': route };
  const [, service = '', name = ''] = route.split('/');
  return { ...common, 'rpc.system': 'grpc', 'rpc.service': service, 'rpc.method': name };
}

function endRequest(
  span: Span,
  { protocol }: ObservedRequest,
  { status, errorCode }: { readonly status: number; readonly errorCode: string | undefined },
): void {
  const isServersFault = protocol === 'http' ? status >= 500 : [2, 4, 12, 13, 14, 15].includes(status);
  span.setAttribute(protocol === 'http' ? 'http.response.status_code' : 'rpc.grpc.status_code', status);
  if (errorCode !== undefined) span.setAttribute('error.type', errorCode);
  if (isServersFault) span.setStatus({ code: SpanStatusCode.ERROR });
  span.end();
}

/** Spans of what is over already, put back to when it was. */
function traceInference(tracer: Tracer, parent: Context, event: InferenceEvent): void {
  const end = performance.timeOrigin + performance.now();
  const start = end - event.totalNanoseconds / 1e6;
  const span = tracer.startSpan(
    `infer ${event.model}`,
    { startTime: start, attributes: inferenceAttributes(event) },
    parent,
  );
  if (!span.isRecording()) return;
  const own = trace.setSpan(parent, span);
  if (event.timing !== undefined) {
    const { queue, computeInput, computeInfer, computeOutput } = event.timing;
    const batchStart = end - (computeInput + computeInfer + computeOutput) / 1e6;
    const executeStart = batchStart + computeInput / 1e6;
    const child = (name: string, from: number, to: number, context: Context): Context => {
      const part = tracer.startSpan(name, { startTime: from }, context);
      part.end(to);
      return trace.setSpan(context, part);
    };
    child('queue', Math.max(start, batchStart - queue / 1e6), batchStart, own);
    const batch = child('batch', batchStart, end, own);
    child('execute', executeStart, executeStart + computeInfer / 1e6, batch);
  }
  if (event.outcome === 'failure') {
    span.setAttribute('error.type', event.errorCode ?? 'internal');
    span.setStatus({ code: SpanStatusCode.ERROR });
  }
  span.end(end);
}

function inferenceAttributes(event: InferenceEvent): Attributes {
  const { model, version, sha256, protocol, count, promptTokens, completionTokens } = event;
  return {
    'modelwright.model': model,
    'modelwright.version': version,
    'modelwright.sha256': sha256,
    'modelwright.protocol': protocol,
    'modelwright.examples': count,
    ...(promptTokens === undefined ? {} : { 'gen_ai.request.model': model, 'gen_ai.usage.input_tokens': promptTokens }),
    ...(completionTokens === undefined ? {} : { 'gen_ai.usage.output_tokens': completionTokens }),
  };
}

/** The spans of the latest requests; an answer that streams is told of after its request has ended. */
class RecentContexts {
  readonly #contexts = new Map<string, Context>();

  add(requestId: string, own: Context): void {
    this.#contexts.set(requestId, own);
    const [oldest] = this.#contexts.keys();
    if (this.#contexts.size > 4096 && oldest !== undefined) this.#contexts.delete(oldest);
  }

  get(requestId: string): Context | undefined {
    return this.#contexts.get(requestId);
  }
}

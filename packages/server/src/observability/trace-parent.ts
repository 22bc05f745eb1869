import { type Context, createTraceState, isSpanContextValid, ROOT_CONTEXT, trace } from '@opentelemetry/api';

/**
 * The caller's span by the headers of a request; none if they are missing or malformed.
 *
 * @see W3C Trace Context, §3.2.
 */
export function remoteContext(header: (name: string) => string | undefined): Context {
  const parts = /^([\da-f]{2})-([\da-f]{32})-([\da-f]{16})-([\da-f]{2})(-.*)?$/.exec(
    header('traceparent')?.trim() ?? '',
  );
  if (parts === null) return ROOT_CONTEXT;
  const [, version, traceId, spanId, flags, more] = parts as unknown as [
    string,
    string,
    string,
    string,
    string,
    string?,
  ];
  // Version ff is invalid; version 00 has four fields exactly, later ones may have more.
  if (version === 'ff' || (version === '00' && more !== undefined)) return ROOT_CONTEXT;
  const state = header('tracestate');
  const spanContext = {
    traceId,
    spanId,
    traceFlags: Number.parseInt(flags, 16) & 1,
    isRemote: true,
    ...(state === undefined || state.length > 512 ? {} : { traceState: createTraceState(state) }),
  };
  return isSpanContextValid(spanContext) ? trace.setSpanContext(ROOT_CONTEXT, spanContext) : ROOT_CONTEXT;
}

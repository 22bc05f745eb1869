import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import { createContextValues } from '@connectrpc/connect';
import type { UniversalHandler, UniversalServerRequest, UniversalServerResponse } from '@connectrpc/connect/protocol';
import { universalRequestFromNodeRequest, universalResponseToNodeResponse } from '@connectrpc/connect-node';
import type { Logger } from 'pino';
import { requestIdOf } from '../app/request-id.js';
import type { RequestObservation, RequestObserver } from '../contract/request-observer.js';
import { peerOf } from '../serve/peer.js';
import { peerKey } from './call-scope.js';
import { errorCodeTrailer } from './grpc-error.js';

export interface GrpcListenerOptions {
  readonly handlers: readonly UniversalHandler[];
  readonly logger: Logger;
  readonly observer: RequestObserver;
  /** How long a unary call's body may pause. */
  readonly bodyIdleMilliseconds: number;
}

type Listener = (request: Http2ServerRequest, response: Http2ServerResponse) => void;

/** Hands Node's HTTP/2 requests to their calls. Whatever is wrong with one ends that one alone. */
export function grpcListener({ handlers, logger, observer, bodyIdleMilliseconds }: GrpcListenerOptions): Listener {
  const byPath = new Map(handlers.map((handler) => [handler.requestPath, handler]));
  return (request, response) => {
    // Without a listener, an error of the connection would end the process.
    request.on('error', () => {});
    response.on('error', () => {});
    const handler = byPath.get(request.url.split('?', 1)[0] as string);
    if (handler === undefined) return refuse(response, unknownCall(request));
    if (handler.method.methodKind === 'unary') limitPauses(request, bodyIdleMilliseconds);
    answer(observed(handler, observer), request, response).catch((error: unknown) => {
      logger.debug({ err: error, call: handler.method.name }, 'call ended early');
      if (!response.headersSent) refuse(response, { status: 400 });
      else response.stream?.close();
    });
  };
}

type Handle = (request: UniversalServerRequest) => Promise<UniversalServerResponse>;

async function answer(handle: Handle, request: Http2ServerRequest, response: Http2ServerResponse): Promise<void> {
  const peer = peerOf({ incoming: { socket: request.stream.session?.socket } });
  const contextValues = createContextValues().set(peerKey, peer);
  const answered = await handle(universalRequestFromNodeRequest(request, response, undefined, contextValues));
  await universalResponseToNodeResponse(answered, response);
}

/** The call with an id of its own, told of from its beginning to the last byte of its answer. */
function observed(handler: UniversalHandler, observer: RequestObserver): Handle {
  return async (request) => {
    const requestId = requestIdOf(request.header.get('x-request-id') ?? undefined);
    request.header.set('x-request-id', requestId);
    const observation = observer.begin({
      requestId,
      protocol: 'grpc',
      method: request.method,
      route: handler.requestPath,
      header: (name) => request.header.get(name) ?? undefined,
    });
    const response = await observation.run(() => handler(request));
    response.header?.set('x-request-id', requestId);
    if (response.body !== undefined) return { ...response, body: thenEnd(response.body, response, observation) };
    observation.end(outcomeOf(response));
    return response;
  };
}

async function* thenEnd(
  body: AsyncIterable<Uint8Array>,
  response: UniversalServerResponse,
  observation: RequestObservation,
): AsyncGenerator<Uint8Array> {
  try {
    yield* body;
    readable(response.trailer);
  } finally {
    observation.end(outcomeOf(response));
  }
}

function outcomeOf({ status, trailer }: UniversalServerResponse): {
  readonly status: number;
  readonly errorCode?: string;
} {
  const grpcStatus = trailer?.get('grpc-status');
  const errorCode = trailer?.get(errorCodeTrailer);
  // What is no gRPC at all has no status of its own; 2 is `unknown`.
  const given = grpcStatus === null || grpcStatus === undefined ? (status === 200 ? 0 : 2) : Number(grpcStatus);
  return { status: given, ...(errorCode === null || errorCode === undefined ? {} : { errorCode }) };
}

/** Messages arrive here with every comma escaped; clients only undo what the protocol says is escaped: what is not printable, and `%`. */
function readable(trailer: Headers | undefined): void {
  const message = trailer?.get('grpc-message');
  if (message === null || message === undefined) return;
  const escaped = decodeURIComponent(message).replaceAll(/[^ -$&-~]+/gu, encodeURIComponent);
  trailer?.set('grpc-message', escaped);
}

interface Refusal {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
}

/** gRPC clients understand `unimplemented` in the headers alone; others get a plain 404. */
function unknownCall(request: Http2ServerRequest): Refusal {
  const isGrpc = String(request.headers['content-type'] ?? '').startsWith('application/grpc');
  if (!isGrpc) return { status: 404 };
  const headers = { 'content-type': 'application/grpc', 'grpc-status': '12', 'grpc-message': 'there is no such call' };
  return { status: 200, headers };
}

/** All in the headers, which end the answer: what clients of gRPC call trailers only. */
function refuse({ stream }: Http2ServerResponse, { status, headers = {} }: Refusal): void {
  if (!stream.destroyed) stream.respond({ ':status': status, ...headers }, { endStream: true });
}

/** A body that stops arriving holds memory and a place for nothing. */
function limitPauses({ stream }: Http2ServerRequest, milliseconds: number): void {
  const cancel = 8;
  stream.setTimeout(milliseconds, () => stream.close(cancel));
  stream.once('end', () => stream.setTimeout(0));
}

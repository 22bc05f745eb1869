import { Code, createConnectRouter, createContextValues, type Interceptor } from '@connectrpc/connect';
import type { UniversalHandler, UniversalServerRequest, UniversalServerResponse } from '@connectrpc/connect/protocol';
import { Health, HealthCheckResponse_ServingStatus } from '../generated/health.generated.js';
import { GRPCInferenceService } from '../generated/open-inference.generated.js';
import { toGrpcError } from './grpc-error.js';
import { guardedBody, type MessageBudget } from './guarded-body.js';
import { inferenceService } from './inference-service.js';
import { type RpcScope, rpcScopeKey, rpcScopeOf } from './rpc-scope.js';

/** Calls that carry no tensors are small. */
const smallMessageBytes = 2 ** 16;

/** A call as it arrived. */
export interface ArrivedCall {
  /** `ModelInfer` */
  readonly name: string;
  readonly request: UniversalServerRequest;
  /** Does something when the call has ended. */
  readonly onEnd: (action: () => void) => void;
}

export interface GrpcHandlerOptions {
  /** How calls are framed: over HTTP/2 with trailers, or as browsers can. */
  readonly framing: 'grpc' | 'grpc-web';
  readonly budget: MessageBudget;
  /** Lets a caller in, before any of the body is read. What it throws is the answer. */
  readonly openScope: (call: ArrivedCall) => Promise<RpcScope>;
}

/**
 * The calls of the inference and health services. Nothing of a body is read before its sender is known. Packed messages are refused: they
 * could hold any amount.
 */
export function createGrpcHandlers(options: GrpcHandlerOptions): readonly UniversalHandler[] {
  const router = createConnectRouter({
    grpc: options.framing === 'grpc',
    grpcWeb: options.framing === 'grpc-web',
    connect: false,
    readMaxBytes: options.budget.limits.maxMessageBytes,
    acceptCompression: [],
    binaryOptions: { readUnknownFields: false },
    interceptors: [tellingErrors],
  });
  router.service(GRPCInferenceService, inferenceService);
  router.service(Health, {
    check: ({ service }, context) => ({ status: servingStatus(service, rpcScopeOf(context).hub.isReady()) }),
  });
  return router.handlers.map((handler) => guarded(handler, options));
}

function servingStatus(service: string, isReady: boolean): HealthCheckResponse_ServingStatus {
  const { SERVICE_UNKNOWN, SERVING, NOT_SERVING } = HealthCheckResponse_ServingStatus;
  if (service !== '' && service !== GRPCInferenceService.typeName) return SERVICE_UNKNOWN;
  return isReady ? SERVING : NOT_SERVING;
}

const tellingErrors: Interceptor = (next) => async (request) => {
  try {
    return await next(request);
  } catch (error) {
    const told = toGrpcError(error);
    if (told.code === Code.Internal) {
      request.contextValues
        .get(rpcScopeKey)
        ?.logger.error({ err: error, route: request.method.name }, 'request failed');
    }
    throw told;
  }
};

function guarded(handler: UniversalHandler, { budget, openScope }: GrpcHandlerOptions): UniversalHandler {
  const { method } = handler;
  const carriesTensors = method.input === GRPCInferenceService.method.modelInfer.input;
  const maxMessageBytes = carriesTensors ? budget.limits.maxMessageBytes : smallMessageBytes;
  const handle = async (request: UniversalServerRequest): Promise<UniversalServerResponse> => {
    // A text form of messages would be decoded without being looked at.
    if (/\+json\b/.test(request.header.get('content-type') ?? '')) return { status: 415 };
    const account = budget.open();
    const end = new CallEnd(request.signal);
    end.add(() => account.release());
    const contextValues = request.contextValues ?? createContextValues();
    async function* body(): AsyncGenerator<Uint8Array> {
      try {
        contextValues.set(
          rpcScopeKey,
          await openScope({ name: method.name, request, onEnd: (action) => end.add(action) }),
        );
        yield* guardedBody(request.body as AsyncIterable<Uint8Array>, {
          schema: method.input,
          maxMessageBytes,
          account,
        });
      } catch (error) {
        throw toGrpcError(error);
      }
    }
    try {
      const response = await handler({ ...request, body: body(), contextValues });
      if (response.body !== undefined) return { ...response, body: end.after(response.body) };
      end.reached();
      return response;
    } catch (error) {
      end.reached();
      throw error;
    }
  };
  return Object.assign(handle, handler);
}

/** The end of a call, whichever way it comes: what has to be done then is done once. */
class CallEnd {
  readonly #actions: (() => void)[] = [];
  #isReached = false;

  constructor(signal: AbortSignal) {
    signal.addEventListener('abort', () => this.reached(), { once: true });
  }

  add(action: () => void): void {
    if (this.#isReached) action();
    else this.#actions.push(action);
  }

  reached(): void {
    this.#isReached = true;
    for (const action of this.#actions.splice(0)) action();
  }

  async *after(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    try {
      yield* body;
    } finally {
      this.reached();
    }
  }
}

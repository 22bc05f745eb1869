import { type ErrorCode, isModelwrightError } from '@modelwright/core';

/** Codes of gRPC as its specification numbers them. */
export type GrpcStatus = 1 | 2 | 3 | 4 | 5 | 7 | 8 | 9 | 11 | 12 | 13 | 14 | 15 | 16;

/** How a protocol names an error. */
export interface ProtocolStatus {
  readonly http: 400 | 401 | 403 | 404 | 413 | 422 | 429 | 499 | 500 | 503 | 504;
  /** A number of `google.rpc.Code`. */
  readonly grpc: GrpcStatus;
  /** `type` of an error in OpenAI's form. */
  readonly openai: string;
}

const invalid: ProtocolStatus = { http: 400, grpc: 3, openai: 'invalid_request_error' };
const internal: ProtocolStatus = { http: 500, grpc: 13, openai: 'server_error' };
const unavailable: ProtocolStatus = { http: 503, grpc: 14, openai: 'server_error' };

/**
 * Every error code and what the protocols call it; the 5xx of this table are all that a server may answer. As Triton has it: not found
 * 404, unavailable 503, internal 500, what the caller did wrong 400, which is also what a model cannot do: clients need not retry it.
 */
export const statusTable: { readonly [Code in ErrorCode]: ProtocolStatus } = {
  'shape-mismatch': invalid,
  'dtype-mismatch': invalid,
  'invalid-argument': invalid,
  'invalid-attribute': invalid,
  'invalid-graph': invalid,
  'invalid-model': invalid,
  'invalid-data': invalid,
  'value-out-of-range': { ...invalid, grpc: 11 },
  'not-finite': invalid,
  'unsupported-op': { ...invalid, grpc: 12 },
  'unsupported-dtype': invalid,
  'unsupported-shape': invalid,
  'unsupported-version': invalid,
  'not-differentiable': invalid,
  unauthenticated: { http: 401, grpc: 16, openai: 'authentication_error' },
  'permission-denied': { http: 403, grpc: 7, openai: 'permission_error' },
  'model-not-found': { http: 404, grpc: 5, openai: 'not_found_error' },
  'limit-exceeded': { http: 413, grpc: 8, openai: 'invalid_request_error' },
  'rate-limited': { http: 429, grpc: 8, openai: 'rate_limit_error' },
  aborted: { http: 499, grpc: 1, openai: 'invalid_request_error' },
  'queue-full': { ...unavailable, grpc: 8 },
  'model-unavailable': unavailable,
  'backend-unavailable': unavailable,
  'resource-disposed': unavailable,
  'integrity-violation': { http: 422, grpc: 9, openai: 'invalid_request_error' },
  'deadline-exceeded': { http: 504, grpc: 4, openai: 'server_error' },
  'backend-failure': internal,
  'invalid-configuration': internal,
  'file-unreadable': internal,
  'file-unwritable': internal,
  'checkpoint-mismatch': internal,
};

/** Said instead of the text of an error that may name files and internals: what broke stands in the server's log. */
const hiddenMessages: { readonly [Code in ErrorCode]?: string } = {
  'backend-failure': 'The model failed to run on these inputs; the log of the server says why.',
};
const hiddenMessage = 'The server failed to answer; its log says why.';

/** An error as it may be told to a client. */
export interface PublicError {
  readonly status: ProtocolStatus;
  /** Code of ours, or `internal` for anything unexpected. */
  readonly code: ErrorCode | 'internal';
  readonly message: string;
  /** What of the request it is about: an input, a parameter. */
  readonly input?: string;
  /** For the header `retry-after`; whole seconds from 1. */
  readonly retryAfterSeconds?: number;
}

/** What may be worth another try even where nobody said when. */
const retriesAfter: { readonly [Code in ErrorCode]?: number } = {
  'queue-full': 1,
  'rate-limited': 1,
  'model-unavailable': 1,
};

/**
 * What to tell a client of anything that was thrown. Texts of unexpected errors and of failures inside the server are not told.
 *
 * @param error - Anything caught.
 */
export function statusOf(error: unknown): PublicError {
  if (!isModelwrightError(error)) {
    const isAbort = error instanceof Error && error.name === 'AbortError';
    if (isAbort) return { status: statusTable.aborted, code: 'aborted', message: 'The request was cancelled.' };
    return { status: internal, code: 'internal', message: hiddenMessage };
  }
  const { code, details } = error;
  const status = statusTable[code] ?? internal;
  const retryAfter = details.retryAfterSeconds ?? retriesAfter[code];
  return {
    status,
    code,
    message: status.http === 500 ? (hiddenMessages[code] ?? hiddenMessage) : error.message,
    ...(details.input === undefined ? {} : { input: details.input }),
    ...(retryAfter === undefined ? {} : { retryAfterSeconds: Math.max(1, Math.ceil(retryAfter)) }),
  };
}

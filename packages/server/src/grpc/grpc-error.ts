import { ConnectError } from '@connectrpc/connect';
import { statusOf } from '../errors/status-of.js';

/** The trailer that holds the code of an error, as HTTP's header of that name. */
export const errorCodeTrailer = 'x-error-code';

/**
 * Anything thrown as gRPC tells it: status and message, and in the trailers its code (`queue-full`) and when it is worth trying again.
 *
 * @param error - Anything caught; what already is an error of the protocol stays as it is.
 */
export function toGrpcError(error: unknown): ConnectError {
  if (error instanceof ConnectError) return error;
  const { status, code, message, retryAfterSeconds } = statusOf(error);
  const metadata = new Headers({ [errorCodeTrailer]: code });
  if (retryAfterSeconds !== undefined) metadata.set('retry-after', String(retryAfterSeconds));
  return new ConnectError(message, status.grpc, metadata);
}

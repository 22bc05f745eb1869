import type { Route } from '../contract/route.js';
import { statusOf } from '../errors/status-of.js';

/** Anything that was thrown, as the protocol's clients understand errors. */
export function renderError(error: unknown, style: Route['errors']): Response {
  const { status, code, message, input, retryAfterSeconds } = statusOf(error);
  const headers = new Headers({ 'content-type': 'application/json', 'x-error-code': code });
  if (retryAfterSeconds !== undefined) headers.set('retry-after', String(retryAfterSeconds));
  if (status.http === 401) headers.set('www-authenticate', 'Bearer');
  const body =
    style === 'openai' ? { error: { message, type: status.openai, param: input ?? null, code } } : { error: message };
  return new Response(JSON.stringify(body), { status: status.http, headers });
}

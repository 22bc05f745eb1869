import type { Route } from '../contract/route.js';
import { pageDocument } from './page-document.js';
import { pageScript } from './page-script.js';
import { pageStyle } from './page-style.js';

/** Nothing but what the server itself sends runs, shows or is talked to; nobody frames the page. */
const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "img-src 'self' blob: data:",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

function file(path: string, type: string, content: string): Route {
  return {
    method: 'get',
    path,
    action: 'public',
    summary: 'A page to try models',
    errors: 'open-inference',
    openapi: { responses: { 200: { description: 'The page.', content: { [type]: { schema: { type: 'string' } } } } } },
    handle: () =>
      new Response(content, {
        headers: {
          'content-type': `${type}; charset=utf-8`,
          'content-security-policy': policy,
          'cross-origin-opener-policy': 'same-origin',
          'cross-origin-resource-policy': 'same-origin',
          'permissions-policy': 'camera=(), geolocation=(), microphone=()',
          'referrer-policy': 'no-referrer',
        },
      }),
  };
}

/**
 * A page to try models: numbers, drawings and pictures, texts, by what a model takes. The files hold nothing secret and ask for no
 * credential; what the page asks the server for does.
 */
export const pageRoutes: readonly Route[] = [
  file('/', 'text/html', pageDocument),
  file('/page.js', 'text/javascript', pageScript),
  file('/page.css', 'text/css', pageStyle),
];

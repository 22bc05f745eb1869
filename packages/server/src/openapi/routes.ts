import type { Route } from '../contract/route.js';
import { jsonResponse } from '../open-inference/request-body.js';
import { createOpenApiDocument, type OpenApiDocument } from './create-document.js';

/**
 * `GET /openapi.json`: the document of `routes` and of itself. It names endpoints and no models, so anybody may read it.
 */
export function openApiRoutes(routes: readonly Route[]): readonly Route[] {
  let document: OpenApiDocument | undefined;
  const own: Route = {
    method: 'get',
    path: '/openapi.json',
    action: 'public',
    summary: 'This document',
    errors: 'open-inference',
    handle: () => {
      document ??= createOpenApiDocument([...routes, own]);
      return jsonResponse(document);
    },
  };
  return [own];
}

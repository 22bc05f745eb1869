import type { Route } from '../contract/route.js';
import { statusTable } from '../errors/status-of.js';
import { serverMetadata } from '../open-inference/server-metadata.js';
import { type OpenApiPart, reference } from './fragments.js';
import { schemas } from './schemas.js';

/** An OpenAPI 3.1 document. */
export interface OpenApiDocument {
  readonly openapi: '3.1.0';
  readonly info: { readonly title: string; readonly version: string; readonly description: string };
  readonly paths: { readonly [path: string]: { readonly [method: string]: OpenApiPart } };
  readonly components: OpenApiPart;
  readonly security: readonly OpenApiPart[];
}

const actionNotes: { readonly [A in Route['action']]: string } = {
  public: 'Asks for no credential.',
  infer: 'Needs the permission `infer`.',
  read: 'Needs the permission `read`.',
  control: 'Needs the permission `control`.',
  observe: 'Needs the permission `observe`.',
};

/** `/v1/models/:call{[^/]+:predict}` → `/v1/models/{model}:predict` */
export function documentedPath(path: string): string {
  return path.replace(/:(\w+)\??(?:\{[^}]*?(:\w+)?\})?/g, (_, name: string, suffix = '') => {
    return `{${name === 'call' ? 'model' : name}}${suffix}`;
  });
}

function pathParameters(path: string): readonly OpenApiPart[] {
  return [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string' },
  }));
}

const errorNames: { readonly [status: number]: string } = {
  400: 'The request is wrong, and says where.',
  401: 'A credential is missing or not valid.',
  403: 'The credential does not permit this.',
  404: 'There is no such model or path.',
  413: 'The request is larger than is allowed.',
  422: 'The model is not what was signed.',
  429: 'Too many requests; `retry-after` says when to come back.',
  499: 'The client went away.',
  500: 'The model failed; the log says why.',
  503: 'The model is not ready or its queue is full; `retry-after` says when to come back.',
  504: 'The deadline passed.',
};

/** The errors that any endpoint may give; probes give none but 503. */
function errorResponses({ action, errors }: Route): OpenApiPart {
  const statuses = [...new Set(Object.values(statusTable).map(({ http }) => http))].sort((one, other) => one - other);
  const schema = reference(errors === 'openai' ? 'OpenAiError' : 'Error');
  const content = { 'application/json': { schema } };
  return Object.fromEntries(
    statuses
      .filter((status) => action !== 'public' || status === 503)
      .map((status) => [status, { description: errorNames[status] ?? 'An error.', content }]),
  );
}

/** `POST /v2/models/{model}/infer` → `postV2ModelsModelInfer` */
function operationId(method: string, path: string): string {
  const words = path.split(/[^A-Za-z0-9]+/).filter((word) => word !== '');
  return method + words.map((word) => word[0]?.toUpperCase() + word.slice(1)).join('');
}

function operation(route: Route, path: string): OpenApiPart {
  const { parameters, responses, ...rest } = route.openapi ?? {};
  const own = Array.isArray(parameters) ? parameters : [];
  const given = new Set(
    own.map(({ in: where, name }: { readonly in: string; readonly name: string }) => `${where} ${name}`),
  );
  const fromPath = pathParameters(path).filter(({ name }) => !given.has(`path ${String(name)}`));
  return {
    operationId: operationId(route.method, path),
    summary: route.summary,
    description: actionNotes[route.action],
    tags: [route.protocol ?? route.errors],
    ...(route.action === 'public' ? { security: [] } : {}),
    ...rest,
    ...(fromPath.length + own.length === 0 ? {} : { parameters: [...fromPath, ...own] }),
    responses: {
      ...errorResponses(route),
      ...(typeof responses === 'object' && responses !== null ? responses : { 200: { description: 'The answer.' } }),
    },
  };
}

/**
 * The OpenAPI document of a server's endpoints.
 *
 * @param routes - All that are mounted.
 * @see OpenAPI Specification 3.1.0.
 */
export function createOpenApiDocument(routes: readonly Route[]): OpenApiDocument {
  const paths: { [path: string]: { [method: string]: OpenApiPart } } = {};
  for (const route of routes) {
    const path = documentedPath(route.path);
    // Two paths that differ by a slash at the end are one to a reader.
    if (path.length > 1 && path.endsWith('/')) continue;
    paths[path] = { ...paths[path], [route.method]: operation(route, path) };
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Models as a service',
      version: serverMetadata.version,
      description: 'Open Inference Protocol v2 with extensions of Triton, TensorFlow Serving and OpenAI.',
    },
    paths,
    components: {
      schemas,
      securitySchemes: {
        bearer: { type: 'http', scheme: 'bearer', description: 'An API key or an access token.' },
        key: { type: 'apiKey', in: 'header', name: 'x-api-key' },
      },
    },
    security: [{ bearer: [] }, { key: [] }],
  };
}

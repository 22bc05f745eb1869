import { Validator } from '@seriousme/openapi-schema-validator';
import { Ajv2020 } from 'ajv/dist/2020.js';
import type { Hono } from 'hono';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Hub } from '../contract/hub.js';
import { openInferenceRoutes } from '../open-inference/routes.js';
import { startService } from '../open-inference/service.cases.js';
import { tensorFlowServingRoutes } from '../tensorflow-serving/routes.js';
import { createOpenApiDocument, type OpenApiDocument } from './create-document.js';
import { openApiRoutes } from './routes.js';

const routes = [...openInferenceRoutes, ...tensorFlowServingRoutes];
let app: Hono;
let hub: Hub;

beforeAll(async () => {
  ({ app, hub } = await startService([...routes, ...openApiRoutes(routes)]));
});

afterAll(() => hub.dispose());

describe('the OpenAPI document', () => {
  it('is valid by the specification', async () => {
    const document = await (await app.request('/openapi.json')).json();
    const { valid, errors } = await new Validator().validate(document as Record<string, unknown>);
    expect([valid, errors]).toEqual([true, undefined]);
  });

  it('has every endpoint, with its parameters', () => {
    const document = createOpenApiDocument(routes);
    const operations = Object.values(document.paths).flatMap((path) => Object.values(path));
    expect(operations.length).toBe(routes.filter(({ path }) => !path.endsWith('/')).length);
    expect(new Set(operations.map(({ operationId }) => operationId)).size).toBe(operations.length);
    expect(document.paths['/v1/models/{model}:predict']?.['post']?.['parameters']).toMatchObject([
      { name: 'model', in: 'path' },
    ]);
    expect(document.paths['/v1/models/{model}/versions/{version}:predict']).toBeDefined();
    expect(document.paths['/v2/health/live']?.['get']?.['security']).toEqual([]);
  });

  it.each([
    ['get', '/v2', '/v2', ''],
    ['get', '/v2/models/{model}', '/v2/models/echo', ''],
    ['get', '/v2/models/{model}/ready', '/v2/models/echo/ready', ''],
    ['get', '/v2/models/stats', '/v2/models/stats', ''],
    ['post', '/v2/repository/index', '/v2/repository/index', '{}'],
    [
      'post',
      '/v2/models/{model}/infer',
      '/v2/models/linear/infer',
      '{"inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","data":[1,2]}]}',
    ],
    ['post', '/v2/models/{model}/infer', '/v2/models/linear/infer', '{}'],
    ['post', '/v1/models/{model}:predict', '/v1/models/linear:predict', '{"instances":[[1,2]]}'],
  ])('says of %s %s what it answers', async (method, path, url, body) => {
    const response = await app.request(url, { method: method.toUpperCase(), ...(body === '' ? {} : { body }) });
    const document = createOpenApiDocument(routes);
    const operation = document.paths[path]?.[method];
    const responses = operation?.['responses'] as {
      [status: string]: { content: { [type: string]: { schema: object } } };
    };
    const schema = responses[response.status]?.content['application/json']?.schema;
    const ajv = new Ajv2020({ strict: false });
    const isValid = ajv.compile({ ...schema, components: document.components });
    expect([isValid(await response.json()), isValid.errors]).toEqual([true, null]);
  });

  it('refers to nothing that it does not define', () => {
    const document: OpenApiDocument = createOpenApiDocument(routes);
    const { schemas } = document.components as { readonly schemas: object };
    const names = [...JSON.stringify(document).matchAll(/#\/components\/schemas\/(\w+)/g)].map(([, name]) => name);
    expect(names.length).toBeGreaterThan(10);
    for (const name of names) expect(Object.keys(schemas)).toContain(name);
  });
});

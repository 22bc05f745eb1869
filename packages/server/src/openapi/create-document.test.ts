import { Validator } from '@seriousme/openapi-schema-validator';
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

  it('refers to nothing that it does not define', () => {
    const document: OpenApiDocument = createOpenApiDocument(routes);
    const { schemas } = document.components as { readonly schemas: object };
    const names = [...JSON.stringify(document).matchAll(/#\/components\/schemas\/(\w+)/g)].map(([, name]) => name);
    expect(names.length).toBeGreaterThan(10);
    for (const name of names) expect(Object.keys(schemas)).toContain(name);
  });
});

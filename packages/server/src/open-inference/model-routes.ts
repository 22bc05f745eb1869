import type { Context } from 'hono';
import type { RequestScope, Route } from '../contract/route.js';
import { answers, jsonBody, reference } from '../openapi/fragments.js';
import { infer } from './infer.js';
import { modelMetadata } from './model-metadata.js';
import { statisticsToJson } from './model-statistics.js';
import { jsonResponse, pathParameter } from './request-body.js';
import { configurationToJson } from './triton-configuration.js';

function metadata(context: Context, { hub }: RequestScope): Response {
  return jsonResponse(
    modelMetadata(hub.info(pathParameter(context, 'model'), context.req.param('version')), hub.index()),
  );
}

function ready(context: Context, { hub }: RequestScope): Response {
  const name = pathParameter(context, 'model');
  const isReady = hub.isReady(name, context.req.param('version'));
  return jsonResponse({ name, ready: isReady }, isReady ? 200 : 503);
}

function configuration(context: Context, { hub }: RequestScope): Response {
  const info = hub.info(pathParameter(context, 'model'), context.req.param('version'));
  return jsonResponse(configurationToJson(info, hub.configuration(info.name, info.version)));
}

function statistics(context: Context, { hub }: RequestScope): Response {
  return jsonResponse(statisticsToJson(hub.statistics(context.req.param('model'), context.req.param('version'))));
}

const inferBody = {
  description: 'JSON, or JSON of `inference-header-content-length` bytes and the raw tensors behind it.',
  ...jsonBody('InferenceRequest'),
  parameters: [
    {
      name: 'inference-header-content-length',
      in: 'header',
      required: false,
      description: 'Bytes of JSON before the raw tensors; 0: the whole body is the only input.',
      schema: { type: 'integer', minimum: 0 },
    },
  ],
};

/** The same endpoint without and with a version in its path. */
function versioned(route: Omit<Route, 'path' | 'errors'>, suffix: string): readonly Route[] {
  const base = '/v2/models/:model';
  return [base, `${base}/versions/:version`].map((path) => ({
    ...route,
    path: `${path}${suffix}`,
    errors: 'open-inference',
  }));
}

/** Endpoints of a model: metadata, readiness, configuration, statistics, inference. */
export const modelRoutes: readonly Route[] = [
  {
    method: 'get',
    path: '/v2/models/stats',
    action: 'observe',
    summary: 'Counts and times of all models',
    errors: 'open-inference',
    openapi: answers(reference('ModelStatistics')),
    handle: statistics,
  },
  ...versioned(
    {
      method: 'get',
      action: 'read',
      summary: 'Inputs, outputs and versions of a model',
      openapi: answers(reference('ModelMetadata')),
      handle: metadata,
    },
    '',
  ),
  ...versioned(
    {
      method: 'get',
      action: 'read',
      summary: 'Whether a model answers: 200 or 503',
      openapi: answers(reference('ModelReady')),
      handle: ready,
    },
    '/ready',
  ),
  ...versioned(
    {
      method: 'get',
      action: 'read',
      summary: 'How a model is served, as a Triton model configuration',
      openapi: answers({ type: 'object' }),
      handle: configuration,
    },
    '/config',
  ),
  ...versioned(
    {
      method: 'get',
      action: 'observe',
      summary: 'Counts and times of a model',
      openapi: answers(reference('ModelStatistics')),
      handle: statistics,
    },
    '/stats',
  ),
  ...versioned(
    {
      method: 'post',
      action: 'infer',
      summary: 'Run a model: tensors in, tensors out',
      openapi: { ...inferBody, ...answers(reference('InferenceResponse')) },
      handle: infer,
    },
    '/infer',
  ),
];

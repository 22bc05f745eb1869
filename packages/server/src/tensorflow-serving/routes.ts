import type { Context } from 'hono';
import type { RequestScope, Route } from '../contract/route.js';
import { jsonResponse, pathParameter } from '../open-inference/request-body.js';
import { answers, jsonBody, reference } from '../openapi/fragments.js';
import { modelStatus, signatureMetadata } from './model-status.js';
import { predict } from './predict.js';

function metadata(context: Context, { hub }: RequestScope): Response {
  return jsonResponse(signatureMetadata(hub.info(pathParameter(context, 'model'), context.req.param('version'))));
}

function status(context: Context, { hub }: RequestScope): Response {
  return jsonResponse(modelStatus(hub, pathParameter(context, 'model'), context.req.param('version')));
}

const prediction = { ...jsonBody('TensorFlowPredictRequest'), ...answers(reference('TensorFlowPredictResponse')) };

/**
 * What TensorFlow Serving's clients ask: `:predict` with `instances` or `inputs`, metadata, and the state of a version. The state of a model
 * as a whole has its path in common with OpenAI's API; that answer holds both.
 */
export const tensorFlowServingRoutes: readonly Route[] = [
  {
    method: 'post',
    path: '/v1/models/:call{[^/]+:predict}',
    action: 'infer',
    summary: 'Run a model: `instances` or `inputs` of TensorFlow Serving',
    errors: 'open-inference',
    protocol: 'tensorflow-serving',
    openapi: prediction,
    handle: predict,
  },
  {
    method: 'post',
    path: '/v1/models/:model/versions/:version{[^/]+:predict}',
    action: 'infer',
    summary: 'Run a version of a model: `instances` or `inputs` of TensorFlow Serving',
    errors: 'open-inference',
    protocol: 'tensorflow-serving',
    openapi: prediction,
    handle: predict,
  },
  ...['/v1/models/:model/metadata', '/v1/models/:model/versions/:version/metadata'].map(
    (path): Route => ({
      method: 'get',
      path,
      action: 'read',
      summary: 'Inputs and outputs of a model as a signature of TensorFlow Serving',
      errors: 'open-inference',
      protocol: 'tensorflow-serving',
      openapi: answers({ type: 'object' }),
      handle: metadata,
    }),
  ),
  {
    method: 'get',
    path: '/v1/models/:model/versions/:version',
    action: 'read',
    summary: 'State of a version as TensorFlow Serving tells it',
    errors: 'open-inference',
    protocol: 'tensorflow-serving',
    openapi: answers({ type: 'object' }),
    handle: status,
  },
];

import type { Context } from 'hono';
import type { RequestScope, Route } from '../contract/route.js';
import { jsonResponse, pathParameter } from '../open-inference/request-body.js';
import { answers } from '../openapi/fragments.js';
import type { DriftMonitor } from './drift-monitor.js';

const number = { type: 'number' };
const text = { type: 'string' };
const distribution = {
  type: 'object',
  properties: { count: { type: 'integer' }, mean: number, deviation: number, notFinite: number, outside: number },
};
const featureSchema = {
  type: 'object',
  required: ['feature', 'input', 'kind'],
  properties: { feature: text, input: text, kind: text, score: number, baseline: distribution, current: distribution },
};
const driftSchema = {
  type: 'object',
  required: ['model', 'version', 'status', 'baselineExamples', 'features'],
  properties: {
    model: text,
    version: text,
    status: { enum: ['collecting', 'stable', 'shifting', 'drifted'] },
    score: number,
    baselineExamples: { type: 'integer' },
    features: { type: 'array', items: featureSchema },
  },
};

const paths = ['/v2/models/:model/drift', '/v2/models/:model/versions/:version/drift'];

/** How the inputs of a model have changed since its baseline, and the beginning of a new one. */
export function driftRoutes(monitor: DriftMonitor): readonly Route[] {
  const report = (context: Context, { hub }: RequestScope): Response => {
    const [model, version] = modelOf(context, hub);
    return jsonResponse({ models: monitor.report(model, version) });
  };
  const reset = (context: Context, { hub }: RequestScope): Response => {
    const [model, version] = modelOf(context, hub);
    monitor.reset(model, version);
    return jsonResponse({});
  };
  return paths.flatMap((path): Route[] => [
    {
      method: 'get',
      path,
      action: 'observe',
      summary: 'How the inputs of a model have changed since its first ones',
      errors: 'open-inference',
      openapi: answers({ type: 'object', properties: { models: { type: 'array', items: driftSchema } } }),
      handle: report,
    },
    {
      method: 'delete',
      path,
      action: 'control',
      summary: 'Take the next inputs of a model as the new measure',
      errors: 'open-inference',
      openapi: answers({ type: 'object' }),
      handle: reset,
    },
  ]);
}

/** Names of the path, once they are known to be those of a model. */
function modelOf(context: Context, hub: RequestScope['hub']): readonly [model: string, version: string | undefined] {
  const model = pathParameter(context, 'model');
  const version = context.req.param('version');
  hub.find(model, version);
  return [model, version];
}

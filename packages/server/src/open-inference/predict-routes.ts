import type { Route } from '../contract/route.js';
import { answers, reference } from '../openapi/fragments.js';
import { predict } from './predict.js';

const picture = { schema: { type: 'string', format: 'binary' } };

const requestBody = {
  required: true,
  content: {
    'image/png': picture,
    'image/jpeg': picture,
    'text/plain': { schema: { type: 'string' } },
    'multipart/form-data': { schema: { type: 'object', additionalProperties: { type: 'string' } } },
    'application/json': { schema: reference('PredictRequest') },
  },
};

/** Pictures and texts for models that know how to read them. */
export const predictRoutes: readonly Route[] = ['/v2/models/:model', '/v2/models/:model/versions/:version'].map(
  (path) => ({
    method: 'post',
    path: `${path}/predict`,
    action: 'infer',
    summary: 'Run a model on pictures or texts and get labels or vectors',
    errors: 'open-inference',
    openapi: { requestBody, ...answers(reference('PredictResponse')) },
    handle: predict,
  }),
);

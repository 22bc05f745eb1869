import type { Hono } from 'hono';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Hub } from '../contract/hub.js';
import { startService } from '../open-inference/service.cases.js';
import { tensorFlowServingRoutes } from './routes.js';

let app: Hono;
let hub: Hub;

beforeAll(async () => {
  ({ app, hub } = await startService(tensorFlowServingRoutes));
});

afterAll(() => hub.dispose());

async function predict(path: string, body: unknown): Promise<{ readonly status: number; readonly text: string }> {
  const init = { method: 'POST', body: typeof body === 'string' ? body : JSON.stringify(body) };
  const response = await app.request(`/v1/models/${path}:predict`, init);
  return { status: response.status, text: await response.text() };
}

describe('TensorFlow Serving over HTTP', () => {
  it('predicts rows of the only input', async () => {
    const expected = { status: 200, text: '{"predictions":[[1,2,3],[4,5,6]]}' };
    expect(
      await predict('linear', {
        instances: [
          [1, 0],
          [0, 1],
        ],
      }),
    ).toEqual(expected);
    expect(await predict('linear/versions/1', { instances: [{ x: [1, 0] }, { x: [0, 1] }] })).toEqual(expected);
  });

  it('predicts columns', async () => {
    const expected = { status: 200, text: '{"outputs":[[5,7,9]]}' };
    expect(await predict('linear', { inputs: [[1, 1]] })).toEqual(expected);
    expect(await predict('linear', { signature_name: 'serving_default', inputs: { x: [[1, 1]] } })).toEqual(expected);
  });

  it('takes and gives several tensors, texts as base64 and long integers', async () => {
    const instances =
      '[{"long": 9223372036854775807, "half": NaN, "text": {"b64": "w6Q="}}, {"long": "-1", "half": -Infinity, "text": "NaN"}]';
    const { status, text } = await predict('echo', `{"instances": ${instances}}`);
    const rows =
      '[{"long_out":9223372036854775807,"half_out":NaN,"text_out":"ä"},{"long_out":-1,"half_out":-Infinity,"text_out":"NaN"}]';
    expect([status, text]).toEqual([200, `{"predictions":${rows}}`]);
  });

  it.each([
    ['both forms', 'linear', { instances: [[1, 0]], inputs: [[1, 0]] }],
    ['neither form', 'linear', {}],
    ['no rows', 'linear', { instances: [] }],
    ['ragged rows', 'linear', { instances: [[1, 0], [1]] }],
    ['rows of other inputs', 'linear', { instances: [{ x: [1, 0] }, { z: [1, 0] }] }],
    ['an unknown signature', 'linear', { signature_name: 'other', instances: [[1, 0]] }],
    ['a nameless row for a model of three inputs', 'echo', { instances: [1] }],
    ['another shape', 'linear', { instances: [[[1]]] }],
    ['texts for numbers', 'linear', { instances: [['a', 'b']] }],
  ])('refuses %s', async (_, model, body) => {
    const { status, text } = await predict(model, body);
    expect([status, Object.keys(JSON.parse(text))]).toEqual([400, ['error']]);
  });

  it('refuses nesting without end', async () => {
    const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`;
    expect((await predict('linear', `{"instances":${deep}}`)).status).toBe(413);
    expect((await predict('echo', `{"inputs":{"text":${deep}}}`)).status).toBe(413);
  });

  it('does not know other models and verbs', async () => {
    expect((await predict('nobody', { instances: [1] })).status).toBe(404);
    expect((await app.request('/v1/models/linear:classify', { method: 'POST', body: '{}' })).status).toBe(404);
  });

  it('tells signature and state', async () => {
    const metadata = await (await app.request('/v1/models/linear/metadata')).json();
    expect(metadata).toMatchObject({
      model_spec: { name: 'linear', version: '1' },
      metadata: {
        signature_def: {
          signature_def: {
            serving_default: {
              inputs: { x: { dtype: 'DT_FLOAT', tensor_shape: { dim: [{ size: '-1' }, { size: '2' }] } } },
            },
          },
        },
      },
    });
    const state = await (await app.request('/v1/models/echo/versions/3')).json();
    expect(state).toEqual({
      model_version_status: [{ version: '3', state: 'AVAILABLE', status: { error_code: 'OK', error_message: '' } }],
    });
    expect((await app.request('/v1/models/echo/versions/7')).status).toBe(404);
  });
});

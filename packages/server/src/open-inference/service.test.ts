import { encode as encodePng } from 'fast-png';
import type { Hono } from 'hono';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import packageJson from '../../package.json' with { type: 'json' };
import type { Hub } from '../contract/hub.js';
import { headerLengthName } from './inference-request.js';
import { openInferenceRoutes } from './routes.js';
import { serverMetadata } from './server-metadata.js';
import { startService } from './service.cases.js';

let app: Hono;
let hub: Hub;

beforeAll(async () => {
  ({ app, hub } = await startService(openInferenceRoutes));
});

afterAll(() => hub.dispose());

async function get(path: string): Promise<{ readonly status: number; readonly body: unknown }> {
  const response = await app.request(path);
  return { status: response.status, body: await response.json() };
}

async function post(
  path: string,
  body: unknown,
): Promise<{ readonly status: number; readonly body: Record<string, unknown> }> {
  const response = await app.request(path, {
    method: 'POST',
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

describe('the Open Inference Protocol over HTTP', () => {
  it('tells what the server is', async () => {
    for (const path of ['/v2', '/v2/']) expect((await get(path)).body).toEqual(serverMetadata);
    expect(serverMetadata.version).toBe(packageJson.version);
    expect(await get('/v2/health/live')).toEqual({ status: 200, body: { live: true } });
    expect(await get('/v2/health/ready')).toEqual({ status: 200, body: { ready: true } });
  });

  it('tells what a model is, with and without a version', async () => {
    const expected = {
      name: 'linear',
      versions: ['1'],
      platform: 'onnx_onnxv1',
      inputs: [{ name: 'x', datatype: 'FP32', shape: [-1, 2] }],
      outputs: [{ name: 'y', datatype: 'FP32', shape: [-1, 3] }],
      sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
      abilities: { generates: false, embeds: false, takes_raw_inputs: false },
      processing: { inputs: {}, outputs: {} },
    };
    expect(await get('/v2/models/linear')).toEqual({ status: 200, body: expected });
    expect(await get('/v2/models/linear/versions/1')).toEqual({ status: 200, body: expected });
    expect(await get('/v2/models/linear/ready')).toEqual({ status: 200, body: { name: 'linear', ready: true } });
    expect((await get('/v2/models/linear/versions/9')).status).toBe(404);
    expect((await get('/v2/models/nobody/ready')).status).toBe(404);
    expect(await get('/v2/models/linear/config')).toMatchObject({
      body: { max_batch_size: 8, input: [{ name: 'x', data_type: 'TYPE_FP32', dims: [2] }] },
    });
  });

  it('infers from JSON', async () => {
    const inputs = [{ name: 'x', shape: [2, 2], datatype: 'FP32', data: [1, 0, 0, 1] }];
    expect(await post('/v2/models/linear/infer', { id: 'q', inputs })).toEqual({
      status: 200,
      body: {
        id: 'q',
        model_name: 'linear',
        model_version: '1',
        outputs: [{ name: 'y', datatype: 'FP32', shape: [2, 3], data: [1, 2, 3, 4, 5, 6] }],
      },
    });
  });

  it('infers from raw tensors behind JSON, and answers with them where asked', async () => {
    const json = new TextEncoder().encode(
      JSON.stringify({
        inputs: [
          { name: 'long', shape: [1], datatype: 'INT64', parameters: { binary_data_size: 8 } },
          { name: 'half', shape: [2], datatype: 'FP16', parameters: { binary_data_size: 4 } },
          { name: 'text', shape: [1], datatype: 'BYTES', data: ['ä'] },
        ],
        outputs: [
          { name: 'text_out', parameters: { binary_data: true } },
          { name: 'long_out' },
          { name: 'half_out', parameters: { binary_data: true } },
        ],
      }),
    );
    const raw = [255, 255, 255, 255, 255, 255, 255, 127, 1, 0, 0, 60];
    const response = await app.request('/v2/models/echo/versions/3/infer', {
      method: 'POST',
      body: new Uint8Array([...json, ...raw]),
      headers: { [headerLengthName]: String(json.length) },
    });
    expect(response.headers.get('content-type')).toBe('application/octet-stream');
    const bytes = new Uint8Array(await response.arrayBuffer());
    const jsonLength = Number(response.headers.get(headerLengthName));
    const text = new TextDecoder().decode(bytes.subarray(0, jsonLength));
    expect(text).toContain('"data":[9223372036854775807]');
    const sizes = JSON.parse(text).outputs.map((output: { parameters?: unknown }) => output.parameters);
    expect(sizes).toEqual([{ binary_data_size: 6 }, undefined, { binary_data_size: 4 }]);
    expect([...bytes.subarray(jsonLength)]).toEqual([2, 0, 0, 0, 195, 164, 1, 0, 0, 60]);
  });

  it('takes a body that is nothing but the input', async () => {
    const response = await app.request('/v2/models/linear/infer', {
      method: 'POST',
      body: new Uint8Array(new Float32Array([1, 1]).buffer),
      headers: { [headerLengthName]: '0' },
    });
    const bytes = new Uint8Array(await response.arrayBuffer());
    const tensor = bytes.slice(Number(response.headers.get(headerLengthName)));
    expect([...new Float32Array(tensor.buffer)]).toEqual([5, 7, 9]);
  });

  it('gives the best classes', async () => {
    const inputs = [{ name: 'x', shape: [1, 2], datatype: 'FP32', data: [1, 1] }];
    const outputs = [{ name: 'y', parameters: { classification: 2 } }];
    const { body } = await post('/v2/models/linear/infer', { inputs, outputs });
    expect(body['outputs']).toEqual([{ name: 'y', datatype: 'BYTES', shape: [1, 2], data: ['9:2', '7:1'] }]);
  });

  it('says in one sentence what is wrong', async () => {
    const wrong = { inputs: [{ name: 'x', shape: [1, 3], datatype: 'FP32', data: [1, 2, 3] }] };
    expect(await post('/v2/models/linear/infer', wrong)).toEqual({
      status: 400,
      body: { error: "input 'x' has shape [batch, 2], but [1, 3] was given" },
    });
    expect((await post('/v2/models/linear/infer', '{')).status).toBe(400);
    const compressed = { method: 'POST', body: '{}', headers: { 'content-encoding': 'gzip' } };
    expect((await app.request('/v2/models/linear/infer', compressed)).status).toBe(400);
  });

  it('keeps the deadline of a request', async () => {
    const inputs = [{ name: 'x', shape: [1, 2], datatype: 'FP32', data: [1, 1] }];
    const { status } = await post('/v2/models/linear/infer', { inputs, parameters: { timeout: 0.001 } });
    expect(status).toBe(400);
    const first = await post('/v2/models/linear/infer', { inputs, parameters: { timeout: 1 } });
    expect(first.status).toBe(504);
  });

  it('counts', async () => {
    const { body } = await get('/v2/models/linear/stats');
    const [stats] = (
      body as { model_stats: { inference_count: number; inference_stats: { success: { count: number } } }[] }
    ).model_stats;
    expect(stats?.inference_count).toBeGreaterThan(3);
    expect(stats?.inference_stats.success.count).toBe(3);
    const all = (await get('/v2/models/stats')).body as { model_stats: { name: string }[] };
    expect(new Set(all.model_stats.map(({ name }) => name))).toEqual(new Set(['linear', 'echo', 'brightness']));
  });
});

describe('pictures and texts', () => {
  const white = encodePng({ width: 8, height: 8, channels: 1, data: new Uint8Array(64).fill(255) });
  const answer = {
    model_name: 'brightness',
    model_version: '1',
    predictions: [
      {
        light: [
          { label: 'bright', score: 1 },
          { label: 'dark', score: 0 },
        ],
      },
    ],
  };
  const form = (): FormData => {
    const fields = new FormData();
    fields.set('file', new Blob([white as Uint8Array<ArrayBuffer>], { type: 'image/png' }));
    return fields;
  };
  const json = { 'content-type': 'application/json' };
  const b64 = btoa(String.fromCharCode(...white));

  it.each([
    ['as they are', { body: white, headers: { 'content-type': 'image/png' } }],
    ['in a form', { body: form() }],
    ['in JSON', { body: JSON.stringify({ examples: [{ b64 }] }), headers: json }],
    ['in JSON by the name of the input', { body: JSON.stringify({ examples: [{ picture: { b64 } }] }), headers: json }],
  ])('takes pictures %s', async (_, init) => {
    const response = await app.request('/v2/models/brightness/predict', { method: 'POST', ...(init as RequestInit) });
    expect([response.status, await response.json()]).toEqual([200, answer]);
  });

  it.each([
    ['a picture that is none', { body: '\x89PNG', headers: { 'content-type': 'image/png' } }],
    ['a text for a picture', { body: 'white', headers: { 'content-type': 'text/plain' } }],
    ['base64 that is none', { body: '{"examples":[{"b64":"*"}]}', headers: json }],
    ['nothing', { body: '{"examples":[]}', headers: json }],
    ['a broken form', { body: 'x', headers: { 'content-type': 'multipart/form-data; boundary=y' } }],
    ['another type', { body: 'x', headers: { 'content-type': 'application/x-www-form-urlencoded' } }],
    ['a picture for a model that reads none', { body: white, headers: { 'content-type': 'image/png' } }, 'linear'],
  ])('refuses %s', async (_, init, model = 'brightness') => {
    const response = await app.request(`/v2/models/${model}/predict`, { method: 'POST', ...(init as RequestInit) });
    expect([response.status, Object.keys((await response.json()) as object)]).toEqual([400, ['error']]);
  });
});

describe('the model repository API', () => {
  it('lists, unloads and loads', async () => {
    expect((await post('/v2/repository/index', {})).body).toEqual([
      { name: 'linear', version: '1', state: 'READY', reason: '' },
      { name: 'echo', version: '1', state: 'UNAVAILABLE', reason: expect.any(String) },
      { name: 'echo', version: '3', state: 'READY', reason: '' },
      { name: 'brightness', version: '1', state: 'READY', reason: '' },
    ]);
    expect((await post('/v2/repository/models/echo/unload', {})).status).toBe(200);
    expect((await get('/v2/models/echo/ready')).status).toBe(503);
    const ready = (await post('/v2/repository/index', { ready: true })).body as unknown as { name: string }[];
    expect(ready.map(({ name }) => name)).toEqual(['linear', 'brightness']);
    expect((await post('/v2/repository/models/echo/load', '')).status).toBe(200);
    expect((await get('/v2/models/echo/ready')).status).toBe(200);
  });

  it('takes no files from a client', async () => {
    const parameters = { 'file:1/model.onnx': 'AAAA' };
    const { status, body } = await post('/v2/repository/models/echo/load', { parameters });
    expect([status, body['error']]).toEqual([400, expect.stringContaining('repository')]);
  });
});

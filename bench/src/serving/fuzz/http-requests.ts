import fc from 'fast-check';
import { encode as encodePng } from 'fast-png';
import { mutated, mutatedBytes } from './mutations.js';

/** One request, as it is put on the wire. */
export interface HttpRequest {
  readonly kind: string;
  readonly method: string;
  readonly path: string;
  readonly headers: { readonly [name: string]: string };
  readonly body: Uint8Array;
}

const encoder = new TextEncoder();
const png = encodePng({ width: 8, height: 8, channels: 1, data: new Uint8Array(64).fill(200) });
const b64 = Buffer.from(png).toString('base64');

const linearInput = { name: 'x', shape: [2, 2], datatype: 'FP32', data: [1, 2, 3, 4] };
const echoInputs = [
  { name: 'long', shape: [2], datatype: 'INT64', data: [1, '9223372036854775807'] },
  { name: 'half', shape: [1], datatype: 'FP16', data: ['NaN'] },
  { name: 'flag', shape: [2], datatype: 'BOOL', data: [true, 0] },
  { name: 'byte', shape: [1], datatype: 'UINT8', data: [255] },
  { name: 'text', shape: [1], datatype: 'BYTES', data: ['ä'] },
];

/** Requests in order, by path; what is sent differs from them in a few places. */
const jsonRequests: readonly (readonly [path: string, body: unknown])[] = [
  [
    '/v2/models/linear/infer',
    { id: '1', inputs: [linearInput], outputs: [{ name: 'y', parameters: { classification: 2 } }] },
  ],
  [
    '/v2/models/linear/versions/1/infer',
    { inputs: [linearInput], parameters: { priority: 1, timeout: 1e6, binary_data_output: true } },
  ],
  ['/v2/models/echo/infer', { inputs: echoInputs }],
  ['/v2/models/table/infer', { inputs: [{ name: 'ids', shape: [1, 2], datatype: 'INT64', data: [[0, 3]] }] }],
  ['/v2/models/victim/infer', { inputs: [linearInput] }],
  ['/v2/models/brightness/predict', { examples: [{ b64 }, { picture: { b64 } }] }],
  ['/v1/models/linear:predict', { instances: [[1, 2], { x: [3, 4] }] }],
  [
    '/v1/models/echo:predict',
    {
      signature_name: 'serving_default',
      inputs: { long: [1], half: [1], flag: [true], byte: [1], text: [{ b64: 'w6Q=' }] },
    },
  ],
  ['/v2/repository/index', { ready: true }],
  ['/v2/repository/models/absent/load', { parameters: { config: '{}' } }],
  ['/v1/completions', { model: 'linear', prompt: 'a', max_tokens: 2, stream: true }],
  [
    '/v1/completions',
    {
      ...{ model: 'writer', prompt: ['ab c', 'd'], max_tokens: 3, n: 2, logprobs: 2, stop: ['e'], seed: 7 },
      ...{ stream: true, stream_options: { include_usage: true }, temperature: 1.5, top_p: 0.9, logit_bias: { 4: -1 } },
    },
  ],
  [
    '/v1/completions',
    { model: 'writer@1', prompt: [[1, 2, 3], [4]], echo: true, frequency_penalty: 1, presence_penalty: -1 },
  ],
  [
    '/v1/chat/completions',
    {
      model: 'writer',
      messages: [
        { role: 'user', content: 'a' },
        { role: 'user', content: [{ type: 'text', text: 'b' }] },
      ],
      ...{ max_tokens: 2, logprobs: true, top_logprobs: 1, response_format: { type: 'text' } },
    },
  ],
  ['/v1/embeddings', { model: 'vectors', input: ['a', 'b'], encoding_format: 'base64', dimensions: 3 }],
  ['/v1/embeddings', { model: 'brightness', input: 'a' }],
];

const json = { 'content-type': 'application/json' };

function post(kind: string, path: string, headers: HttpRequest['headers'], body: Uint8Array): HttpRequest {
  return { kind, method: 'POST', path, headers, body };
}

const structured: fc.Arbitrary<HttpRequest> = fc.oneof(
  ...jsonRequests.map(([path, base]) =>
    mutated(base).map((body) => post('json', path, json, encoder.encode(JSON.stringify(body) ?? ''))),
  ),
);

const broken: fc.Arbitrary<HttpRequest> = fc.oneof(
  ...jsonRequests.map(([path, base]) =>
    mutatedBytes(encoder.encode(JSON.stringify(base))).map((body) => post('broken json', path, json, body)),
  ),
);

/** Names, shapes and sizes of raw tensors that more or less fit what follows. */
const binary: fc.Arbitrary<HttpRequest> = fc
  .record({
    inputs: fc.array(
      fc.record({
        name: fc.constantFrom('x', 'long', 'half', 'flag', 'byte', 'text', 'ids', ''),
        shape: fc.oneof(
          fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 3 }),
          fc.constant([2 ** 31, 2 ** 31]),
          fc.constant([-1]),
        ),
        datatype: fc.constantFrom('FP32', 'INT64', 'FP16', 'BOOL', 'UINT8', 'BYTES', 'FP64', 'X'),
        parameters: fc.record({ binary_data_size: fc.oneof(fc.nat(40), fc.constantFrom(8, 16, -1, 1e15)) }),
      }),
      { minLength: 1, maxLength: 5 },
    ),
    raw: fc.uint8Array({ maxLength: 64 }),
    model: fc.constantFrom('linear', 'echo', 'table'),
    slip: fc.oneof(
      { weight: 5, arbitrary: fc.constant(0) },
      { weight: 1, arbitrary: fc.integer({ min: -5, max: 100 }) },
    ),
  })
  .map(({ inputs, raw, model, slip }) => {
    const head = encoder.encode(JSON.stringify({ inputs, parameters: { binary_data_output: true } }));
    const headers = { 'inference-header-content-length': String(head.length + slip) };
    return post('binary', `/v2/models/${model}/infer`, headers, Uint8Array.of(...head, ...raw));
  });

const echoHead = encoder.encode(
  JSON.stringify({
    inputs: echoInputs.map(({ data: _, ...input }, index) => ({
      ...input,
      parameters: { binary_data_size: [16, 2, 2, 1, 6][index] },
    })),
    parameters: { binary_data_output: true },
  }),
);
const echoRaw = Uint8Array.of(...Array(16).fill(7), 0, 60, 1, 0, 9, 2, 0, 0, 0, 195, 164);

const nearlyBinary: fc.Arbitrary<HttpRequest> = fc
  .oneof(fc.constant(echoRaw), mutatedBytes(echoRaw))
  .map((raw) =>
    post(
      'binary',
      '/v2/models/echo/infer',
      { 'inference-header-content-length': String(echoHead.length) },
      Uint8Array.of(...echoHead, ...raw),
    ),
  );

const raw: fc.Arbitrary<HttpRequest> = fc
  .tuple(fc.constantFrom('linear', 'echo', 'table', 'brightness'), fc.uint8Array({ maxLength: 300 }))
  .map(([model, body]) =>
    post('raw binary', `/v2/models/${model}/infer`, { 'inference-header-content-length': '0' }, body),
  );

const picture: fc.Arbitrary<HttpRequest> = fc
  .tuple(
    fc.constantFrom('image/png', 'image/jpeg', 'text/plain', 'application/octet-stream'),
    fc.oneof(fc.constant(png), mutatedBytes(png)),
  )
  .map(([type, body]) => post('picture', '/v2/models/brightness/predict', { 'content-type': type }, body));

const form = encoder.encode(
  '--b\r\ncontent-disposition: form-data; name="file"; filename="a.png"\r\n\r\nabc\r\n--b--\r\n',
);
const forms: fc.Arbitrary<HttpRequest> = mutatedBytes(form).map((body) =>
  post('form', '/v2/models/brightness/predict', { 'content-type': 'multipart/form-data; boundary=b' }, body),
);

const word = fc.oneof(
  fc.constantFrom(
    'v1',
    'v2',
    'models',
    'linear',
    'echo',
    'victim',
    'versions',
    '1',
    'infer',
    'ready',
    'config',
    'stats',
    'health',
    'live',
    'repository',
    'load',
    'metrics',
    'openapi.json',
    '..',
    '%00',
    '%ff',
    '%2e%2e',
    ':predict',
    'linear:predict',
    '__proto__',
  ),
  fc.string({ maxLength: 12 }).map(encodeURIComponent),
);

const wandering: fc.Arbitrary<HttpRequest> = fc
  .record({
    method: fc.constantFrom('GET', 'GET', 'POST', 'DELETE', 'PUT', 'PATCH', 'OPTIONS', 'HEAD'),
    words: fc.array(word, { maxLength: 6 }),
    body: fc.uint8Array({ maxLength: 30 }),
    headers: fc.dictionary(
      fc.constantFrom(
        'content-type',
        'x-request-id',
        'x-request-timeout-ms',
        'content-encoding',
        'traceparent',
        'authorization',
        'accept',
        'inference-header-content-length',
        'origin',
      ),
      fc.string({ maxLength: 30 }).map((text) => text.replace(/[^\x20-\x7e]/g, '?')),
      { maxKeys: 3 },
    ),
  })
  .map(({ method, words, body, headers }) => ({ kind: 'path', method, path: `/${words.join('/')}`, headers, body }));

const reloading: fc.Arbitrary<HttpRequest> = fc
  .constantFrom('load', 'unload')
  .map((verb) => post('repository', `/v2/repository/models/victim/${verb}`, json, encoder.encode('{}')));

/** Requests over HTTP, most of them nearly right. */
export const httpRequests: fc.Arbitrary<HttpRequest> = fc.oneof(
  { weight: 300, arbitrary: structured },
  { weight: 150, arbitrary: broken },
  { weight: 150, arbitrary: binary },
  { weight: 100, arbitrary: nearlyBinary },
  { weight: 50, arbitrary: raw },
  { weight: 100, arbitrary: picture },
  { weight: 30, arbitrary: forms },
  { weight: 100, arbitrary: wandering },
  { weight: 1, arbitrary: reloading },
);

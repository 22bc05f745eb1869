import type { Route } from '../contract/route.js';
import { answers, type OpenApiPart } from '../openapi/fragments.js';
import { createChatCompletion } from './chat-completions.js';
import { createCompletion } from './completions.js';
import { createEmbeddings } from './embeddings.js';
import { listModels, retrieveModel } from './models.js';

const text: OpenApiPart = { type: 'string' };
const flag: OpenApiPart = { type: 'boolean' };
const count: OpenApiPart = { type: 'integer', minimum: 1 };
const usage: OpenApiPart = { type: 'object', additionalProperties: true };
const integer: OpenApiPart = { type: 'integer' };

const sampling: { readonly [field: string]: OpenApiPart } = {
  model: text,
  n: count,
  temperature: { type: 'number', minimum: 0, maximum: 2 },
  top_p: { type: 'number', minimum: 0, maximum: 1 },
  top_k: count,
  seed: integer,
  stop: { oneOf: [text, { type: 'array', items: text }] },
  frequency_penalty: { type: 'number', minimum: -2, maximum: 2 },
  presence_penalty: { type: 'number', minimum: -2, maximum: 2 },
  logit_bias: { type: 'object', additionalProperties: { type: 'number' } },
  stream: flag,
  stream_options: object({ include_usage: flag }),
};

const message = object({ role: text, content: { oneOf: [text, { type: 'array', items: { type: 'object' } }] } }, [
  'role',
]);
const ids: OpenApiPart = { type: 'array', items: integer };
const prompt: OpenApiPart = {
  oneOf: [text, { type: 'array', items: text }, ids, { type: 'array', items: ids }],
};

const completionRequest = object(
  { ...sampling, prompt, max_tokens: count, logprobs: { type: 'integer', minimum: 0, maximum: 20 }, echo: flag },
  ['model', 'prompt'],
);
const chatRequest = object(
  {
    ...sampling,
    messages: { type: 'array', items: message },
    max_completion_tokens: count,
    max_tokens: count,
    logprobs: flag,
    top_logprobs: { type: 'integer', minimum: 0, maximum: 20 },
  },
  ['model', 'messages'],
);
const embeddingRequest = object(
  {
    model: text,
    input: { oneOf: [text, { type: 'array', items: text }] },
    encoding_format: { enum: ['float', 'base64'] },
    dimensions: count,
  },
  ['model', 'input'],
);
const modelObject = object({ id: text, object: text, created: integer, owned_by: text });
const list = (items: OpenApiPart): OpenApiPart => object({ object: text, data: { type: 'array', items } });
const answer = object({
  ...{ id: text, object: text, created: integer, model: text },
  choices: { type: 'array', items: { type: 'object' } },
  usage,
});

/** OpenAI's API for models that write or embed texts. The body names the model, so its permission is checked when it is known. */
export const openAiRoutes: readonly Route[] = [
  {
    method: 'get',
    path: '/v1/models',
    action: 'read',
    summary: 'Models that write or embed texts',
    errors: 'openai',
    openapi: answers(list(modelObject)),
    handle: listModels,
  },
  {
    method: 'get',
    path: '/v1/models/:model',
    action: 'read',
    summary: 'One model, and the state of its versions as TensorFlow Serving tells it',
    errors: 'openai',
    openapi: answers(modelObject),
    handle: retrieveModel,
  },
  {
    method: 'post',
    path: '/v1/completions',
    action: 'infer',
    summary: 'Continue a text',
    errors: 'openai',
    openapi: asked(completionRequest, answer, true),
    handle: createCompletion,
  },
  {
    method: 'post',
    path: '/v1/chat/completions',
    action: 'infer',
    summary: 'Answer a chat',
    errors: 'openai',
    openapi: asked(chatRequest, answer, true),
    handle: createChatCompletion,
  },
  {
    method: 'post',
    path: '/v1/embeddings',
    action: 'infer',
    summary: 'Vectors of texts',
    errors: 'openai',
    openapi: asked(embeddingRequest, list({ type: 'object' }), false),
    handle: createEmbeddings,
  },
];

function object(properties: { readonly [field: string]: OpenApiPart }, required: readonly string[] = []): OpenApiPart {
  return { type: 'object', properties, ...(required.length === 0 ? {} : { required }) };
}

/** The request body and the answer of an operation; with `stream`, the answer is a stream of events. */
function asked(request: OpenApiPart, schema: OpenApiPart, isStreamed: boolean): OpenApiPart {
  const events = isStreamed ? { 'text/event-stream': { schema: text } } : {};
  return {
    requestBody: { required: true, content: { 'application/json': { schema: request } } },
    responses: { 200: { description: 'The answer.', content: { 'application/json': { schema }, ...events } } },
  };
}

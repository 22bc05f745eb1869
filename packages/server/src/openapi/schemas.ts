import { datatypes } from '../open-inference/datatype.js';
import { type OpenApiPart, reference } from './fragments.js';

const text: OpenApiPart = { type: 'string' };
const flag: OpenApiPart = { type: 'boolean' };
const count: OpenApiPart = { type: 'integer', minimum: 0 };
const anything: OpenApiPart = {};

function listOf(items: OpenApiPart): OpenApiPart {
  return { type: 'array', items };
}

function objectOf(properties: { readonly [name: string]: OpenApiPart }, required: readonly string[] = []): OpenApiPart {
  return { type: 'object', properties, ...(required.length === 0 ? {} : { required }) };
}

const datatype: OpenApiPart = { type: 'string', enum: Object.values(datatypes) };
const shape = listOf({ type: 'integer' });
const parameters: OpenApiPart = {
  type: 'object',
  additionalProperties: { type: ['string', 'number', 'boolean'] },
};
const data: OpenApiPart = {
  description:
    'Flat or nested as the shape says. 64-bit integers may be texts of digits, floats "NaN", "Infinity" and "-Infinity".',
  type: 'array',
  items: anything,
};
const duration = objectOf({ count, ns: count });

const raw: OpenApiPart = {
  oneOf: [text, objectOf({ b64: { type: 'string', contentEncoding: 'base64' } }, ['b64'])],
};

/** Schemas that routes refer to by name. */
export const schemas: { readonly [name: string]: OpenApiPart } = {
  Error: objectOf({ error: text }, ['error']),
  OpenAiError: objectOf({
    error: objectOf({ message: text, type: text, param: { type: ['string', 'null'] }, code: text }),
  }),
  ServerMetadata: objectOf({ name: text, version: text, extensions: listOf(text) }, ['name', 'version', 'extensions']),
  TensorMetadata: objectOf({ name: text, datatype, shape }, ['name', 'datatype', 'shape']),
  ModelMetadata: objectOf(
    {
      name: text,
      versions: listOf(text),
      platform: text,
      inputs: listOf(reference('TensorMetadata')),
      outputs: listOf(reference('TensorMetadata')),
      sha256: text,
      abilities: objectOf({ generates: flag, embeds: flag, takes_raw_inputs: flag }),
      processing: objectOf({ inputs: { type: 'object' }, outputs: { type: 'object' } }),
    },
    ['name', 'platform', 'inputs', 'outputs'],
  ),
  ModelReady: objectOf({ name: text, ready: flag }, ['name', 'ready']),
  InputTensor: objectOf({ name: text, shape, datatype, parameters, data }, ['name', 'shape', 'datatype']),
  RequestedOutput: objectOf({ name: text, parameters }, ['name']),
  InferenceRequest: objectOf(
    { id: text, parameters, inputs: listOf(reference('InputTensor')), outputs: listOf(reference('RequestedOutput')) },
    ['inputs'],
  ),
  OutputTensor: objectOf({ name: text, shape, datatype, parameters, data }, ['name', 'shape', 'datatype']),
  InferenceResponse: objectOf(
    { id: text, model_name: text, model_version: text, outputs: listOf(reference('OutputTensor')) },
    ['model_name', 'outputs'],
  ),
  PredictRequest: objectOf(
    {
      examples: {
        ...listOf({ oneOf: [raw, { type: 'object', additionalProperties: raw }] }),
        minItems: 1,
        maxItems: 256,
      },
    },
    ['examples'],
  ),
  PredictResponse: objectOf(
    { model_name: text, model_version: text, predictions: listOf({ type: 'object', additionalProperties: anything }) },
    ['model_name', 'model_version', 'predictions'],
  ),
  RepositoryIndexRequest: objectOf({ ready: flag }),
  RepositoryIndex: listOf(
    objectOf(
      {
        name: text,
        version: text,
        state: { type: 'string', enum: ['UNAVAILABLE', 'LOADING', 'READY', 'UNLOADING'] },
        reason: text,
      },
      ['name'],
    ),
  ),
  ModelStatistics: objectOf(
    {
      model_stats: listOf(
        objectOf({
          name: text,
          version: text,
          last_inference: count,
          inference_count: count,
          execution_count: count,
          inference_stats: { type: 'object', additionalProperties: duration },
          batch_stats: listOf(anything),
          memory_usage: listOf(anything),
        }),
      ),
    },
    ['model_stats'],
  ),
  TensorFlowPredictRequest: objectOf({ signature_name: text, instances: listOf(anything), inputs: anything }),
  TensorFlowPredictResponse: objectOf({ predictions: listOf(anything), outputs: anything }),
};

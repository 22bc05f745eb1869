import { ModelwrightError } from '@modelwright/core';
import type { Context } from 'hono';
import type { RawAnswer } from '../contract/model-hub.js';
import type { ModelInfo } from '../contract/model-info.js';
import type { RequestScope } from '../contract/route.js';
import { jsonResponse, parseObject, readBody } from '../open-inference/request-body.js';
import { namedModel } from './model-name.js';
import { invalidField, RequestFields } from './request-fields.js';

/** As OpenAI's API has it. */
const mostInputs = 2048;

/** `POST /v1/embeddings` */
export async function createEmbeddings(context: Context, scope: RequestScope): Promise<Response> {
  const fields = new RequestFields(parseObject(await readBody(context)));
  const { given, model, version } = namedModel(fields);
  const output = embeddingOutputOf(scope.hub.info(model, version));
  const examples = textsOf(fields);
  const encode = encodingOf(fields);
  const { signal, deadline } = scope;
  const request = { model, examples, ...(version === undefined ? {} : { version }) };
  const { answers, inputTokens = 0 } = await scope.hub.inferRaw(request, {
    signal,
    ...(deadline === undefined ? {} : { deadline }),
  });
  const vectors = answers.map((answer) => vectorOf(answer, output));
  requireDimensions(fields, vectors[0]);
  return jsonResponse({
    object: 'list',
    data: vectors.map((vector, index) => ({ object: 'embedding', index, embedding: encode(vector) })),
    model: given,
    usage: { prompt_tokens: inputTokens, total_tokens: inputTokens },
  });
}

/** Which output is the vector of a text. */
function embeddingOutputOf({ name, processing }: ModelInfo): string {
  for (const [output, { kind }] of Object.entries(processing?.outputs ?? {})) if (kind === 'embedding') return output;
  throw new ModelwrightError('unsupported-op', `model '${name}' does not give embeddings`, {
    input: 'model',
    given: name,
  });
}

function textsOf(fields: RequestFields): readonly string[] {
  const given = fields.required('input');
  const isIds = Array.isArray(given) && given.some((each) => typeof each === 'number' || Array.isArray(each));
  if (isIds)
    throw invalidField(
      'input',
      'holds ids of tokens; send texts, since ids of another vocabulary would mean something else',
    );
  const texts = fields.texts('input', mostInputs) ?? [];
  if (texts.length === 0 || texts.includes('')) throw invalidField('input', 'must be texts that are not empty');
  return texts;
}

function encodingOf(fields: RequestFields): (vector: Float32Array) => string | readonly number[] {
  const format = fields.text('encoding_format') ?? 'float';
  if (format === 'float') return (vector) => Array.from(vector);
  if (format === 'base64') return toBase64;
  throw invalidField('encoding_format', "must be 'float' or 'base64'");
}

/** Single precision, little-endian. */
function toBase64(vector: Float32Array): string {
  const bytes = new DataView(new ArrayBuffer(vector.length * 4));
  vector.forEach((value, index) => {
    bytes.setFloat32(index * 4, value, true);
  });
  let binary = '';
  for (let at = 0; at < bytes.byteLength; at++) binary += String.fromCharCode(bytes.getUint8(at));
  return btoa(binary);
}

function vectorOf(answer: RawAnswer, output: string): Float32Array {
  const vector = answer[output];
  if (Array.isArray(vector) || ArrayBuffer.isView(vector)) return Float32Array.from(vector as ArrayLike<number>);
  throw new ModelwrightError('backend-failure', `output '${output}' is no vector`);
}

function requireDimensions(fields: RequestFields, vector: Float32Array | undefined): void {
  const wanted = fields.integer('dimensions', [1, 2 ** 31]);
  if (wanted === undefined || vector === undefined || wanted === vector.length) return;
  throw invalidField('dimensions', `is ${wanted}, but the model gives ${vector.length}`);
}

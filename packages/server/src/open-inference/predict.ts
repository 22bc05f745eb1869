import { ModelwrightError } from '@modelwright/core';
import type { Context } from 'hono';
import type { RawRequest } from '../contract/model-hub.js';
import type { RequestScope } from '../contract/route.js';
import { callOptions } from './infer.js';
import {
  decodeText,
  isJsonObject,
  type JsonObject,
  jsonResponse,
  parseObject,
  pathParameter,
  readBody,
} from './request-body.js';

type Example = RawRequest['examples'][number];
type RawValue = Uint8Array | string;

/** Examples of one request at most; more than that is several requests. */
const maxExamples = 256;

function invalid(message: string): ModelwrightError {
  return new ModelwrightError('invalid-argument', message);
}

/** Bytes of standard base64; what is none is refused. */
export function fromBase64(text: string): Uint8Array {
  let binary: string;
  try {
    binary = atob(text);
  } catch {
    throw invalid("'b64' must be base64");
  }
  const bytes = new Uint8Array(binary.length);
  for (let index = 0; index < bytes.length; index++) bytes[index] = binary.charCodeAt(index);
  return bytes;
}

function readValue(value: unknown): RawValue | undefined {
  if (typeof value === 'string') return value;
  const isBytes = isJsonObject(value) && Object.keys(value).length === 1 && typeof value['b64'] === 'string';
  return isBytes ? fromBase64(value['b64'] as string) : undefined;
}

function readExample(example: unknown): Example {
  const value = readValue(example);
  if (value !== undefined) return value;
  if (!isJsonObject(example)) throw invalid('an example is a text, {"b64": …}, or an object of these by input name');
  const entries = Object.entries(example).map(([name, part]): [string, RawValue] => {
    const read = readValue(part);
    if (read === undefined) throw invalid(`input '${name.slice(0, 64)}' of an example must be a text or {"b64": …}`);
    return [name, read];
  });
  return Object.fromEntries(entries);
}

function fromJsonBody(body: JsonObject): readonly Example[] {
  const { examples } = body;
  if (!Array.isArray(examples)) throw invalid(`'examples' must be an array of 1 to ${maxExamples} texts or pictures`);
  checkCount(examples.length);
  return examples.map(readExample);
}

function checkCount(count: number): void {
  if (count >= 1 && count <= maxExamples) return;
  throw invalid(`a request has 1 to ${maxExamples} examples, but ${count} were given`);
}

/** Fields of a form are inputs of one example; a form with the single field `file` or `text` names none. */
async function fromForm(body: Uint8Array<ArrayBuffer>, contentType: string): Promise<readonly Example[]> {
  let form: FormData;
  try {
    form = await new Response(body, { headers: { 'content-type': contentType } }).formData();
  } catch {
    throw invalid('the form is not valid multipart/form-data');
  }
  const parts = new Map<string, RawValue>();
  for (const [name, value] of form) {
    if (parts.has(name)) throw invalid(`field '${name.slice(0, 64)}' is given twice`);
    parts.set(name, typeof value === 'string' ? value : new Uint8Array(await value.arrayBuffer()));
  }
  checkCount(parts.size);
  const alone = parts.size === 1 ? (parts.get('file') ?? parts.get('text')) : undefined;
  return [alone ?? Object.fromEntries(parts)];
}

async function readExamples(context: Context): Promise<readonly Example[]> {
  const body = await readBody(context);
  const contentType = context.req.header('content-type') ?? 'application/json';
  const type = contentType.split(';')[0]?.trim().toLowerCase() ?? '';
  if (type === 'application/json') return fromJsonBody(parseObject(body));
  if (type === 'multipart/form-data') return fromForm(body, contentType);
  if (type === 'text/plain') return [decodeText(body)];
  if (type === 'application/octet-stream' || type.startsWith('image/')) return [body];
  throw invalid(
    `content-type '${type.slice(0, 64)}' is not taken: send image/png, image/jpeg, text/plain, multipart/form-data or JSON`,
  );
}

/** Pictures and texts in, labels and vectors out, by the processing that the model came with. */
export async function predict(context: Context, scope: RequestScope): Promise<Response> {
  const model = pathParameter(context, 'model');
  const version = context.req.param('version');
  const examples = await readExamples(context);
  const result = await scope.hub.inferRaw(
    { model, ...(version === undefined ? {} : { version }), examples },
    callOptions(scope),
  );
  return jsonResponse({ model_name: model, model_version: result.version, predictions: result.answers });
}

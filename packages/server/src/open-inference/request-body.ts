import { ModelwrightError } from '@modelwright/core';
import type { Context } from 'hono';
import { parseExact } from './exact-json.js';

/** A JSON object off a request. */
export type JsonObject = { readonly [key: string]: unknown };

/** Whether `value` is an object and no array. */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const decoder = new TextDecoder('utf-8', { fatal: true });

/** UTF-8 as text; throws `invalid-argument` if it is none. */
export function decodeText(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch (cause) {
    throw new ModelwrightError('invalid-argument', 'the request is not valid UTF-8', { cause });
  }
}

/** Lists and objects that a request may hold. Three bytes of text become fifty or more of memory each, a number takes eight at most. */
const maxContainers = 2 ** 21;
const [bracket, brace] = [0x5b, 0x7b];

/**
 * Counts the lists and objects of a long text before it is parsed, so that a body which may be long cannot fill the memory. Those within
 * strings count, too: nobody sends that many.
 *
 * @throws {@link ModelwrightError} `limit-exceeded`.
 */
export function checkContainers(bytes: Uint8Array): void {
  if (bytes.length <= maxContainers) return;
  let count = 0;
  for (let index = 0; index < bytes.length; index++) {
    const byte = bytes[index];
    if (byte === bracket || byte === brace) count++;
  }
  if (count <= maxContainers) return;
  throw new ModelwrightError(
    'limit-exceeded',
    `a request may hold ${maxContainers} lists and objects, not ${count}: send flat or binary data`,
    { given: count, allowed: maxContainers },
  );
}

/** Parses the bytes of a request as a JSON object, 64-bit integers without loss; an empty body is `{}`. */
export function parseObject(bytes: Uint8Array): JsonObject {
  checkContainers(bytes);
  const text = decodeText(bytes);
  const value = text.trim() === '' ? {} : parseExact(text);
  if (isJsonObject(value)) return value;
  throw new ModelwrightError('invalid-argument', 'the request must be a JSON object');
}

/** The body of a request; the server has checked its length. Compressed ones are refused: they could hold any amount. */
export async function readBody(context: Context): Promise<Uint8Array<ArrayBuffer>> {
  const encoding = context.req.header('content-encoding');
  if (encoding !== undefined && encoding !== 'identity') {
    const message = `content-encoding '${encoding.slice(0, 32)}' is not taken: send the body as it is`;
    throw new ModelwrightError('invalid-argument', message);
  }
  return new Uint8Array(await context.req.arrayBuffer());
}

/** A path parameter that the route's path has. */
export function pathParameter(context: Context, name: string): string {
  return context.req.param(name) ?? '';
}

/** An object as an answer. */
export function jsonResponse(value: unknown, status = 200): Response {
  return new Response(JSON.stringify(value), { status, headers: { 'content-type': 'application/json' } });
}

import type { Tensor } from '@modelwright/core';
import type { InferenceResult } from '../contract/model-hub.js';
import { toBinary } from './binary-tensor.js';
import { classify } from './classification.js';
import { datatypeOf } from './datatype.js';
import { headerLengthName, type ParsedInference, type RequestedOutput } from './inference-request.js';
import { toJson } from './json-tensor.js';

/**
 * The answer to an inference: JSON, and behind it the tensors that were asked for as raw bytes.
 *
 * @param labels - By output name, for outputs asked for as classes.
 */
export function renderInference(
  request: ParsedInference,
  result: InferenceResult,
  labels: { readonly [output: string]: readonly string[] } = {},
): Response {
  const parts = request.outputs.map((output) => renderOutput(output, tensorFor(output, result, labels)));
  const head = JSON.stringify({
    ...(request.id === undefined ? {} : { id: request.id }),
    model_name: result.model,
    model_version: result.version,
  });
  // Put together as text, since 64-bit integers have no other way into JSON.
  const json = `${head.slice(0, -1)},"outputs":[${parts.map((part) => part.json).join(',')}]}`;
  const binary = parts.flatMap((part) => part.bytes ?? []);
  if (binary.length === 0) return new Response(json, { headers: { 'content-type': 'application/json' } });
  const header = new TextEncoder().encode(json);
  return new Response(concatenate([header, ...binary]), {
    headers: { 'content-type': 'application/octet-stream', [headerLengthName]: String(header.byteLength) },
  });
}

function tensorFor(
  { name, classification }: RequestedOutput,
  result: InferenceResult,
  labels: { readonly [output: string]: readonly string[] },
): Tensor {
  const tensor = result.outputs[name] as Tensor;
  return classification === undefined ? tensor : classify(tensor, classification, labels[name]);
}

function renderOutput(
  { name, isBinary }: RequestedOutput,
  tensor: Tensor,
): { readonly json: string; readonly bytes?: Uint8Array<ArrayBuffer> } {
  const facts = { name, datatype: datatypeOf(tensor.dtype), shape: tensor.shape };
  if (!isBinary) return { json: `${JSON.stringify(facts).slice(0, -1)},"data":${toJson(tensor)}}` };
  const bytes = toBinary(tensor);
  return { json: JSON.stringify({ ...facts, parameters: { binary_data_size: bytes.byteLength } }), bytes };
}

function concatenate(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, { byteLength }) => sum + byteLength, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.byteLength;
  }
  return whole;
}

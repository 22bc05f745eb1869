import { isFloat, ModelwrightError, type Tensor, toNumbers } from '@modelwright/core';
import type { ModelInfo } from '../contract/model-info.js';
import { parseExact } from '../open-inference/exact-json.js';
import { fromJson } from '../open-inference/json-tensor.js';
import { fromBase64 } from '../open-inference/predict.js';
import { checkContainers, decodeText, isJsonObject, type JsonObject } from '../open-inference/request-body.js';
import { checkDeclared, defaultTensorLimits, readShape } from '../open-inference/shape-limits.js';

const bareFloat = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\b(?:NaN|Infinity)\b/gs;

/** Parses a request as TensorFlow Serving does: `NaN` and `Infinity` may stand bare, as Python writes them. */
export function parseWithFloats(bytes: Uint8Array): JsonObject {
  checkContainers(bytes);
  const text = decodeText(bytes);
  const hasBare = text.includes('NaN') || text.includes('Infinity');
  const value = parseExact(
    hasBare ? text.replace(bareFloat, (match) => (match[0] === '"' ? match : `"${match}"`)) : text,
  );
  if (isJsonObject(value)) return value;
  throw new ModelwrightError('invalid-argument', 'the request must be a JSON object');
}

/** Whether `value` is bytes: an object whose only key is `b64`. */
export function isBase64Object(value: unknown): value is { readonly b64: string } {
  return isJsonObject(value) && Object.keys(value).length === 1 && typeof value['b64'] === 'string';
}

/**
 * A tensor off nested lists, whose shape is that of the nesting.
 *
 * @throws {@link ModelwrightError} `invalid-argument`, `shape-mismatch`, `value-out-of-range`, `limit-exceeded` naming the input.
 */
export function fromNested(name: string, value: unknown, info: ModelInfo): Tensor {
  const dtype = info.inputs.find((input) => input.name === name)?.dtype ?? 'float32';
  const { shape, elementCount } = readShape(name, shapeOf(value));
  checkDeclared(info.inputs, name, dtype, shape);
  const data = dtype === 'string' ? withTexts(value) : value;
  return fromJson(name, dtype, shape, elementCount, shape.length === 0 ? [data] : data);
}

/** The shape that the first elements have; whether all others agree is seen when they are read. */
function shapeOf(value: unknown): number[] {
  const shape: number[] = [];
  let level = value;
  while (Array.isArray(level) && shape.length <= defaultTensorLimits.maxRank) {
    shape.push(level.length);
    level = level[0];
  }
  return shape;
}

/** Depth is bounded: shapes of more axes have been refused before. */
function withTexts(value: unknown, depth = 0): unknown {
  if (isBase64Object(value)) return decodeText(fromBase64(value.b64));
  if (!Array.isArray(value) || depth > defaultTensorLimits.maxRank) return value;
  return value.map((element) => withTexts(element, depth + 1));
}

/** A tensor as nested lists, as TensorFlow Serving writes them: floats that are no numbers stand bare. */
export function toNested(name: string, tensor: Tensor): string {
  const elements = elementsOf(name, tensor);
  return nest(elements, tensor.shape);
}

/** One text for every element of the first axis. */
export function toRows(name: string, tensor: Tensor): readonly string[] {
  const elements = elementsOf(name, tensor);
  const [rows = 0, ...rest] = tensor.shape;
  const perRow = rows === 0 ? 0 : elements.length / rows;
  return Array.from({ length: rows }, (_, row) => nest(elements.slice(row * perRow, (row + 1) * perRow), rest));
}

function elementsOf(name: string, tensor: Tensor): readonly string[] {
  const { dtype, data } = tensor;
  if (dtype === 'string') return (data as string[]).map((text) => textOf(name, text));
  if (dtype === 'bool') return Array.from(data as Uint8Array, (value) => String(value !== 0));
  if (isFloat(dtype)) return Array.from(toNumbers(tensor), String);
  return Array.from(data as Int32Array, String);
}

/** Outputs whose name says that they are bytes come as such. */
function textOf(name: string, text: string): string {
  if (!name.endsWith('_bytes')) return JSON.stringify(text);
  const binary = Array.from(new TextEncoder().encode(text), (byte) => String.fromCharCode(byte)).join('');
  return JSON.stringify({ b64: btoa(binary) });
}

function nest(elements: readonly string[], shape: readonly number[]): string {
  if (shape.length === 0) return elements[0] as string;
  const [extent, ...rest] = shape as [number, ...number[]];
  if (rest.length === 0) return `[${elements.join(',')}]`;
  const size = rest.reduce((product, each) => product * each, 1);
  const parts = Array.from({ length: extent }, (_, index) =>
    nest(elements.slice(index * size, (index + 1) * size), rest),
  );
  return `[${parts.join(',')}]`;
}

import { isFloat, Tensor, type TensorMap, toNumbers } from '@modelwright/core';

/** One number (or word) that an example says about its distribution. */
export interface FeatureValue {
  /** `x[3]`, `x.mean`, `text.words` */
  readonly feature: string;
  readonly input: string;
  /** A number; or a word or id, by a hash one of so many categories. */
  readonly kind: 'number' | 'category';
  readonly value: number;
  readonly categories?: number;
  /** Values of this feature that one example gives; default 1. */
  readonly perExample?: number;
}

/** An example has one text, but many ids: those fill more categories. */
const textCategories = 32;
const idCategories = 256;

/** Inputs of so few elements are looked at one by one; of larger ones, what describes them as a whole. */
const mostElements = 32;
/** Elements of one example that are looked at, evenly spread. */
const mostSamples = 2048;
/** Ids of one example that are counted. */
const mostCategories = 64;

/**
 * What one example of a request tells.
 *
 * Floats and bools: each element, or mean and deviation of many. Integers: the value, or of many (token ids, say) their length and the
 * categories of some. Texts: length and category.
 *
 * @param example - Which one, along the first axis.
 * @param count - Examples in the request; inputs with another first extent belong to all of them.
 */
export function* featuresOf(inputs: TensorMap, example: number, count: number): Generator<FeatureValue> {
  for (const [input, tensor] of Object.entries(inputs)) {
    const isBatched = tensor.shape[0] === count;
    const length = isBatched ? tensor.elementCount / count : tensor.elementCount;
    if (length === 0) continue;
    const start = isBatched ? example * length : 0;
    if (tensor.dtype === 'string') yield* textFeatures(input, (tensor.data as string[])[start] ?? '');
    else if (!isFloat(tensor.dtype) && tensor.dtype !== 'bool' && length > 1)
      yield* idFeatures(input, tensor, start, length);
    else if (length <= mostElements) yield* elementFeatures(input, tensor, start, length);
    else yield* summaryFeatures(input, tensor, start, length);
  }
}

function* textFeatures(input: string, text: string): Generator<FeatureValue> {
  yield { feature: `${input}.length`, input, kind: 'number', value: text.length };
  yield { feature: `${input}.text`, input, kind: 'category', value: categoryOfText(text), categories: textCategories };
}

function* idFeatures(input: string, { data }: Tensor, start: number, length: number): Generator<FeatureValue> {
  yield { feature: `${input}.length`, input, kind: 'number', value: length };
  const step = Math.max(1, Math.ceil(length / mostCategories));
  const perExample = Math.ceil(length / step);
  for (let at = start; at < start + length; at += step) {
    const value = categoryOfId(Number(data[at]));
    yield { feature: `${input}.ids`, input, kind: 'category', value, categories: idCategories, perExample };
  }
}

function* elementFeatures(input: string, tensor: Tensor, start: number, length: number): Generator<FeatureValue> {
  const values = valuesOf(tensor, start, length, 1);
  for (let index = 0; index < length; index++) {
    const feature = length === 1 ? input : `${input}[${index}]`;
    yield { feature, input, kind: 'number', value: values[index] as number };
  }
}

function* summaryFeatures(input: string, tensor: Tensor, start: number, length: number): Generator<FeatureValue> {
  const values = valuesOf(tensor, start, length, Math.max(1, Math.ceil(length / mostSamples)));
  let sum = 0;
  let squares = 0;
  // By index: this runs for every example of every request.
  for (let index = 0; index < values.length; index++) {
    const value = values[index] as number;
    sum += value;
    squares += value * value;
  }
  const mean = sum / values.length;
  // What is not finite makes both so, and is counted as such.
  const deviation = Math.sqrt(Math.max(0, squares / values.length - mean * mean));
  yield { feature: `${input}.mean`, input, kind: 'number', value: mean };
  yield { feature: `${input}.deviation`, input, kind: 'number', value: Number.isFinite(mean) ? deviation : Number.NaN };
}

/** Some elements as doubles; 16-bit floats are bits until then. */
function valuesOf({ dtype, data }: Tensor, start: number, length: number, step: number): Float64Array {
  const picked = Math.ceil(length / step);
  if (dtype === 'float32' || dtype === 'float64') {
    const values = new Float64Array(picked);
    for (let index = 0; index < picked; index++) values[index] = data[start + index * step] as number;
    return values;
  }
  const numbers = toNumbers(new Tensor(dtype, [length], data.slice(start, start + length) as never));
  return numbers.filter((_, index) => index % step === 0);
}

/** Neighbouring ids fall into different categories. */
function categoryOfId(id: number): number {
  return (Math.imul(id | 0, 0x9e3779b1) >>> 16) % idCategories;
}

function categoryOfText(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < Math.min(text.length, 256); index++) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  }
  return (hash >>> 8) % textCategories;
}

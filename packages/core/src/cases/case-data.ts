import { type DType, dtypeFacts, isInteger } from '../tensor/dtype.js';
import { elementCountOf, fromNumbers, type Tensor, tensor } from '../tensor/tensor.js';
import type { CaseInput } from './case.js';

/** A sequence of numbers in [0, 1) that `seed` alone determines. */
export function uniformSequence(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x9e3779b9) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
    return ((mixed ^ (mixed >>> 15)) >>> 0) / 2 ** 32;
  };
}

/** FNV-1a of the text. */
export function seedOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return hash >>> 0;
}

/**
 * The tensor of a case's input.
 *
 * @param key - Determines random elements: the case's id and the input's place.
 * @param dtype - Default the input's own; the gradient check asks for float64.
 */
export function caseTensor(input: CaseInput, key: string, dtype: DType = input.dtype): Tensor {
  const { shape, values } = input;
  if (values !== undefined) return tensor(values as readonly number[], { dtype, shape });
  const next = uniformSequence(seedOf(key));
  const count = elementCountOf(shape);
  const numbers = input.distinct ? distinctNumbers(input, count, next) : randomNumbers(input, count, next);
  return fromNumbers(dtype, shape, numbers);
}

function rangeOf({ dtype, low, high }: CaseInput): readonly [number, number] {
  const { kind } = dtypeFacts[dtype];
  const isSigned = kind === 'int' || kind === 'float';
  const top = kind === 'float' ? 2 : kind === 'bool' ? 1 : 7;
  return [low ?? (isSigned ? (kind === 'int' ? -7 : -2) : 0), high ?? top];
}

function randomNumbers(input: CaseInput, count: number, next: () => number): Float64Array {
  const [low, high] = rangeOf(input);
  const isWhole = isInteger(input.dtype) || input.dtype === 'bool';
  const draw = (): number => (isWhole ? low + Math.floor(next() * (high - low + 1)) : low + next() * (high - low));
  return Float64Array.from({ length: count }, () => {
    let value = draw();
    while (input.avoid?.some((point) => Math.abs(point - value) < 0.05)) value = draw();
    return value;
  });
}

// Evenly spaced with a little jitter, then shuffled (Fisher and Yates).
function distinctNumbers(input: CaseInput, count: number, next: () => number): Float64Array {
  const [low, high] = rangeOf(input);
  const gap = (high - low) / Math.max(count, 1);
  const numbers = Float64Array.from({ length: count }, (_, at) => low + (at + 0.25 + next() / 2) * gap);
  for (let at = count - 1; at > 0; at--) {
    const other = Math.floor(next() * (at + 1));
    [numbers[at], numbers[other]] = [numbers[other] as number, numbers[at] as number];
  }
  return numbers;
}

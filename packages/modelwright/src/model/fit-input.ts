import {
  allocateData,
  castTensor,
  compatibleShape,
  dtypeFacts,
  formatShape,
  ModelwrightError,
  reshapeTensor,
  Tensor,
} from '@modelwright/core';
import type { NamedType } from '../files/tensor-files.js';

/** A tensor that fits an input, and what was done so that it does. */
export interface FittedInput {
  readonly tensor: Tensor;
  readonly notes: readonly string[];
}

/**
 * Makes a tensor fit an input where no value is lost that a model would notice: float64 becomes float32, integers widen
 * or become floating, one sample gets its batch axis and grey images their channel. Everything else is left as it is, for the backend to refuse.
 */
export function fitInput(input: NamedType, given: Tensor): FittedInput {
  const notes: string[] = [];
  let fitted = given;
  if (fitted.dtype !== input.dtype && isCastable(fitted, input)) {
    notes.push(`'${input.name}': converted from ${fitted.dtype} to ${input.dtype}`);
    fitted = castTensor(fitted, input.dtype);
  }
  const reshaped = [
    { shape: [1, ...fitted.shape], as: 'a batch of one' },
    { shape: [...fitted.shape, 1], as: 'having one channel' },
    { shape: [1, ...fitted.shape, 1], as: 'a batch of one with one channel' },
  ].find(({ shape }) => compatibleShape(shape, input.shape));
  if (reshaped !== undefined && !compatibleShape(fitted.shape, input.shape)) {
    notes.push(`'${input.name}': ${formatShape(fitted.shape)} taken as ${reshaped.as}`);
    fitted = reshapeTensor(fitted, reshaped.shape);
  }
  return { tensor: fitted, notes };
}

function isCastable(given: Tensor, input: NamedType): boolean {
  const from = dtypeFacts[given.dtype].kind;
  const to = dtypeFacts[input.dtype].kind;
  if (from === 'string' || to === 'string') return false;
  return to === 'float' || (from !== 'float' && to !== 'bool');
}

/**
 * Joins samples along their first axis.
 *
 * @throws {@link ModelwrightError} `shape-mismatch` if their dtypes or other extents differ.
 */
export function stackBatches(name: string, parts: readonly Tensor[]): Tensor {
  const [first, ...others] = parts as readonly [Tensor, ...Tensor[]];
  if (others.length === 0) return first;
  const row = formatShape(first.shape.slice(1));
  for (const part of others) {
    if (part.dtype === first.dtype && part.rank === first.rank && formatShape(part.shape.slice(1)) === row) continue;
    const message = `the files for input '${name}' do not fit together: ${describe(first)} and ${describe(part)}`;
    throw new ModelwrightError('shape-mismatch', message, { input: name, given: part.shape, allowed: first.shape });
  }
  const count = parts.reduce((sum, part) => sum + part.elementCount, 0);
  const data = allocateData(first.dtype, count) as unknown[];
  let offset = 0;
  for (const part of parts) for (let at = 0; at < part.elementCount; at++) data[offset++] = part.data[at];
  const batch = parts.reduce((sum, part) => sum + (part.shape[0] ?? 1), 0);
  return new Tensor(first.dtype, [batch, ...first.shape.slice(1)], data as never);
}

function describe({ dtype, shape }: Tensor): string {
  return `${dtype} ${formatShape(shape)}`;
}

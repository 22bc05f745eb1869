import { allocateData, ModelwrightError, sameShape, Tensor } from '@modelwright/core';

/** Batches of results one after the other along the first axis. */
export function concatenateBatches(parts: readonly Tensor[], name: string): Tensor {
  const [first, ...others] = parts;
  if (first === undefined)
    throw new ModelwrightError('invalid-data', 'the data set is empty: there is nothing to predict');
  if (others.length === 0) return first;
  const rowShape = first.shape.slice(1);
  const odd = others.find(({ shape }) => !sameShape(shape.slice(1), rowShape));
  if (odd !== undefined || first.rank === 0) {
    throw new ModelwrightError(
      'shape-mismatch',
      `output '${name}' cannot be put together from batches: it is [${first.shape}], then [${odd?.shape ?? first.shape}]`,
      { layer: name, given: odd?.shape ?? first.shape, allowed: first.shape },
    );
  }
  const examples = parts.reduce((sum, { shape }) => sum + (shape[0] as number), 0);
  const data = allocateData(
    first.dtype,
    parts.reduce((sum, { elementCount }) => sum + elementCount, 0),
  );
  let offset = 0;
  for (const part of parts) {
    if (Array.isArray(data)) for (const [index, text] of (part.data as string[]).entries()) data[offset + index] = text;
    else (data as Float32Array).set(part.data as Float32Array, offset);
    offset += part.elementCount;
  }
  return new Tensor(first.dtype, [examples, ...rowShape], data as never);
}

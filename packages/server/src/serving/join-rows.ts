import { allocateData, ModelwrightError, Tensor, type TensorMap } from '@modelwright/core';

/** Puts the rows of several requests behind each other along the first axis; their shapes agree but for it. */
export function joinRows(requests: readonly TensorMap[]): TensorMap {
  const [first, ...more] = requests as [TensorMap, ...TensorMap[]];
  if (more.length === 0) return first;
  const joined: { [name: string]: Tensor } = {};
  for (const name of Object.keys(first)) joined[name] = joinTensors(requests.map((inputs) => inputs[name] as Tensor));
  return joined;
}

function joinTensors(tensors: readonly Tensor[]): Tensor {
  const { dtype, shape } = tensors[0] as Tensor;
  let rows = 0;
  let count = 0;
  for (const one of tensors) {
    rows += one.shape[0] as number;
    count += one.data.length;
  }
  const joinedShape = [rows, ...shape.slice(1)];
  if (dtype === 'string')
    return new Tensor(
      dtype,
      joinedShape,
      tensors.flatMap(({ data }) => data as string[]),
    );
  const data = allocateData(dtype, count) as Float32Array;
  let offset = 0;
  for (const one of tensors) {
    data.set(one.data as Float32Array, offset);
    offset += one.data.length;
  }
  return new Tensor(dtype, joinedShape, data as never);
}

/**
 * Cuts outputs of a batch into those of its requests. Every part has memory of its own, so that no answer carries its neighbours'.
 *
 * @param rowCounts - Rows of each request, in order.
 * @throws {@link ModelwrightError} `backend-failure` if an output has another number of rows than went in.
 */
export function splitRows(outputs: TensorMap, rowCounts: readonly number[]): TensorMap[] {
  if (rowCounts.length === 1) return [outputs];
  const total = rowCounts.reduce((sum, count) => sum + count, 0);
  const parts: { [name: string]: Tensor }[] = rowCounts.map(() => ({}));
  for (const [name, output] of Object.entries(outputs)) {
    const { dtype, shape, data } = output;
    if (shape[0] !== total) throw unequalRows(name, shape, total);
    const width = data.length / total;
    let row = 0;
    for (const [index, count] of rowCounts.entries()) {
      const part = data.slice(row * width, (row + count) * width);
      (parts[index] as { [name: string]: Tensor })[name] = new Tensor(dtype, [count, ...shape.slice(1)], part as never);
      row += count;
    }
  }
  return parts;
}

/** Rows `[start, end)` of every input, over the same memory. */
export function sliceRows(inputs: TensorMap, start: number, end: number): TensorMap {
  const sliced: { [name: string]: Tensor } = {};
  for (const [name, { dtype, shape, data }] of Object.entries(inputs)) {
    const width = data.length / (shape[0] as number);
    const part = Array.isArray(data)
      ? data.slice(start * width, end * width)
      : (data as Float32Array).subarray(start * width, end * width);
    sliced[name] = new Tensor(dtype, [end - start, ...shape.slice(1)], part as never);
  }
  return sliced;
}

function unequalRows(name: string, shape: readonly number[], rows: number): ModelwrightError {
  return new ModelwrightError(
    'backend-failure',
    `output '${name}' is [${shape}] for ${rows} examples: the model has no batch axis; set its maxBatchSize to 0`,
    { given: shape, allowed: rows },
  );
}

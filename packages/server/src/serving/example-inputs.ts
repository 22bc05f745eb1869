import { allocateData, type DType, isBigInt, isFloat, Tensor, type TensorMap, toFloat16Bits } from '@modelwright/core';
import type { TensorInfo } from '@modelwright/deployment';

/** How made-up inputs are chosen. */
export interface ExampleOptions {
  /** Extent of the first axis where it is open. */
  readonly rows: number;
  /** Extent of all other open axes. */
  readonly extent: number;
  /** Whether values differ from row to row; else they are 0, which is an index of every table. */
  readonly isVaried: boolean;
}

/** Made-up inputs for a model, the same in every process. */
export function exampleInputs(inputs: readonly TensorInfo[], options: ExampleOptions): TensorMap {
  return Object.fromEntries(inputs.map((input, index) => [input.name, exampleTensor(input, options, index + 1)]));
}

function exampleTensor({ dtype, shape }: TensorInfo, { rows, extent, isVaried }: ExampleOptions, seed: number): Tensor {
  const concrete = shape.map((each, axis) => (typeof each === 'number' ? each : axis === 0 ? rows : extent));
  const count = concrete.reduce((product, each) => product * each, 1);
  const data = allocateData(dtype, count) as unknown as unknown[];
  let state = seed;
  for (let index = 0; index < count && isVaried; index++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    data[index] = element(dtype, state / 2 ** 32);
  }
  return new Tensor(dtype, concrete, data as never);
}

/** Numbers in [0, 1), whole ones 0 or 1, so that they are indices of all but the smallest tables. */
function element(dtype: DType, value: number): unknown {
  const bit = value < 0.5 ? 0 : 1;
  if (dtype === 'string') return String(bit);
  if (dtype === 'float16') return toFloat16Bits(value);
  if (dtype === 'bfloat16') return bit * 0x3f80;
  if (isFloat(dtype)) return value;
  return isBigInt(dtype) ? BigInt(bit) : bit;
}

import type { Tensor } from '@modelwright/core';

/** @returns the number in a tensor of one element. */
export function readNumber(tensor: Tensor): number {
  return Number(tensor.data[0]);
}

/** Writes a number into a tensor of one element. */
export function writeNumber(tensor: Tensor, value: number): void {
  if (tensor.data instanceof BigInt64Array || tensor.data instanceof BigUint64Array)
    tensor.data[0] = BigInt(Math.trunc(value));
  else (tensor.data as Float32Array)[0] = value;
}

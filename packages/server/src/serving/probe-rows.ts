import { castTensor, isFloat, Tensor, type TensorMap } from '@modelwright/core';
import { exampleInputs } from './example-inputs.js';
import { joinRows, sliceRows, splitRows } from './join-rows.js';
import type { ModelRunner } from './model-runner.js';
import type { Signature } from './signature.js';

/** Whether examples may run together: `unknown` if no made-up input suits the model. */
export type RowsVerdict = 'independent' | 'dependent' | 'unknown';

/** Extents that open axes are tried with: tokens, then pictures. */
const extents: readonly number[] = [8, 64, 1];
/** Kernels chosen by batch size may differ in rounding, by so much and no more. */
const tolerance = 2e-3;

/**
 * Finds out whether a model answers an example as it would answer it alone: with ranges taken over the whole batch (dynamic
 * quantization), statistics of the batch or attention across it, it does not, and one caller's answer would depend on another's data.
 */
export async function probeRows(signature: Signature, runner: ModelRunner): Promise<RowsVerdict> {
  for (const extent of extents) {
    const both = exampleInputs(signature.inputs, { rows: 2, extent, isVaried: true });
    try {
      return (await answersAlike(both, runner)) ? 'independent' : 'dependent';
    } catch {
      // The model wants other extents or values.
    }
  }
  return 'unknown';
}

async function answersAlike(both: TensorMap, runner: ModelRunner): Promise<boolean> {
  // Ranges that are taken over the batch show when the rows differ in size.
  const inputs = joinRows([sliceRows(both, 0, 1), scaled(sliceRows(both, 1, 2), 8)]);
  const outputs = await runner.run(inputs);
  if (Object.values(outputs).some(({ shape }) => shape[0] !== 2)) return false;
  const together = splitRows(outputs, [1, 1]);
  for (const row of [0, 1]) {
    const alone = await runner.run(sliceRows(inputs, row, row + 1));
    for (const [name, tensor] of Object.entries(alone))
      if (!isAlike(tensor, together[row]?.[name] as Tensor)) return false;
  }
  return true;
}

function scaled(inputs: TensorMap, factor: number): TensorMap {
  const entries = Object.entries(inputs).map(([name, tensor]): [string, Tensor] => {
    if (!(tensor.data instanceof Float32Array)) return [name, tensor];
    return [
      name,
      new Tensor(
        'float32',
        tensor.shape,
        tensor.data.map((value) => value * factor),
      ),
    ];
  });
  return Object.fromEntries(entries);
}

function isAlike(alone: Tensor, together: Tensor): boolean {
  if (alone.data.length !== together.data.length) return false;
  if (!isFloat(alone.dtype)) return true;
  const [a, b] = [castTensor(alone, 'float64').data, castTensor(together, 'float64').data];
  let most = 0;
  let largest = 0;
  for (let index = 0; index < a.length; index++) {
    const [left, right] = [a[index] as number, b[index] as number];
    if (Object.is(left, right) || left === right) continue;
    const difference = Math.abs(left - right);
    if (Number.isNaN(difference)) return false;
    most = Math.max(most, difference);
    largest = Math.max(largest, Math.abs(left));
  }
  return most <= tolerance * (1e-3 + largest);
}

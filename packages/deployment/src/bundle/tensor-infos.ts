import type { Model } from '@modelwright/core';
import type { TensorInfo } from './manifest.js';

/** Inputs and outputs of a model as metadata shows them. */
export function tensorInfosOf({ graph }: Model): {
  readonly inputs: readonly TensorInfo[];
  readonly outputs: readonly TensorInfo[];
} {
  return {
    inputs: graph.inputs.map(({ name, dtype, shape }) => ({ name, dtype, shape: [...shape] })),
    outputs: graph.outputs.map(({ name, value }) => ({ name, dtype: value.dtype, shape: [...value.shape] })),
  };
}

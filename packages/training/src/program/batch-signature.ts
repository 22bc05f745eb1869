import type { DType, Tensor, TensorMap } from '@modelwright/core';

/** Element type and concrete shape of what is fed. */
export interface TensorType {
  readonly dtype: DType;
  readonly shape: readonly number[];
}

export type TensorTypes = { readonly [name: string]: TensorType };

/** The types of a batch: programs are built, and executables kept, by them. */
export interface BatchSignature {
  /** By input name. */
  readonly inputs: TensorTypes;
  /** By output name. */
  readonly targets: TensorTypes;
  /** By output name; only outputs whose examples are weighted. */
  readonly sampleWeights: TensorTypes;
}

/** A batch with every tensor by name. */
export interface NamedBatch {
  readonly inputs: TensorMap;
  readonly targets: TensorMap;
  readonly sampleWeights: TensorMap;
}

/** Names of graph inputs, as programs and those who feed them agree on. */
export const inputName = (name: string): string => `inputs.${name}`;
export const targetName = (output: string): string => `targets.${output}`;
export const sampleWeightName = (output: string): string => `sampleWeights.${output}`;
export const learningRateName = 'learningRate';
/** Slot that counts batches. */
export const stepSlot = 'step';

/** What `batch` looks like. */
export function signatureOf(batch: NamedBatch): BatchSignature {
  return {
    inputs: typesOf(batch.inputs),
    targets: typesOf(batch.targets),
    sampleWeights: typesOf(batch.sampleWeights),
  };
}

/** A text that is equal exactly for equal signatures. */
export function signatureKey(batch: NamedBatch): string {
  let key = '';
  for (const [group, tensors] of Object.entries(batch) as [string, TensorMap][]) {
    for (const [name, { dtype, shape }] of Object.entries(tensors))
      key += `${group}.${name}:${dtype}[${shape.join()}];`;
  }
  return key;
}

/** The tensors of a batch under the names of graph inputs. */
export function feedsOf(batch: NamedBatch): { [name: string]: Tensor } {
  const feeds: { [name: string]: Tensor } = {};
  for (const name in batch.inputs) feeds[inputName(name)] = batch.inputs[name] as Tensor;
  for (const name in batch.targets) feeds[targetName(name)] = batch.targets[name] as Tensor;
  for (const name in batch.sampleWeights) feeds[sampleWeightName(name)] = batch.sampleWeights[name] as Tensor;
  return feeds;
}

function typesOf(tensors: TensorMap): TensorTypes {
  return Object.fromEntries(Object.entries(tensors).map(([name, { dtype, shape }]) => [name, { dtype, shape }]));
}

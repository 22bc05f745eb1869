import {
  type Dimension,
  exposeStates,
  inferenceProgram,
  initialStates,
  type Model,
  ModelwrightError,
  type Program,
  type TensorMap,
  type Value,
} from '@modelwright/core';
import type { TensorInfo } from '@modelwright/deployment';
import type { ModelConfiguration } from '../contract/model-configuration.js';

/** What a model takes and gives when it is served. */
export interface Signature {
  readonly program: Program;
  readonly inputs: readonly TensorInfo[];
  readonly outputs: readonly TensorInfo[];
  /** Inputs that a request may leave out: what the model's states begin with. */
  readonly defaults: TensorMap;
  /** 0: there is no batch axis. */
  readonly maxBatchSize: number;
}

const defaultMaxBatchSize = 32;

/**
 * Reads what a model takes. A model that remembers something from run to run is served without its memory: the states are inputs
 * that a request may leave out, and outputs, so that no caller meets another one's state.
 *
 * @throws {@link ModelwrightError} `invalid-configuration` for a batch size where the first axes are not open.
 */
export function signatureOf(model: Model, configuration: ModelConfiguration): Signature {
  const program = inferenceProgram(exposeStates(model));
  const { inputs, outputs } = program.graph;
  const values = outputs.map(({ name, value }) => ({ name, dtype: value.dtype, shape: value.shape }));
  return {
    program,
    inputs: inputs.map(infoOf),
    outputs: values.map(infoOf),
    defaults: initialStates(model),
    maxBatchSize: maxBatchSizeOf(model.name, { inputs, outputs: values }, configuration),
  };
}

function infoOf({ name, dtype, shape }: Pick<Value, 'name' | 'dtype' | 'shape'>): TensorInfo {
  return { name, dtype, shape };
}

function maxBatchSizeOf(
  name: string,
  { inputs, outputs }: Pick<Signature, 'inputs' | 'outputs'>,
  { maxBatchSize }: ModelConfiguration,
): number {
  if (maxBatchSize === 0) return 0;
  const all = [...inputs, ...outputs];
  if (maxBatchSize === undefined) return hasBatchAxis(inputs, outputs) ? defaultMaxBatchSize : 0;
  if (!Number.isInteger(maxBatchSize) || maxBatchSize < 0) throw invalidSize(name, maxBatchSize, 'a whole number ≥ 0');
  const closed = all.find(({ shape }) => typeof shape[0] !== 'string');
  if (closed === undefined) return maxBatchSize;
  throw invalidSize(name, maxBatchSize, `0, since the first axis of '${closed.name}' [${closed.shape}] is not open`);
}

function invalidSize(name: string, given: number, allowed: string): ModelwrightError {
  const message = `maxBatchSize of model '${name}' is ${given}; it must be ${allowed}`;
  return new ModelwrightError('invalid-configuration', message, { given, allowed });
}

/** Whether everything begins with one and the same open extent. */
function hasBatchAxis(inputs: readonly TensorInfo[], outputs: readonly TensorInfo[]): boolean {
  const first: Dimension | undefined = inputs[0]?.shape[0];
  return typeof first === 'string' && [...inputs, ...outputs].every(({ shape }) => shape[0] === first);
}

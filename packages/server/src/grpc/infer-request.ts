import { ModelwrightError, type Tensor } from '@modelwright/core';
import type { ModelInfo } from '../contract/model-info.js';
import type {
  InferParameter,
  ModelInferRequest,
  ModelInferRequest_InferInputTensor,
} from '../generated/open-inference.generated.js';
import { fromBinary } from '../open-inference/binary-tensor.js';
import { dtypeOfDatatype } from '../open-inference/datatype.js';
import { checkDeclared, defaultTensorLimits, readShape, type TensorLimits } from '../open-inference/shape-limits.js';
import { readContents } from './tensor-contents.js';

/** An inference request, read and checked against what the model declares. */
export interface GrpcInference {
  readonly inputs: { readonly [name: string]: Tensor };
  /** In the order of the answer. */
  readonly outputs: readonly GrpcOutput[];
  readonly isSelective: boolean;
  /** Whether the inputs came as raw bytes; the answer does as they did. */
  readonly isRaw: boolean;
  readonly priority?: number;
  readonly timeoutMilliseconds?: number;
}

/** How an output is wanted. */
export interface GrpcOutput {
  readonly name: string;
  /** Give the best so many as `value:index:label` instead of the tensor. */
  readonly classification?: number;
}

type Parameters = { readonly [name: string]: InferParameter };

/**
 * Reads a request against what the model declares.
 *
 * @throws {@link ModelwrightError} `invalid-argument`, `dtype-mismatch`, `shape-mismatch`, `unsupported-dtype`, `value-out-of-range`,
 * `limit-exceeded`.
 * @see Open Inference Protocol, gRPC; Triton's parameters `priority`, `timeout` (microseconds) and `classification`.
 */
export function readInference(
  request: ModelInferRequest,
  info: ModelInfo,
  limits: TensorLimits = defaultTensorLimits,
): GrpcInference {
  const { parameters } = request;
  for (const name of ['sequence_id', 'sequence_start', 'sequence_end']) {
    const choice = parameters[name]?.parameterChoice;
    if (choice?.value) throw new ModelwrightError('unsupported-op', `sequences are not supported: parameter '${name}'`);
  }
  const priority = readCount(parameters, 'priority');
  const timeout = readCount(parameters, 'timeout');
  return {
    inputs: readInputs(request, info, limits),
    outputs: readOutputs(request, info),
    isSelective: request.outputs.length > 0,
    isRaw: request.rawInputContents.length > 0,
    ...(priority > 0 ? { priority } : {}),
    ...(timeout > 0 ? { timeoutMilliseconds: timeout / 1000 } : {}),
  };
}

/** A parameter that is an integer ≥ 0; 0 if it is not there. */
function readCount(parameters: Parameters, name: string): number {
  const choice = parameters[name]?.parameterChoice;
  if (choice === undefined || choice.case === undefined) return 0;
  const value = typeof choice.value === 'bigint' ? Number(choice.value) : choice.value;
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  throw new ModelwrightError('invalid-argument', `parameter '${name}' must be an integer ≥ 0`);
}

function readInputs(request: ModelInferRequest, info: ModelInfo, limits: TensorLimits): GrpcInference['inputs'] {
  const { inputs, rawInputContents: raw } = request;
  if (inputs.length === 0 || inputs.length > limits.maxInputs) {
    throw new ModelwrightError('invalid-argument', `a request has 1 to ${limits.maxInputs} inputs`);
  }
  if (raw.length > 0 && raw.length !== inputs.length) {
    const message = `raw_input_contents has ${raw.length} entries, but there are ${inputs.length} inputs`;
    throw new ModelwrightError('invalid-argument', message, { given: raw.length, allowed: inputs.length });
  }
  const tensors = new Map<string, Tensor>();
  for (const [index, input] of inputs.entries()) {
    if (tensors.has(input.name)) {
      throw new ModelwrightError('invalid-argument', `input '${input.name}' is given twice`, { input: input.name });
    }
    tensors.set(input.name, readInput(input, raw[index], info, limits));
  }
  return Object.fromEntries(tensors);
}

function readInput(
  input: ModelInferRequest_InferInputTensor,
  raw: Uint8Array | undefined,
  info: ModelInfo,
  limits: TensorLimits,
): Tensor {
  const { name, contents } = input;
  const dtype = dtypeOfDatatype(input.datatype, name);
  const { shape, elementCount } = readShape(name, input.shape.map(Number), limits);
  checkDeclared(info.inputs, name, dtype, shape);
  if (raw === undefined) {
    if (contents !== undefined) return readContents(name, dtype, shape, elementCount, contents);
    if (elementCount === 0) return fromBinary(name, dtype, shape, 0, new Uint8Array());
    throw new ModelwrightError('invalid-argument', `input '${name}' has neither contents nor raw_input_contents`, {
      input: name,
    });
  }
  if (contents === undefined) return fromBinary(name, dtype, shape, elementCount, raw);
  throw new ModelwrightError('invalid-argument', `input '${name}' has contents beside raw_input_contents`, {
    input: name,
  });
}

function readOutputs({ outputs }: ModelInferRequest, info: ModelInfo): readonly GrpcOutput[] {
  const declared = info.outputs.map(({ name }) => name);
  if (outputs.length === 0) return declared.map((name) => ({ name }));
  const asked = new Set<string>();
  return outputs.map(({ name, parameters }) => {
    if (!declared.includes(name)) {
      const message = `there is no output '${name.slice(0, 64)}'; outputs are: ${declared.join(', ')}`;
      throw new ModelwrightError('invalid-argument', message, { allowed: declared });
    }
    if (asked.has(name)) throw new ModelwrightError('invalid-argument', `output '${name}' is asked for twice`);
    asked.add(name);
    const classification = readCount(parameters, 'classification');
    return { name, ...(classification > 0 ? { classification } : {}) };
  });
}

import { ModelwrightError, type Tensor } from '@modelwright/core';
import type { ModelInfo } from '../contract/model-info.js';
import { fromBinary } from './binary-tensor.js';
import { dtypeOfDatatype } from './datatype.js';
import { fromJson } from './json-tensor.js';
import { parseRaw } from './raw-inference.js';
import { isJsonObject, type JsonObject, parseObject } from './request-body.js';
import { checkDeclared, defaultTensorLimits, readShape, type TensorLimits } from './shape-limits.js';

/** How an output is wanted. */
export interface RequestedOutput {
  readonly name: string;
  readonly isBinary: boolean;
  /** Give the best so many as `value:index:label` instead of the tensor. */
  readonly classification?: number;
}

/** An inference request, read and checked against what the model declares. */
export interface ParsedInference {
  readonly id?: string;
  readonly inputs: { readonly [name: string]: Tensor };
  /** In the order of the answer. */
  readonly outputs: readonly RequestedOutput[];
  /** Whether the request named its outputs. */
  readonly isSelective: boolean;
  readonly priority?: number;
  readonly timeoutMilliseconds?: number;
}

/** The header that says where the JSON ends and the tensors begin. */
export const headerLengthName = 'inference-header-content-length';

/**
 * Reads the body of `…/infer`: JSON, or JSON and raw tensors behind it.
 *
 * @param headerLength - The header `inference-header-content-length`; without it all is JSON, 0 makes all of it the model's only input.
 * @throws {@link ModelwrightError} `invalid-argument`, `dtype-mismatch`, `shape-mismatch`, `unsupported-dtype`, `value-out-of-range`,
 * `limit-exceeded`.
 * @see Open Inference Protocol v2, and Triton's extension for binary tensor data.
 */
export function parseInference(
  body: Uint8Array,
  headerLength: string | undefined,
  info: ModelInfo,
  limits: TensorLimits = defaultTensorLimits,
): ParsedInference {
  const jsonLength = headerLength === undefined ? body.byteLength : readLength(headerLength, body.byteLength);
  if (headerLength !== undefined && jsonLength === 0) return parseRaw(body, info);
  const request = parseObject(body.subarray(0, jsonLength));
  const parameters = objectOf(request['parameters'], 'parameters');
  refuseSequences(parameters);
  return {
    ...readId(request['id']),
    inputs: readInputs(request['inputs'], body.subarray(jsonLength), info, limits),
    outputs: readOutputs(request['outputs'], parameters['binary_data_output'] === true, info),
    isSelective: Array.isArray(request['outputs']) && request['outputs'].length > 0,
    ...readSchedule(parameters),
  };
}

function readLength(text: string, available: number): number {
  const length = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (length <= available) return length;
  throw new ModelwrightError(
    'invalid-argument',
    `the header ${headerLengthName} must be the number of bytes of JSON, ${available} at most`,
    { given: text.slice(0, 32), allowed: available },
  );
}

function objectOf(value: unknown, name: string): JsonObject {
  if (value === undefined || value === null) return {};
  if (isJsonObject(value)) return value;
  throw new ModelwrightError('invalid-argument', `'${name}' must be an object`);
}

function readId(id: unknown): { readonly id?: string } {
  if (id === undefined || id === null) return {};
  if (typeof id === 'string' && id.length <= 1024) return { id };
  throw new ModelwrightError('invalid-argument', "'id' must be a string of 1024 characters at most");
}

/** Sequences need a server that remembers; to answer as if there were none would be wrong. */
function refuseSequences(parameters: JsonObject): void {
  const id = parameters['sequence_id'];
  if (id === undefined || id === 0 || id === '') return;
  throw new ModelwrightError('invalid-argument', "'sequence_id' is not supported: requests know nothing of each other");
}

/** Triton's scheduling policy: the wait in microseconds, 1 before all others. */
function readSchedule(parameters: JsonObject): { readonly priority?: number; readonly timeoutMilliseconds?: number } {
  const priority = readCount(parameters, 'priority');
  const timeout = readCount(parameters, 'timeout');
  return {
    ...(priority === undefined || priority === 0 ? {} : { priority }),
    ...(timeout === undefined || timeout === 0 ? {} : { timeoutMilliseconds: timeout / 1000 }),
  };
}

/** A parameter that is an integer ≥ 0 if it is there. */
function readCount(parameters: JsonObject, name: string): number | undefined {
  const value = parameters[name];
  if (value === undefined || value === null) return undefined;
  if (Number.isSafeInteger(value) && (value as number) >= 0) return value as number;
  throw new ModelwrightError('invalid-argument', `parameter '${name}' must be an integer ≥ 0`);
}

function readInputs(
  inputs: unknown,
  binary: Uint8Array,
  info: ModelInfo,
  limits: TensorLimits,
): { readonly [name: string]: Tensor } {
  if (!Array.isArray(inputs) || inputs.length === 0 || inputs.length > limits.maxInputs) {
    const message = `'inputs' must be an array of 1 to ${limits.maxInputs} tensors`;
    throw new ModelwrightError('invalid-argument', message);
  }
  const rest = { binary };
  const tensors = new Map<string, Tensor>();
  for (const input of inputs) {
    const [name, tensor] = readInput(objectOf(input, 'inputs'), rest, info, limits);
    if (tensors.has(name)) {
      throw new ModelwrightError('invalid-argument', `input '${name}' is given twice`, { input: name });
    }
    tensors.set(name, tensor);
  }
  if (rest.binary.byteLength === 0) return Object.fromEntries(tensors);
  const message = `${rest.binary.byteLength} bytes follow the JSON that no input's 'binary_data_size' accounts for`;
  throw new ModelwrightError('invalid-argument', message, { given: rest.binary.byteLength });
}

/** Reads one tensor; binary ones take their bytes off the front of `rest`. */
function readInput(
  input: JsonObject,
  rest: { binary: Uint8Array },
  info: ModelInfo,
  limits: TensorLimits,
): readonly [name: string, tensor: Tensor] {
  const { name } = input;
  if (typeof name !== 'string') throw new ModelwrightError('invalid-argument', "every input must have a 'name'");
  const dtype = dtypeOfDatatype(input['datatype'], name);
  const { shape, elementCount } = readShape(name, input['shape'], limits);
  checkDeclared(info.inputs, name, dtype, shape);
  const sizeBytes = readCount(objectOf(input['parameters'], 'parameters'), 'binary_data_size');
  if (sizeBytes === undefined) return [name, fromJson(name, dtype, shape, elementCount, input['data'])];
  if (input['data'] !== undefined) {
    const message = `input '${name}' has both 'data' and 'binary_data_size'`;
    throw new ModelwrightError('invalid-argument', message, { input: name });
  }
  if (sizeBytes > rest.binary.byteLength) {
    const message = `input '${name}': ${sizeBytes} bytes are announced, but ${rest.binary.byteLength} follow`;
    throw new ModelwrightError('invalid-argument', message, { input: name });
  }
  const bytes = rest.binary.subarray(0, sizeBytes);
  rest.binary = rest.binary.subarray(sizeBytes);
  return [name, fromBinary(name, dtype, shape, elementCount, bytes)];
}

function readOutputs(outputs: unknown, isBinaryByDefault: boolean, info: ModelInfo): readonly RequestedOutput[] {
  const declared = info.outputs.map(({ name }) => name);
  if (outputs === undefined || outputs === null || (Array.isArray(outputs) && outputs.length === 0)) {
    return declared.map((name) => ({ name, isBinary: isBinaryByDefault }));
  }
  if (!Array.isArray(outputs) || outputs.length > declared.length) {
    throw new ModelwrightError('invalid-argument', `'outputs' must be an array of ${declared.length} outputs at most`);
  }
  const requested = outputs.map((output) => readOutput(objectOf(output, 'outputs'), declared, isBinaryByDefault));
  if (new Set(requested.map(({ name }) => name)).size === requested.length) return requested;
  throw new ModelwrightError('invalid-argument', 'an output is asked for twice');
}

function readOutput(output: JsonObject, declared: readonly string[], isBinaryByDefault: boolean): RequestedOutput {
  const { name } = output;
  if (typeof name !== 'string' || !declared.includes(name)) {
    const given = typeof name === 'string' ? ` '${name.slice(0, 64)}'` : '';
    const message = `there is no output${given}; outputs are: ${declared.join(', ')}`;
    throw new ModelwrightError('invalid-argument', message, { allowed: declared });
  }
  const parameters = objectOf(output['parameters'], 'parameters');
  const binary = parameters['binary_data'];
  const classification = readCount(parameters, 'classification');
  return {
    name,
    isBinary: typeof binary === 'boolean' ? binary : isBinaryByDefault,
    ...(classification === undefined || classification === 0 ? {} : { classification }),
  };
}

import { ModelwrightError } from '@modelwright/core';
import { type ElementArray, elementCount, holdsElements, stringCode, toElementCode } from '../element-type.js';
import type { EngineTensor, EngineValue } from '../engine.js';
import type { OrtApi } from './ort-api.js';

/** An `OrtValue` over the caller's memory; strings are copied, since C++ keeps its own. */
export class NativeValue implements EngineValue {
  readonly tensor: EngineTensor;
  readonly handle: bigint;
  readonly #api: OrtApi;
  #uses = 0;
  #state: 'open' | 'closing' | 'closed' = 'open';

  constructor(api: OrtApi, memoryInfo: bigint, tensor: EngineTensor) {
    this.#api = api;
    this.tensor = tensor;
    this.handle = tensor.type === 'string' ? createStrings(api, tensor) : createView(api, memoryInfo, tensor);
  }

  /** Called around every run, so that disposing in the middle of one waits for its end. */
  retain(): void {
    if (this.#state !== 'open') throw new ModelwrightError('resource-disposed', 'This tensor was disposed.');
    this.#uses += 1;
  }

  release(): void {
    this.#uses -= 1;
    if (this.#uses === 0 && this.#state === 'closing') this.#free();
  }

  dispose(): void {
    if (this.#state !== 'open') return;
    this.#state = 'closing';
    if (this.#uses === 0) this.#free();
  }

  #free(): void {
    this.#state = 'closed';
    this.#api.functions.ReleaseValue(this.handle);
  }
}

function createView(api: OrtApi, memoryInfo: bigint, tensor: EngineTensor): bigint {
  const data = checkMemory(tensor);
  const dims = BigInt64Array.from(tensor.dims, BigInt);
  const value = api.pointer(
    'CreateTensorWithDataAsOrtValue',
    memoryInfo,
    api.address(data),
    data.byteLength,
    api.address(dims),
    dims.length,
    toElementCode(tensor.type),
  );
  api.hold(dims);
  return value;
}

/**
 * The runtime trusts type, shape and pointer, and reads past the end when they do not fit.
 *
 * @returns the tensor's memory.
 */
export function checkMemory(tensor: EngineTensor): ElementArray {
  const { type, dims, data } = tensor;
  if (type === 'string' || Array.isArray(data))
    throw new ModelwrightError('dtype-mismatch', `A tensor of type ${type} does not take an array of strings.`);
  const memory = data as ElementArray;
  const length = elementCount(dims);
  if (!holdsElements(type, memory))
    throw new ModelwrightError('dtype-mismatch', `A ${type} tensor cannot lie in ${memory.constructor.name}.`, {
      given: memory.constructor.name,
      allowed: type,
    });
  if (dims.some((dim) => !Number.isSafeInteger(dim) || dim < 0) || memory.length !== length)
    throw new ModelwrightError(
      'shape-mismatch',
      `A tensor of shape [${dims.join(',')}] needs ${length} elements, the memory given has ${memory.length}.`,
      { given: memory.length, allowed: length },
    );
  if (!(memory.buffer instanceof ArrayBuffer))
    throw new ModelwrightError('invalid-argument', 'ONNX Runtime cannot use a SharedArrayBuffer as tensor memory.');
  return memory;
}

/** Checks the number of strings of a tensor. */
export function checkStrings(tensor: EngineTensor): readonly string[] {
  const length = elementCount(tensor.dims);
  if (!Array.isArray(tensor.data) || tensor.data.length !== length)
    throw new ModelwrightError(
      'shape-mismatch',
      `A string tensor of shape [${tensor.dims.join(',')}] needs an array of ${length} strings.`,
    );
  return tensor.data;
}

function createStrings(api: OrtApi, tensor: EngineTensor): bigint {
  const bytes = checkStrings(tensor).map((text) => Buffer.from(`${text}\0`, 'utf8'));
  const all = new Uint8Array(bytes.reduce((sum, one) => sum + one.length, 0));
  const start = api.address(all);
  const pointers = new BigUint64Array(bytes.length);
  let offset = 0;
  for (const [index, one] of bytes.entries()) {
    all.set(one, offset);
    pointers[index] = start + BigInt(offset);
    offset += one.length;
  }
  const dims = BigInt64Array.from(tensor.dims, BigInt);
  const allocator = api.pointer('GetAllocatorWithDefaultOptions');
  const value = api.pointer('CreateTensorAsOrtValue', allocator, api.address(dims), dims.length, stringCode);
  api.call('FillStringTensor', value, api.address(pointers), pointers.length);
  api.hold(all, pointers, dims);
  return value;
}

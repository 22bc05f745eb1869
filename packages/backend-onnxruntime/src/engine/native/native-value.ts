import { ModelwrightError, onnxDataType, type Tensor } from '@modelwright/core';
import { checkMemory } from '../element-type.js';
import type { EngineValue } from '../engine.js';
import type { OrtApi } from './ort-api.js';

/** An `OrtValue` over the caller's memory; strings are copied, since C++ keeps its own. */
export class NativeValue implements EngineValue {
  readonly tensor: Tensor;
  readonly #handle: bigint;
  readonly #api: OrtApi;
  #uses = 0;
  #state: 'open' | 'closing' | 'closed' = 'open';

  constructor(api: OrtApi, memoryInfo: bigint, tensor: Tensor) {
    this.#api = api;
    this.tensor = tensor;
    this.#handle = tensor.dtype === 'string' ? createStrings(api, tensor) : createView(api, memoryInfo, tensor);
  }

  /** The `OrtValue`; throws once it is disposed. */
  get handle(): bigint {
    if (this.#state === 'closed') throw new ModelwrightError('resource-disposed', 'This tensor was disposed.');
    return this.#handle;
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
    this.#api.functions.ReleaseValue(this.#handle);
  }
}

function createView(api: OrtApi, memoryInfo: bigint, tensor: Tensor): bigint {
  const data = checkMemory(tensor, true);
  const { shape, dtype } = tensor;
  const dims = api.shapeAddress(shape);
  const status = api.functions.CreateTensorWithDataAsOrtValue(
    memoryInfo,
    api.address(data),
    data.byteLength,
    dims,
    shape.length,
    onnxDataType(dtype),
    api.scratchAddress,
  );
  api.check(status);
  return api.scratch[0] as bigint;
}

function createStrings(api: OrtApi, tensor: Tensor): bigint {
  const bytes = (tensor.data as string[]).map((text) => Buffer.from(`${text}\0`, 'utf8'));
  const all = new Uint8Array(bytes.reduce((sum, one) => sum + one.length, 0));
  const start = api.address(all);
  const pointers = new BigUint64Array(bytes.length);
  let offset = 0;
  for (const [index, one] of bytes.entries()) {
    all.set(one, offset);
    pointers[index] = start + BigInt(offset);
    offset += one.length;
  }
  const allocator = api.pointer('GetAllocatorWithDefaultOptions');
  const value = api.pointer(
    'CreateTensorAsOrtValue',
    allocator,
    api.shapeAddress(tensor.shape),
    tensor.shape.length,
    onnxDataType('string'),
  );
  api.call('FillStringTensor', value, api.address(pointers), pointers.length);
  api.hold(all, pointers);
  return value;
}

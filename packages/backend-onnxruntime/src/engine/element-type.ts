import {
  type DType,
  dtypeFacts,
  ModelwrightError,
  onnxDataTypes,
  type Tensor,
  type TensorDataByDType,
} from '@modelwright/core';

/** Element types that can cross the border to the runtime; int4 and uint4 stay inside a model. */
export type ElementType = Exclude<DType, 'int4' | 'uint4'>;

/** Memory of one numeric tensor. */
export type ElementArray = TensorDataByDType[Exclude<ElementType, 'string'>];

/** `ONNXTensorElementDataType` equals `TensorProto.DataType`. */
const types: ReadonlyMap<number, ElementType> = new Map(
  (Object.entries(onnxDataTypes) as [DType, number][])
    .filter((entry): entry is [ElementType, number] => isElementType(entry[0]))
    .map(([type, code]) => [code, type]),
);

/** @returns whether tensors of the type can be inputs and outputs. */
export function isElementType(type: DType): type is ElementType {
  return type !== 'int4' && type !== 'uint4';
}

/** @returns the type of an `ONNXTensorElementDataType`, `undefined` for those that cannot cross (int4, fp8, complex). */
export function fromElementCode(code: number): ElementType | undefined {
  return types.get(code);
}

/** @returns whether the stock JS API can carry the type. */
export function isBindingType(type: DType): type is ElementType {
  return isElementType(type) && type !== 'bfloat16';
}

/** @returns whether an engine of this kind can exchange tensors of the type. */
export function isExchanged(type: DType, engine: 'native' | 'binding' | 'web'): type is ElementType {
  return engine === 'native' ? isElementType(type) : isBindingType(type);
}

/**
 * The runtime trusts type, shape and pointer, and reads past the end when they do not fit.
 *
 * @param takesShared - whether memory may be shared by threads: the C API does not mind, the JS API refuses it.
 * @returns the tensor's memory.
 * @throws ModelwrightError `unsupported-dtype` for int4 and uint4, `invalid-argument` for shared or detached memory.
 */
export function checkMemory(tensor: Tensor, takesShared = false): ElementArray {
  const { dtype, shape, data } = tensor;
  if (!isElementType(dtype) || dtype === 'string')
    throw new ModelwrightError('unsupported-dtype', `ONNX Runtime takes no ${dtype} tensors as inputs or outputs.`);
  const memory = data as ElementArray;
  const length = shape.reduce((product, dim) => product * dim, 1);
  if (memory.length !== length || memory.byteLength !== length * dtypeFacts[dtype].bytes)
    throw new ModelwrightError(
      'shape-mismatch',
      `A tensor of shape [${shape.join(',')}] needs ${length} elements, its memory has ${memory.length}.`,
      { given: memory.length, allowed: length },
    );
  if (!takesShared && !(memory.buffer instanceof ArrayBuffer))
    throw new ModelwrightError('invalid-argument', 'ONNX Runtime cannot use a SharedArrayBuffer as tensor memory.');
  return memory;
}

import { type DType, ModelwrightError, onnxDataTypes } from '@modelwright/core';
import { TensorProto_DataType } from '../generated/onnx.generated.js';

const dtypeByElementType: ReadonlyMap<number, DType> = new Map(
  Object.entries(onnxDataTypes).map(([dtype, elementType]) => [elementType, dtype as DType]),
);

const nameByElementType: ReadonlyMap<number, string> = new Map(
  Object.entries(TensorProto_DataType).map(([name, elementType]) => [elementType, name]),
);

/**
 * The dtype of an ONNX element type.
 *
 * @param what - How the message names the tensor or value.
 * @throws {@link ModelwrightError} `unsupported-dtype` where Modelwright has none (complex numbers, 8-bit floats),
 * `invalid-model` where ONNX has none.
 */
export function dtypeOfElementType(elementType: number, what: string): DType {
  const dtype = dtypeByElementType.get(elementType);
  if (dtype !== undefined) return dtype;
  const name = nameByElementType.get(elementType);
  if (name === undefined || elementType === TensorProto_DataType.UNDEFINED) {
    throw new ModelwrightError('invalid-model', `${what} has no valid element type (${elementType})`, {
      given: elementType,
    });
  }
  throw new ModelwrightError(
    'unsupported-dtype',
    `${what} has the element type ${name}, which Modelwright does not have`,
    { given: name, allowed: Object.keys(onnxDataTypes) },
  );
}

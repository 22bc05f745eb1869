import { ModelwrightError } from '../errors.js';
import type { DType } from './dtype.js';

/** Numbers of `TensorProto.DataType`. */
export const onnxDataTypes: { readonly [D in DType]: number } = {
  float32: 1,
  uint8: 2,
  int8: 3,
  uint16: 4,
  int16: 5,
  int32: 6,
  int64: 7,
  string: 8,
  bool: 9,
  float16: 10,
  float64: 11,
  uint32: 12,
  uint64: 13,
  bfloat16: 16,
  uint4: 21,
  int4: 22,
};

const byNumber: ReadonlyMap<number, DType> = new Map(
  (Object.entries(onnxDataTypes) as [DType, number][]).map(([dtype, number]) => [number, dtype]),
);

/** ONNX's number of a dtype. */
export function onnxDataType(dtype: DType): number {
  return onnxDataTypes[dtype];
}

/** The dtype behind ONNX's number; throws `unsupported-dtype` for those Modelwright does not have. */
export function dtypeOfOnnx(number: number): DType {
  const dtype = byNumber.get(number);
  if (dtype !== undefined) return dtype;
  throw new ModelwrightError('unsupported-dtype', `ONNX data type ${number} is not supported`, {
    given: number,
    allowed: [...byNumber.keys()],
  });
}

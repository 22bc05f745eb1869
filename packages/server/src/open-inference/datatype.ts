import { type DType, ModelwrightError } from '@modelwright/core';

/** Datatypes as the Open Inference Protocol names them; those of four bits it does not know travel one a byte. */
export const datatypes: { readonly [D in DType]: string } = {
  float32: 'FP32',
  float64: 'FP64',
  float16: 'FP16',
  bfloat16: 'BF16',
  int8: 'INT8',
  int16: 'INT16',
  int32: 'INT32',
  int64: 'INT64',
  uint8: 'UINT8',
  uint16: 'UINT16',
  uint32: 'UINT32',
  uint64: 'UINT64',
  int4: 'INT4',
  uint4: 'UINT4',
  bool: 'BOOL',
  string: 'BYTES',
};

const byName: ReadonlyMap<string, DType> = new Map([
  ...(Object.entries(datatypes) as [DType, string][]).map(([dtype, name]): [string, DType] => [name, dtype]),
  // What some documents of the protocol call it.
  ['STRING', 'string'],
]);

/** The protocol's name of a dtype. */
export function datatypeOf(dtype: DType): string {
  return datatypes[dtype];
}

/** The dtype behind the protocol's name; throws `unsupported-dtype` with the names there are. */
export function dtypeOfDatatype(name: unknown, input?: string): DType {
  const dtype = typeof name === 'string' ? byName.get(name) : undefined;
  if (dtype !== undefined) return dtype;
  const given = typeof name === 'string' ? `'${name.slice(0, 32)}'` : typeof name;
  throw new ModelwrightError(
    'unsupported-dtype',
    `datatype ${given} is not known; there are ${Object.values(datatypes).join(', ')}`,
    input === undefined ? {} : { input },
  );
}

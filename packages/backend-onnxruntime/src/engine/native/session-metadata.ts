import { ModelwrightError } from '@modelwright/core';
import { fromElementCode } from '../element-type.js';
import type { ValueMetadata } from '../engine.js';
import type { OrtApi } from './ort-api.js';
import { readTypeAndShape } from './read-value.js';

const sides = {
  input: { count: 'SessionGetInputCount', name: 'SessionGetInputName', type: 'SessionGetInputTypeInfo' },
  output: { count: 'SessionGetOutputCount', name: 'SessionGetOutputName', type: 'SessionGetOutputTypeInfo' },
} as const;

/**
 * Reads names, types and dimensions of a session's inputs or outputs.
 *
 * @throws ModelwrightError `unsupported-dtype` for anything but tensors of types JS can hold: fetching an int4 output would end the process.
 */
export function readMetadata(api: OrtApi, session: bigint, side: 'input' | 'output'): ValueMetadata[] {
  const functions = sides[side];
  const count = Number(api.pointer(functions.count, session));
  const allocator = api.pointer('GetAllocatorWithDefaultOptions');
  return Array.from({ length: count }, (_, index) => {
    const namePointer = api.pointer(functions.name, session, index, allocator);
    const name = api.text(namePointer);
    api.call('AllocatorFree', allocator, namePointer);
    const typeInfo = api.pointer(functions.type, session, index);
    try {
      return { name, ...readType(api, typeInfo, `${side} '${name}'`) };
    } finally {
      api.functions.ReleaseTypeInfo(typeInfo);
    }
  });
}

function readType(api: OrtApi, typeInfo: bigint, what: string): Pick<ValueMetadata, 'dtype' | 'shape'> {
  const info = api.pointer('CastTypeInfoToTensorInfo', typeInfo);
  if (info === 0n)
    throw new ModelwrightError('unsupported-dtype', `The model's ${what} is no tensor.`, { input: what });
  const { code, dims } = readTypeAndShape(api, info);
  const dtype = fromElementCode(code);
  if (dtype === undefined)
    throw new ModelwrightError(
      'unsupported-dtype',
      `The model's ${what} has ONNX element type ${code}, which cannot cross into JavaScript.`,
      { given: code },
    );
  return { dtype, shape: withSymbols(api, info, dims) };
}

function withSymbols(api: OrtApi, info: bigint, dims: readonly number[]): (number | string)[] {
  const symbols = new BigUint64Array(dims.length);
  if (dims.length > 0) api.call('GetSymbolicDimensions', info, api.address(symbols), dims.length);
  return dims.map((dim, index) => (dim >= 0 ? dim : api.text(symbols[index] as bigint)));
}

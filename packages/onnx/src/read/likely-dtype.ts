import { type DType, dtypeFacts, isGraph, type Node, onnxDataTypes, type Value } from '@modelwright/core';
import type { SourceNode } from './source-node.js';

const booleans = new Set([
  'And',
  'Equal',
  'Greater',
  'GreaterOrEqual',
  'IsInf',
  'IsNaN',
  'Less',
  'LessOrEqual',
  'Not',
  'Or',
  'Xor',
]);
const indices = new Set(['ArgMax', 'ArgMin', 'NonZero', 'Shape', 'Size', 'NonMaxSuppression']);
/** Ops whose result has the dtype of a later input. */
const typedByInput: { readonly [op: string]: number | undefined } = {
  CastLike: 1,
  DequantizeLinear: 1,
  OneHot: 2,
  QuantizeLinear: 2,
  Where: 1,
};
/** Ops whose further outputs are positions. */
const withPositions = new Set(['MaxPool', 'TopK', 'Unique']);

/** The dtype of an output whose type nothing declares: by the op where that tells, else that of the first input. */
export function likelyDType(
  node: SourceNode,
  index: number,
  inputs: readonly (Value | undefined)[],
  attributes: Node['attributes'],
): DType {
  const first = inputs.find((input) => input !== undefined)?.dtype ?? 'float32';
  if (node.domain !== '') return first;
  if (booleans.has(node.op)) return 'bool';
  if (indices.has(node.op) || (index > 0 && withPositions.has(node.op))) return 'int64';
  return namedDType(attributes) ?? branchDType(attributes, index) ?? inputs[typedByInput[node.op] ?? 0]?.dtype ?? first;
}

function namedDType({ to, dtype }: Node['attributes']): DType | undefined {
  const number = to ?? dtype;
  return (Object.keys(dtypeFacts) as DType[]).find((each) => onnxDataTypes[each] === number);
}

/** What a branch of an `If` gives. */
function branchDType({ then_branch: branch }: Node['attributes'], index: number): DType | undefined {
  return isGraph(branch) ? branch.outputs[index]?.value.dtype : undefined;
}

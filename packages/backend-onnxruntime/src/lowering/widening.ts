import { type DType, type GraphBuilder, type Node, onnxDataType, type Value } from '@modelwright/core';

/**
 * Element types that ONNX Runtime's CPU provider lacks for an op, and the wider one in which it computes the same values. The runtime widens
 * float16 by itself.
 */
export const widening: { readonly [op: string]: { readonly [D in DType]?: DType } } = {
  Where: { bool: 'uint8', int8: 'int32', int16: 'int32', uint16: 'int32', uint32: 'int64', uint64: 'int64' },
  BitShift: { uint16: 'uint32' },
  Celu: { float16: 'float32' },
  OneHot: { int32: 'int64' },
  Min: { int16: 'int32', uint16: 'int32' },
  Max: { int16: 'int32', uint16: 'int32' },
};

/**
 * Computes a node in a wider type: inputs of the narrow type are cast up, outputs back down.
 *
 * @returns `undefined` for a node that needs none.
 */
export function widenNode(
  node: Node,
  inputs: readonly (Value | undefined)[],
  builder: GraphBuilder,
): readonly Value[] | undefined {
  const rules = widening[node.op];
  if (rules === undefined) return undefined;
  // A condition is no operand.
  const operands = node.op === 'Where' ? inputs.slice(1) : inputs;
  const narrow = operands.find((input) => input !== undefined && rules[input.dtype] !== undefined)?.dtype;
  const wide = narrow === undefined ? undefined : rules[narrow];
  if (narrow === undefined || wide === undefined) return undefined;
  const cast = (value: Value, dtype: DType): Value => builder.op('Cast', [value], { to: onnxDataType(dtype) });
  return builder.scoped({ name: node.name }, () => {
    const widened = inputs.map((input) =>
      input?.dtype === narrow && operands.includes(input) ? cast(input, wide) : input,
    );
    const types = node.outputs.map(({ dtype, shape }) => ({ dtype: dtype === narrow ? wide : dtype, shape }));
    const results = builder.anyNode({ ...node, inputs: widened }, types);
    return results.map((result, index) => {
      const wanted = node.outputs[index]?.dtype ?? result.dtype;
      return result.dtype === wanted ? result : cast(result, wanted);
    });
  });
}

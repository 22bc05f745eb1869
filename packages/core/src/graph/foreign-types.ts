import type { Node, ValueType } from './graph.js';

/**
 * Output types of ONNX Runtime's ops on block-quantized weights, as far as their inputs tell: such nodes stand in models that are
 * specialised to other shapes than they were made with. Other foreign nodes keep the types that they were given.
 */
export function foreignTypes(
  { op, domain, inputs, attributes }: Pick<Node, 'op' | 'domain' | 'inputs' | 'attributes'>,
  given: readonly ValueType[],
): readonly ValueType[] {
  const [first, second] = inputs;
  const [output] = given;
  if (domain !== 'com.microsoft' || output === undefined || first === undefined) return given;
  if (op === 'MatMulNBits' && first.shape.length === output.shape.length) {
    return [{ ...output, shape: [...first.shape.slice(0, -1), attributes['N'] as number] }];
  }
  const width = output.shape.at(-1);
  if (op === 'GatherBlockQuantized' && second?.shape.length === output.shape.length - 1 && width !== undefined) {
    return [{ ...output, shape: [...second.shape, width] }];
  }
  return given;
}

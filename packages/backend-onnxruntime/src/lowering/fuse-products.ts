import { type Graph, type GraphBuilder, type Node, rebuildGraph, toNumbers, type Value } from '@modelwright/core';
import { microsoftDomain } from './com-microsoft.js';

/** An operand of a product as it lies in memory: `factor · value`, its last two axes swapped or not. */
interface Operand {
  readonly value: Value;
  readonly isTransposed: boolean;
  readonly factor: number;
}

/**
 * Lets batched products read their operands as they lie: a transpose of the last two axes and a factor become attributes of the
 * product, and no copy is made. The runtime does so itself only where nothing else is made of the transpose before.
 */
export function fuseProducts(graph: Graph): Graph {
  if (!graph.nodes.some(isBatchedProduct)) return graph;
  const operands = new Map<Value, Operand>();
  const operandOf = (value: Value): Operand => operands.get(value) ?? { value, isTransposed: false, factor: 1 };
  const { graph: fused } = rebuildGraph(graph, {
    rewrite(node, inputs, builder) {
      const [a, b] = inputs;
      if (a === undefined || a.dtype !== 'float32' || node.domain !== '') return undefined;
      const transformed = transformedOperand(node, inputs, { builder, operandOf });
      if (transformed !== undefined) {
        const output = builder.anyNode({ ...node, inputs }, node.outputs, { nodeName: node.name })[0] as Value;
        operands.set(output, transformed);
        return [output];
      }
      if (b === undefined || !isBatchedProduct({ ...node, inputs })) return undefined;
      return fusedProduct(node, [operandOf(a), operandOf(b)], builder);
    },
  });
  return fused;
}

/** Whether both operands are stacks of matrices. */
function isBatchedProduct({ op, inputs: [a, b] }: Pick<Node, 'op' | 'inputs'>): boolean {
  return op === 'MatMul' && a !== undefined && a.shape.length > 2 && a.shape.length === b?.shape.length;
}

interface Tracking {
  readonly builder: GraphBuilder;
  readonly operandOf: (value: Value) => Operand;
}

/** What a transpose of the last two axes, or a product with a constant number, makes of its input. */
function transformedOperand(
  { op, attributes }: Node,
  [a, b]: readonly (Value | undefined)[],
  { builder, operandOf }: Tracking,
): Operand | undefined {
  if (a === undefined) return undefined;
  if (op === 'Transpose' && swapsLastAxes((attributes as { perm?: readonly number[] }).perm)) {
    const before = operandOf(a);
    return { ...before, isTransposed: !before.isTransposed };
  }
  if (op === 'Transpose' || op === 'Reshape') return movedOperand(operandOf(a), { op, attributes, b, builder });
  const held = op === 'Mul' && b?.shape.length === 0 ? builder.constantOf(b) : undefined;
  if (held === undefined) return undefined;
  const before = operandOf(a);
  return { ...before, factor: before.factor * (toNumbers(held)[0] as number) };
}

/** What moves a scaled value moves the value as it was; the factor waits for the product. */
function movedOperand(
  { value, isTransposed, factor }: Operand,
  {
    op,
    attributes,
    b,
    builder,
  }: Pick<Node, 'attributes'> & { op: 'Transpose' | 'Reshape'; b: Value | undefined; builder: GraphBuilder },
): Operand | undefined {
  if (factor === 1 || isTransposed) return undefined;
  return { value: builder.op(op, b === undefined ? [value] : [value, b], attributes), isTransposed: false, factor };
}

function swapsLastAxes(perm: readonly number[] | undefined): boolean {
  if (perm === undefined || perm.length < 3) return false;
  const last = perm.length - 1;
  return perm.every((axis, at) => axis === (at === last ? last - 1 : at === last - 1 ? last : at));
}

function fusedProduct(
  node: Node,
  [a, b]: readonly [Operand, Operand],
  builder: GraphBuilder,
): readonly Value[] | undefined {
  const alpha = a.factor * b.factor;
  if (!a.isTransposed && !b.isTransposed && alpha === 1) return undefined;
  return builder.foreign({
    op: 'FusedMatMul',
    domain: microsoftDomain,
    inputs: [a.value, b.value],
    attributes: { transA: a.isTransposed ? 1 : 0, transB: b.isTransposed ? 1 : 0, alpha },
    attributeKinds: { transA: 'int', transB: 'int', alpha: 'float' },
    outputs: node.outputs,
    nodeName: node.name,
  });
}

import { type Graph, type Node, subgraphsOf, type Tensor, type Value, valuesReadBy } from '@modelwright/core';

/** One place where a weight `[a, b]` is used. */
export interface WeightUse {
  readonly node: Node;
  readonly kind: 'product' | 'lookup';
  /** The axis of the weight that is summed over, or of a lookup the one that rows are made of: blocks run along it. */
  readonly axis: 0 | 1;
  /** The `Transpose` that stands between, if any. */
  readonly transpose?: Node;
}

/** A constant matrix that products or lookups read, with all its uses. */
export interface UsedWeight {
  readonly value: Value;
  readonly weight: Tensor;
  readonly uses: readonly WeightUse[];
  /** Whether something else reads it too: it then has to stay within reach in full. */
  readonly isReadElsewhere: boolean;
}

/**
 * The floating matrices of a graph that are multiplied with or looked up in: the right side of `MatMul` and `Gemm`, also behind
 * a `Transpose` (embeddings that serve as output layer), and tables of `Gather`. Bodies of loops and branches count as reading elsewhere.
 */
export function usedWeights(graph: Graph): readonly UsedWeight[] {
  const readers = readersOf(graph);
  return [...graph.constants].flatMap(([value, weight]) => {
    if (weight.rank !== 2 || (weight.dtype !== 'float32' && weight.dtype !== 'float16')) return [];
    const all = readers.get(value) ?? [];
    const uses = all.flatMap((node) => usesBy(node, value, readers));
    const isReadElsewhere =
      graph.outputs.some((output) => output.value === value) ||
      all.some((node) => usesBy(node, value, readers).length === 0);
    return uses.length === 0 ? [] : [{ value, weight, uses, isReadElsewhere }];
  });
}

type Readers = ReadonlyMap<Value, readonly Node[]>;

function readersOf(graph: Graph): Readers {
  const readers = new Map<Value, Node[]>();
  for (const node of graph.nodes)
    for (const value of new Set(valuesReadBy(node))) readers.set(value, [...(readers.get(value) ?? []), node]);
  return readers;
}

function usesBy(node: Node, value: Value, readers: Readers): readonly WeightUse[] {
  if (node.domain !== '' || subgraphsOf(node).length > 0) return [];
  if (node.op === 'Gather') {
    const axis = node.attributes['axis'] ?? 0;
    return node.inputs[0] === value && node.inputs[1] !== value && (axis === 0 || axis === -2)
      ? [{ node, kind: 'lookup', axis: 1 }]
      : [];
  }
  if (node.op === 'Transpose') {
    const [turned] = node.outputs;
    const next = turned === undefined ? [] : (readers.get(turned) ?? []);
    const uses = next.flatMap((reader) => productAxis(reader, turned as Value));
    // All or nothing: a transposed weight that something else reads has to be there anyway.
    if (uses.length !== next.length) return [];
    return uses.map(({ node: product, axis }) => ({
      node: product,
      kind: 'product',
      axis: axis === 0 ? 1 : 0,
      transpose: node,
    }));
  }
  return productAxis(node, value).map((use) => ({ ...use, kind: 'product' }));
}

/** The axis of a product's right side that is summed over, if `value` is that side and nothing else. */
function productAxis(node: Node, value: Value): readonly { readonly node: Node; readonly axis: 0 | 1 }[] {
  if (node.domain !== '' || node.inputs[1] !== value) return [];
  if (node.inputs.filter((input) => input === value).length > 1) return [];
  if (node.op === 'MatMul') return [{ node, axis: 0 }];
  return node.op === 'Gemm' ? [{ node, axis: node.attributes['transB'] === 1 ? 1 : 0 }] : [];
}

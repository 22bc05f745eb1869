import type { Graph, Node, Value } from '../graph/graph.js';
import type { GraphBuilder } from '../graph/graph-builder.js';
import { isFloat } from '../tensor/dtype.js';
import { elementCountOfShape, isConcrete } from '../tensor/shape.js';
import type { Pass } from './pass.js';
import { rebuildGraph } from './rebuild.js';

/** A product costs more than the rows it spares until there are this many times fewer of them. */
const worthwhile = 1.5;

/**
 * Multiplies a table of embeddings before its rows are picked: `E[i]·W + b` is `(E·W + b)[i]`, which takes fewer products, and fewer again
 * in its gradient, where a batch picks more rows than the table has. Transposing what was picked becomes transposing the indices.
 */
export const projectBeforeGather: Pass = {
  name: 'projectBeforeGather',
  description: 'multiplies a small table of embeddings before its rows are picked',
  run(graph: Graph): Graph {
    if (!graph.nodes.some(isLookup)) return graph;
    const picked: Picked = new Map();
    return rebuildGraph(graph, { rewrite: (node, inputs, builder) => rewrite({ node, inputs, builder, picked }) })
      .graph;
  },
};

/** Rows of a table, by the value that holds them. */
type Picked = Map<Value, { readonly table: Value; readonly indices: Value }>;

interface Request {
  readonly node: Node;
  readonly inputs: readonly (Value | undefined)[];
  readonly builder: GraphBuilder;
  readonly picked: Picked;
}

/** Whether a node picks rows of a matrix. */
function isLookup({ op, domain, inputs, attributes }: Node): boolean {
  const [table] = inputs;
  return (
    op === 'Gather' && domain === '' && attributes['axis'] === 0 && table?.shape.length === 2 && isFloat(table.dtype)
  );
}

function rewrite(request: Request): readonly Value[] | undefined {
  const { node, inputs } = request;
  if (isLookup(node)) return pick(request, { table: inputs[0] as Value, indices: inputs[1] as Value });
  if (node.domain !== '') return undefined;
  if (node.op === 'Transpose') return pickTransposed(request);
  if (node.op === 'MatMul') return pickProduct(request);
  return node.op === 'Add' ? pickSum(request) : undefined;
}

function pick(
  { builder, picked }: Request,
  { table, indices }: { readonly table: Value; readonly indices: Value },
): readonly Value[] {
  const rows = builder.op('Gather', [table, indices], { axis: 0 });
  picked.set(rows, { table, indices });
  return [rows];
}

// The table's own axis has to stay the last.
function pickTransposed(request: Request): readonly Value[] | undefined {
  const { node, inputs, builder, picked } = request;
  const found = picked.get(inputs[0] as Value);
  const perm = node.attributes['perm'] as readonly number[] | undefined;
  if (found === undefined || perm === undefined || perm.at(-1) !== perm.length - 1) return undefined;
  const indices = builder.op('Transpose', [found.indices], { perm: perm.slice(0, -1) });
  return pick(request, { table: found.table, indices });
}

function pickProduct(request: Request): readonly Value[] | undefined {
  const { inputs, builder, picked } = request;
  const [left, weights] = inputs as readonly [Value, Value];
  const found = picked.get(left);
  if (found === undefined || weights.shape.length !== 2) return undefined;
  const { table, indices } = found;
  const [rows, count] = [table.shape[0], isConcrete(indices.shape) ? elementCountOfShape(indices.shape) : 0];
  if (typeof rows !== 'number' || typeof count !== 'number' || rows * worthwhile > count) return undefined;
  return pick(request, { table: builder.op('MatMul', [table, weights]), indices });
}

function pickSum(request: Request): readonly Value[] | undefined {
  const { node, inputs, builder, picked } = request;
  const at = picked.has(inputs[0] as Value) ? 0 : 1;
  const found = picked.get(inputs[at] as Value);
  const bias = inputs[1 - at] as Value;
  // Other sums are of values that differ from row to row.
  if (found === undefined || bias.shape.length !== 1 || bias.shape[0] !== found.table.shape[1]) return undefined;
  if (node.outputs[0]?.shape.length !== (inputs[at] as Value).shape.length) return undefined;
  return pick(request, { table: builder.op('Add', [found.table, bias]), indices: found.indices });
}

import {
  decomposeContext,
  decomposeNode,
  eliminateCommonSubexpressions,
  type Graph,
  type GraphBuilder,
  hoistFromScans,
  isOpName,
  ModelwrightError,
  type Node,
  type OpAttributes,
  type OpName,
  rebuildGraph,
  removeDeadNodes,
  type Value,
} from '@modelwright/core';
import { fuseProducts } from './fuse-products.js';
import type { Lowering, LoweringTable, Rewrite } from './lowering.js';
import { loweringTable } from './lowering-table.js';
import { poolBeforeRelu } from './pool-before-relu.js';
import { isTiling } from './pooling.js';
import { widenNode } from './widening.js';

/** A chain of rewrites longer than this goes in circles. */
const deepestRewrite = 12;

/**
 * Replaces ops until only those are left that ONNX Runtime runs.
 *
 * @param table - what the execution provider takes; the CPU's by default.
 * @throws ModelwrightError `unsupported-op` naming the node that cannot be lowered.
 */
export function lowerGraph(graph: Graph, table: LoweringTable = loweringTable): Graph {
  // Values, by what became of them in the round before, that want something from the node that makes them.
  const notes = new Map<Value, Value>();
  let current = poolBeforeRelu(hoistFromScans.run(graph));
  for (let round = 0; round < deepestRewrite; round++) {
    markPoolings(current, notes);
    const isFirst = round === 0;
    let changed = false;
    const rewrite = (
      node: Node,
      inputs: readonly (Value | undefined)[],
      builder: GraphBuilder,
    ): readonly Value[] | undefined => {
      const replacement = lowerNode({ node, inputs, builder, notes, isFirst, table });
      if (replacement !== undefined) changed = true;
      return replacement;
    };
    const next = rebuildGraph(current, { rewrite }).graph;
    if (!changed) break;
    current = next;
  }
  // What a composite op and its gradient were both made from is computed once.
  const merged = eliminateCommonSubexpressions.run(current);
  return removeDeadNodes.run(table === loweringTable ? fuseProducts(merged) : merged);
}

interface Request {
  readonly node: Node;
  readonly inputs: readonly (Value | undefined)[];
  readonly builder: GraphBuilder;
  readonly notes: Map<Value, Value>;
  readonly isFirst: boolean;
  readonly table: LoweringTable;
}

function lowerNode({ node, inputs, builder, notes, isFirst, table }: Request): readonly Value[] | undefined {
  if (!isOpName(node.op, node.domain)) return undefined;
  const lowering = table[node.op] as Lowering<OpName>;
  if (lowering === 'direct') return widenNode(node, inputs, builder);
  if (typeof lowering === 'function') {
    // What a rewrite made out of the op itself (a pooling with indices) must not be rewritten again.
    if (!isFirst && loweringKeepsOp.has(node.op)) return undefined;
    const rewritten = builder.scoped({ name: node.name }, () =>
      (lowering as Rewrite<OpName>)(contextOf({ node, inputs, builder, notes })),
    );
    if (rewritten === 'keep') return widenNode(node, inputs, builder);
    if (rewritten !== undefined) return rewritten;
  }
  const simpler = typeof lowering === 'object' ? undefined : decomposeNode(node, inputs, builder);
  if (simpler !== undefined) return simpler;
  const reason = typeof lowering === 'object' ? lowering.reason : 'these attributes have no simpler form';
  throw new ModelwrightError('unsupported-op', `ONNX Runtime cannot run ${node.op} '${node.name}': ${reason}`, {
    op: node.op,
    layer: node.name,
  });
}

/** Ops whose rewrite may contain the op itself. */
const loweringKeepsOp: ReadonlySet<string> = new Set(['MaxPool', 'BatchNormalization']);

function contextOf({
  node,
  inputs,
  builder,
  notes,
}: Omit<Request, 'isFirst' | 'table'>): Parameters<Rewrite<OpName>>[0] {
  return { ...decomposeContext(node, inputs, builder), notes } as Parameters<Rewrite<OpName>>[0];
}

/** Marks the poolings whose gradient in the graph wants to know where the maxima stood. */
function markPoolings(graph: Graph, notes: Map<Value, Value>): void {
  for (const { op, inputs, attributes } of graph.nodes) {
    const [x, y] = inputs;
    if (op !== 'MaxPoolGradient' || x === undefined || y === undefined) continue;
    if (!isTiling(attributes as unknown as OpAttributes['MaxPoolGradient'], x.shape)) notes.set(y, y);
  }
}

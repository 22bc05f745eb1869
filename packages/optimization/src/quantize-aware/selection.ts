import type { Graph, Node } from '@modelwright/core';
import { isMeant, type LayerSelection, type NamePattern } from '../quantize/selection.js';
import { type WeightedNode, weightedNodes } from '../weighted-nodes.js';

const recurrentOps: ReadonlySet<string> = new Set(['RNN', 'LSTM', 'GRU']);
const plannedOps: ReadonlySet<string> = new Set(['Conv', 'Gemm', 'MatMul']);

/** What is quantized with its activations, and what has its weights alone stored as integers. */
export interface AwareSelection {
  /** Which of the layers with integer activations are meant; names of other layers are gone from it. */
  readonly planned: LayerSelection;
  /** Weights of recurrent layers, by node. */
  readonly recurrent: ReadonlyMap<Node, readonly WeightedNode[]>;
}

/** Tells recurrent layers, whose loops stay float, from the others. */
export function awareSelection(graph: Graph, { include, exclude }: LayerSelection): AwareSelection {
  const weighted = weightedNodes(graph);
  const loops = weighted.filter(({ node }) => recurrentOps.has(node.op));
  const layers = weighted.filter(({ node }) => plannedOps.has(node.op));
  // A name that means recurrent layers alone is none that a plan of the others knows.
  const isElsewhere = (pattern: NamePattern): boolean =>
    loops.some((each) => isNamed(pattern, each)) && !layers.some((each) => isNamed(pattern, each));
  const own = (patterns: readonly NamePattern[]): readonly NamePattern[] =>
    patterns.filter((pattern) => !isElsewhere(pattern));
  const recurrent = new Map<Node, readonly WeightedNode[]>();
  for (const each of loops) {
    const isIncluded = include === undefined || include.some((pattern) => isNamed(pattern, each));
    if (!isIncluded || exclude?.some((pattern) => isNamed(pattern, each))) continue;
    recurrent.set(each.node, [...(recurrent.get(each.node) ?? []), each]);
  }
  return {
    planned: {
      ...(include === undefined ? {} : { include: own(include) }),
      ...(exclude === undefined ? {} : { exclude: own(exclude) }),
    },
    recurrent,
  };
}

function isNamed(pattern: NamePattern, { node, value }: WeightedNode): boolean {
  return isMeant(pattern, [node.name, value.name]);
}

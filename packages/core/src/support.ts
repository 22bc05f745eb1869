import type { BackendCapabilities } from './backend.js';
import { isModelwrightError } from './errors.js';
import { type Graph, type Node, subgraphsOf, type Value } from './graph/graph.js';
import type { Model } from './model.js';
import { decompose } from './passes/decompose.js';
import { inferenceProgram } from './predictor.js';
import { type DType, dtypeFacts, isFloat } from './tensor/dtype.js';

/** Whether a backend can run a model, and if not, why. */
export interface Support {
  readonly runs: boolean;
  /** One line an obstacle: `op Foo (node 'a/Foo' and 2 more)`, `dtype bfloat16`. */
  readonly obstacles: readonly string[];
  /** What will be slow: `int8 is computed on the host: slow`. */
  readonly notes: readonly string[];
}

/**
 * Tells from a backend's capabilities, without compiling, whether it can run a model.
 *
 * @example
 * const { runs, obstacles } = supportOf(model, backend.capabilities);
 * if (!runs) console.log(obstacles.join('\n'));
 */
export function supportOf(model: Model, capabilities: BackendCapabilities): Support {
  const graph = inferenceProgram(model).graph;
  const runs = ({ op, domain }: Node): boolean => capabilities.ops.has(op) || capabilities.ops.has(`${domain}:${op}`);
  const simpler = decomposed();
  const nodes = allNodes(simpler);
  const used = dtypesOf(allNodes(withoutWeightNodes(simpler)));
  const obstacles = [
    ...missingOps(nodes.filter((node) => !runs(node))),
    ...used.filter((dtype) => !capabilities.dtypes.has(dtype)).map((dtype) => `dtype ${dtype}`),
  ];
  return { runs: obstacles.length === 0, obstacles, notes: hostDtypes(used, capabilities.dtypesOnHost) };

  function decomposed(): Graph {
    try {
      return decompose((node) => !runs(node)).run(graph);
    } catch (error) {
      // Some ops decompose only with concrete shapes; they are then reported as they stand.
      if (isModelwrightError(error)) return graph;
      throw error;
    }
  }
}

/** Leaves out what is computed from weights alone, as when 4-bit codes become floats: that happens while a model is loaded. */
function withoutWeightNodes(graph: Graph): Graph {
  const known = new Set<Value>(graph.constants.keys());
  const nodes = graph.nodes.filter((node) => {
    const { inputs, outputs } = node;
    const isKnown = inputs.length > 0 && inputs.every((value) => value === undefined || known.has(value));
    if (!isKnown || subgraphsOf(node).length > 0) return true;
    for (const output of outputs) known.add(output);
    return false;
  });
  return { ...graph, nodes };
}

function allNodes(graph: Graph): readonly Node[] {
  return graph.nodes.flatMap((node) => [node, ...subgraphsOf(node).flatMap(({ graph: inner }) => allNodes(inner))]);
}

function missingOps(nodes: readonly Node[]): readonly string[] {
  const groups = new Map<string, Node[]>();
  for (const node of nodes) {
    const name = node.domain === '' ? node.op : `${node.domain}:${node.op}`;
    groups.set(name, [...(groups.get(name) ?? []), node]);
  }
  return [...groups].map(([name, [first, ...others]]) => {
    const more = others.length === 0 ? '' : ` and ${others.length} more`;
    return `op ${name} (node '${first?.name}'${more})`;
  });
}

/** What flows into and out of nodes, weights included. */
function dtypesOf(nodes: readonly Node[]): readonly DType[] {
  const values = nodes.flatMap(({ inputs, outputs }) => [...outputs, ...inputs]);
  return [...new Set(values.filter((value): value is Value => value !== undefined).map(({ dtype }) => dtype))];
}

// Integers of 32 and 64 bits are extents and counters more often than not; smaller ones carry quantized values.
function hostDtypes(used: readonly DType[], onHost: ReadonlySet<DType> = new Set()): readonly string[] {
  const carriesValues = (dtype: DType): boolean =>
    isFloat(dtype) || (dtypeFacts[dtype].bits <= 8 && dtypeFacts[dtype].kind !== 'bool' && dtype !== 'string');
  return used
    .filter((dtype) => carriesValues(dtype) && onHost.has(dtype))
    .map((dtype) => `${dtype} is computed on the host: slow`);
}

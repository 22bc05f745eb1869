import {
  type BackendCapabilities,
  type DType,
  decompose,
  inferenceProgram,
  isFloat,
  isForeign,
  isModelwrightError,
  type Model,
  type Node,
} from '@modelwright/core';
import { allNodes } from './describe-model.js';

/** Whether a backend can run a model, and if not, why. */
export interface Support {
  readonly runs: boolean;
  /** One line an obstacle: `op Foo (2 nodes, first 'a/Foo')`, `dtype bfloat16`. */
  readonly obstacles: readonly string[];
  /** What will be slow: `float64 is computed on the host`. */
  readonly notes: readonly string[];
}

/** Tells from a backend's capabilities, without compiling, whether it can run a model. */
export function supportOf(model: Model, capabilities: BackendCapabilities): Support {
  const graph = inferenceProgram(model).graph;
  const runs = ({ op, domain }: Node): boolean => capabilities.ops.has(op) || capabilities.ops.has(`${domain}:${op}`);
  const nodes = allNodes(decomposed());
  const obstacles = [...missingOps(nodes.filter((node) => !runs(node))), ...missingDtypes(nodes, capabilities.dtypes)];
  return { runs: obstacles.length === 0, obstacles, notes: hostDtypes(nodes, capabilities.dtypesOnHost) };

  function decomposed(): typeof graph {
    try {
      return decompose((node) => !isForeign(node) && !runs(node)).run(graph);
    } catch (error) {
      // Some ops decompose only with concrete shapes; they are then reported as they stand.
      if (isModelwrightError(error)) return graph;
      throw error;
    }
  }
}

function missingOps(nodes: readonly Node[]): readonly string[] {
  const groups = new Map<string, Node[]>();
  for (const node of nodes) {
    const name = node.domain === '' ? node.op : `${node.domain}:${node.op}`;
    groups.set(name, [...(groups.get(name) ?? []), node]);
  }
  return [...groups].map(([name, [first, ...others]]) => {
    const more = others.length === 0 ? '' : ` and ${others.length} more`;
    return `op ${name} (node '${first!.name}'${more})`;
  });
}

// Integers of 64 bits are extents and counters more often than not.
function hostDtypes(nodes: readonly Node[], onHost: ReadonlySet<DType> = new Set()): readonly string[] {
  const used = new Set(nodes.flatMap((node) => node.outputs.map(({ dtype }) => dtype)));
  return [...used]
    .filter((dtype) => isFloat(dtype) && onHost.has(dtype))
    .map((dtype) => `${dtype} is computed on the host: slow`);
}

function missingDtypes(nodes: readonly Node[], known: ReadonlySet<DType>): readonly string[] {
  const used = new Set(nodes.flatMap((node) => node.outputs.map(({ dtype }) => dtype)));
  return [...used].filter((dtype) => !known.has(dtype)).map((dtype) => `dtype ${dtype}`);
}

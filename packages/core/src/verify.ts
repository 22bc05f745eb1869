import { isModelwrightError, ModelwrightError } from './errors.js';
import type { Graph, Node, Value } from './graph/graph.js';
import { subgraphsOf } from './graph/graph.js';
import { rebuildGraph } from './passes/rebuild.js';
import { compatibleShape, formatShape } from './tensor/shape.js';

/**
 * Checks that a graph is well formed: every value is defined once and before its use, names are unique, constants and
 * outputs fit, and each node's types are those its op infers.
 *
 * @param where - Put into the message: `after pass 'foldConstants'`.
 * @throws {@link ModelwrightError} `invalid-graph` naming the node or value.
 */
export function verify(graph: Graph, where = 'graph'): void {
  verifyStructure(graph, new Set(), new Set(), where);
  verifyTypes(graph, where);
}

function refuse(where: string, message: string, cause?: unknown): never {
  throw new ModelwrightError('invalid-graph', `${where}: ${message}`, cause === undefined ? {} : { cause });
}

function verifyStructure(graph: Graph, outer: ReadonlySet<Value>, names: Set<string>, where: string): void {
  const defined = new Set<Value>(outer);
  const define = (value: Value): void => {
    if (defined.has(value)) refuse(where, `value '${value.name}' is defined twice`);
    if (names.has(value.name)) refuse(where, `two values are named '${value.name}'`);
    names.add(value.name);
    defined.add(value);
  };
  for (const input of graph.inputs) define(input);
  for (const [value, tensor] of graph.constants) {
    define(value);
    if (tensor.dtype !== value.dtype || !compatibleShape(tensor.shape, value.shape)) {
      refuse(
        where,
        `constant '${value.name}' is declared ${value.dtype}${formatShape(value.shape)} but holds ${tensor.dtype}${formatShape(tensor.shape)}`,
      );
    }
  }
  for (const node of graph.nodes) {
    for (const input of node.inputs) {
      if (input !== undefined && !defined.has(input))
        refuse(where, `${node.op} '${node.name}' uses '${input.name}' before it is defined`);
    }
    for (const { graph: inner } of subgraphsOf(node))
      verifyStructure(inner, defined, names, `${where}, ${node.op} '${node.name}'`);
    for (const output of node.outputs) define(output);
  }
  const outputNames = new Set<string>();
  for (const { name, value } of graph.outputs) {
    if (!defined.has(value)) refuse(where, `output '${name}' is never computed`);
    if (outputNames.has(name)) refuse(where, `two outputs are named '${name}'`);
    outputNames.add(name);
  }
}

function verifyTypes(graph: Graph, where: string): void {
  const check = (node: Node, outputs: readonly Value[]): void => {
    node.outputs.forEach((declared, index) => {
      const inferred = outputs[index];
      if (inferred === undefined) return;
      if (inferred.dtype === declared.dtype && compatibleShape(inferred.shape, declared.shape)) return;
      refuse(
        where,
        `${node.op} '${node.name}' output ${index} is declared ${declared.dtype}${formatShape(declared.shape)} but infers ${inferred.dtype}${formatShape(inferred.shape)}`,
      );
    });
  };
  try {
    const { bindings } = rebuildGraph(graph);
    for (const node of graph.nodes)
      check(
        node,
        node.outputs.map((output) => bindings.get(output) as Value),
      );
  } catch (error) {
    if (isModelwrightError(error, 'invalid-graph')) throw error;
    if (isModelwrightError(error)) refuse(where, error.message, error);
    throw error;
  }
}

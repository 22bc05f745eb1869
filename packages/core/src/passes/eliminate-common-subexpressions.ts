import type { Attributes, AttributeValue, Graph, Node, Value } from '../graph/graph.js';
import { subgraphsOf } from '../graph/graph.js';
import { definitionOf } from '../ops/registry.js';
import { Tensor } from '../tensor/tensor.js';
import type { Pass } from './pass.js';
import { removeDeadNodes } from './remove-dead-nodes.js';
import { substituteValues } from './substitute.js';

/** Computes equal expressions once. Random ops, foreign nodes and nodes with subgraphs are left alone. */
export const eliminateCommonSubexpressions: Pass = {
  name: 'eliminateCommonSubexpressions',
  description: 'computes equal expressions once',
  run: mergeEqualNodes,
};

const longestSharedConstant = 64;

function mergeEqualNodes(graph: Graph): Graph {
  const numbers = new Map<Value, number>();
  const numberOf = (value: Value): number => {
    const known = numbers.get(value);
    if (known !== undefined) return known;
    numbers.set(value, numbers.size);
    return numbers.size - 1;
  };
  const replacements = mergeEqualConstants(graph);
  const seen = new Map<string, Node>();
  const final = (value: Value): Value => replacements.get(value) ?? value;
  for (const node of graph.nodes) {
    const definition = definitionOf(node);
    if (definition === undefined || definition.random || subgraphsOf(node).length > 0) continue;
    const inputs = node.inputs.map((input) => (input === undefined ? '' : numberOf(final(input))));
    const key = `${node.domain}:${node.op}(${inputs.join(',')})${node.outputs.length}${attributesKey(node.attributes)}`;
    const twin = seen.get(key);
    if (twin === undefined) {
      seen.set(key, node);
      continue;
    }
    node.outputs.forEach((output, index) => {
      replacements.set(output, final(twin.outputs[index] as Value));
    });
  }
  return replacements.size === 0 ? graph : removeDeadNodes.run(substituteValues(graph, replacements));
}

function mergeEqualConstants(graph: Graph): Map<Value, Value> {
  const replacements = new Map<Value, Value>();
  const seen = new Map<string, Value>();
  for (const [value, tensor] of graph.constants) {
    if (tensor.elementCount > longestSharedConstant || tensor.dtype === 'string') continue;
    const key = tensorKey(tensor);
    const twin = seen.get(key);
    if (twin === undefined) seen.set(key, value);
    else replacements.set(value, twin);
  }
  return replacements;
}

function tensorKey(tensor: Tensor): string {
  const elements = Array.from(tensor.data as ArrayLike<number | bigint | string>, (element) =>
    Object.is(element, -0) ? '-0' : String(element),
  );
  return `${tensor.dtype}[${tensor.shape}]${elements.join(',')}`;
}

let nextTensorIdentity = 0;
const tensorIdentities = new WeakMap<Tensor, number>();

function attributesKey(attributes: Attributes): string {
  return JSON.stringify(
    Object.entries(attributes).sort(([a], [b]) => (a < b ? -1 : 1)),
    (_, value: AttributeValue) => {
      if (!(value instanceof Tensor)) return value;
      if (value.elementCount <= longestSharedConstant) return tensorKey(value);
      let identity = tensorIdentities.get(value);
      if (identity === undefined) {
        identity = nextTensorIdentity++;
        tensorIdentities.set(value, identity);
      }
      return `tensor#${identity}`;
    },
  );
}

import { type Graph, isGraph, type Node, tensor, type Value, valuesReadBy } from '@modelwright/core';
import { trainingCondition } from '../own-names.js';

/** A graph without `TrainingSwitch`. */
export interface SwitchedGraph {
  readonly graph: Graph;
  /** The constant that says that the model does not train; undefined where nothing depends on it. */
  readonly condition: Value | undefined;
}

/**
 * Writes each `TrainingSwitch` as an `If` over a constant `false`: what only training computes stands in a branch that no runtime takes, and
 * the other branch hands through what the model infers.
 *
 * @param alsoRead - Values beside the graph's outputs that must stay in it.
 */
export function switchBranches(graph: Graph, alsoRead: readonly Value[] = []): SwitchedGraph {
  const condition: Value = { name: trainingCondition, dtype: 'bool', shape: [] };
  const branched = branchesOf(graph, condition, alsoRead);
  if (branched === graph) return { graph, condition: undefined };
  const constants = new Map([...branched.constants, [condition, tensor(false, { dtype: 'bool' })] as const]);
  return { graph: { ...branched, constants }, condition };
}

function branchesOf(graph: Graph, condition: Value, alsoRead: readonly Value[] = []): Graph {
  const nodes = graph.nodes.map((node) => withBranches(node, condition));
  if (!nodes.some(isSwitch))
    return nodes.some((node, index) => node !== graph.nodes[index]) ? { ...graph, nodes } : graph;
  const owners = ownersOf({ ...graph, nodes }, alsoRead);
  return { ...graph, nodes: written(undefined) };

  /** The nodes that stand in the branch of `owner`, or in no branch. */
  function written(owner: Node | undefined): readonly Node[] {
    return nodes
      .filter((node) => owners.get(node) === owner)
      .map((node) => (isSwitch(node) ? branchNode(node, condition, written(node)) : node));
  }
}

function isSwitch(node: Node): boolean {
  return node.op === 'TrainingSwitch';
}

/** The node with its subgraphs in that form. */
function withBranches(node: Node, condition: Value): Node {
  let isChanged = false;
  const inner = (graph: Graph): Graph => {
    const branched = branchesOf(graph, condition);
    if (branched !== graph) isChanged = true;
    return branched;
  };
  const attributes = Object.entries(node.attributes).map(([name, value]) => {
    if (isGraph(value)) return [name, inner(value)];
    return [name, Array.isArray(value) && value.some(isGraph) ? (value as readonly Graph[]).map(inner) : value];
  });
  return isChanged ? { ...node, attributes: Object.fromEntries(attributes) } : node;
}

/** The switch that alone needs a node, for training; undefined where the node is needed otherwise. */
function ownersOf(graph: Graph, alsoRead: readonly Value[]): ReadonlyMap<Node, Node | undefined> {
  const readers = new Map<Value, Set<Node | undefined>>();
  const note = (value: Value, owner: Node | undefined): void => {
    const known = readers.get(value);
    if (known === undefined) readers.set(value, new Set([owner]));
    else known.add(owner);
  };
  for (const value of [...graph.outputs.map((output) => output.value), ...alsoRead]) note(value, undefined);
  const owners = new Map<Node, Node | undefined>();
  for (const node of [...graph.nodes].reverse()) {
    const found = new Set(node.outputs.flatMap((output) => [...(readers.get(output) ?? [])]));
    const [owner] = found.size === 1 ? found : [];
    owners.set(node, owner);
    const [inference, training] = node.inputs;
    if (!isSwitch(node)) for (const value of valuesReadBy(node)) note(value, owner);
    else {
      note(inference as Value, owner);
      if (training !== inference) note(training as Value, node);
    }
  }
  return owners;
}

function branchNode(node: Node, condition: Value, training: readonly Node[]): Node {
  const [inferred, trained] = node.inputs as readonly [Value, Value];
  const branch = (name: string, value: Value, nodes: readonly Node[]): Graph => ({
    name,
    inputs: [],
    outputs: [{ name: `${node.name}/${name}`, value }],
    nodes,
    constants: new Map(),
  });
  return {
    op: 'If',
    domain: '',
    name: node.name,
    inputs: [condition],
    outputs: node.outputs,
    attributes: { then_branch: branch('training', trained, training), else_branch: branch('inference', inferred, []) },
  };
}

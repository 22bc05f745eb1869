import {
  capturesOf,
  type Graph,
  mapSubgraphs,
  type Node,
  subgraphsOf,
  substituteValues,
  type Tensor,
  type Value,
  valuesReadBy,
} from '@modelwright/core';

/**
 * A graph under change, node by node: who makes a value, who reads it, replacing nodes and constants. Nodes and values stay
 * immutable; what stands in their place is made anew.
 */
export class GraphEditor {
  readonly #graph: Graph;
  readonly #parent: GraphEditor | undefined;
  #nodes: Node[];
  #outputs: Graph['outputs'];
  readonly #constants: Map<Value, Tensor>;
  readonly #producers: Map<Value, Node> = new Map();
  readonly #readers: Map<Value, Set<Node>> = new Map();
  readonly #names: Set<string>;
  #changes = 0;

  constructor(graph: Graph, parent?: GraphEditor) {
    this.#graph = graph;
    this.#parent = parent;
    this.#nodes = [...graph.nodes];
    this.#outputs = graph.outputs;
    this.#constants = new Map(graph.constants);
    this.#names = parent === undefined ? namesOf(graph) : parent.#names;
    for (const node of this.#nodes) this.#register(node);
  }

  get nodes(): readonly Node[] {
    return this.#nodes;
  }

  get outputs(): Graph['outputs'] {
    return this.#outputs;
  }

  /** How often the graph was changed. */
  get changes(): number {
    return this.#changes;
  }

  /** The node that makes a value; undefined for inputs, constants and values of the graph around this one. */
  producerOf(value: Value): Node | undefined {
    return this.#producers.get(value);
  }

  /** The nodes that read a value, those whose bodies do included. */
  readersOf(value: Value): readonly Node[] {
    return [...(this.#readers.get(value) ?? [])];
  }

  isOutput(value: Value): boolean {
    return this.#outputs.some((output) => output.value === value);
  }

  /** The one node that reads a value, once, and nobody else does. */
  soleReaderOf(value: Value): Node | undefined {
    const readers = this.readersOf(value);
    const [reader] = readers;
    if (reader === undefined || readers.length > 1 || this.isOutput(value)) return undefined;
    return reader.inputs.filter((input) => input === value).length === 1 && subgraphsOf(reader).length === 0
      ? reader
      : undefined;
  }

  /** The tensor behind a constant of this graph or of one around it. */
  constantOf(value: Value | undefined): Tensor | undefined {
    if (value === undefined) return undefined;
    return this.#constants.get(value) ?? this.#parent?.constantOf(value);
  }

  /** Adds a constant; it stands in the outermost graph, where a model's parameters are. */
  addConstant(name: string, tensor: Tensor): Value {
    if (this.#parent !== undefined) return this.#parent.addConstant(name, tensor);
    const value: Value = { name: this.claim(name), dtype: tensor.dtype, shape: tensor.shape };
    this.#constants.set(value, tensor);
    return value;
  }

  /** A name that is free, `wanted` if it is. */
  claim(wanted: string): string {
    let name = wanted;
    for (let count = 2; this.#names.has(name); count++) name = `${wanted}_${count}`;
    this.#names.add(name);
    return name;
  }

  /** Puts nodes in the place of one, which is gone; its outputs have to be made by them or read no more. */
  replace(node: Node, by: readonly Node[]): void {
    const at = this.#nodes.indexOf(node);
    this.#unregister(node);
    this.#nodes.splice(at, 1, ...by);
    for (const each of by) this.#register(each);
    this.#changes++;
  }

  /** Changes some of what a node is. */
  update(node: Node, change: Partial<Node>): Node {
    const updated = { ...node, ...change };
    this.replace(node, [updated]);
    return updated;
  }

  /** Takes a node away whose only output in use is as good as `value`. */
  bypass(node: Node, value: Value, output: Value = node.outputs[0] as Value): void {
    this.replace(node, []);
    this.redirect(output, value);
  }

  /** Lets all who read `from` read `to`. */
  redirect(from: Value, to: Value): void {
    const replacement = new Map([[from, to]]);
    for (const reader of this.readersOf(from)) {
      this.update(reader, {
        inputs: reader.inputs.map((input) => (input === from ? to : input)),
        attributes: mapSubgraphs(reader.attributes, (inner) => substituteValues(inner, replacement)),
      });
    }
    this.#outputs = this.#outputs.map((output) => (output.value === from ? { ...output, value: to } : output));
    this.#changes++;
  }

  /** Runs `edit` on this graph and on the bodies of its loops and branches, innermost first. */
  editAll(edit: (editor: GraphEditor) => void): void {
    for (const node of this.nodes) {
      if (subgraphsOf(node).length === 0) continue;
      const before = this.#changes;
      let changed = 0;
      const attributes = mapSubgraphs(node.attributes, (inner) => {
        const editor = new GraphEditor(inner, this);
        editor.editAll(edit);
        changed += editor.changes;
        return editor.build();
      });
      if (changed > 0) this.update(node, { attributes });
      this.#changes = before + changed;
    }
    edit(this);
  }

  /** The graph as it is now; what nobody reads is still in it. */
  build(): Graph {
    return { ...this.#graph, nodes: [...this.#nodes], outputs: this.#outputs, constants: new Map(this.#constants) };
  }

  #register(node: Node): void {
    for (const output of node.outputs) this.#producers.set(output, node);
    for (const value of new Set(valuesReadBy(node))) {
      const readers = this.#readers.get(value) ?? new Set();
      this.#readers.set(value, readers.add(node));
    }
  }

  #unregister(node: Node): void {
    for (const output of node.outputs) if (this.#producers.get(output) === node) this.#producers.delete(output);
    for (const value of valuesReadBy(node)) this.#readers.get(value)?.delete(node);
  }
}

function namesOf(graph: Graph, names: Set<string> = new Set()): Set<string> {
  for (const value of [...graph.inputs, ...graph.constants.keys(), ...capturesOf(graph)]) names.add(value.name);
  for (const node of graph.nodes) {
    for (const output of node.outputs) names.add(output.name);
    for (const { graph: inner } of subgraphsOf(node)) namesOf(inner, names);
  }
  return names;
}

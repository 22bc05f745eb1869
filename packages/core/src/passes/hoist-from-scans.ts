import { capturesOf, type Graph, type Node, type Value, valuesReadBy } from '../graph/graph.js';
import type { GraphBuilder } from '../graph/graph-builder.js';
import { copyNode, inlineGraph } from '../graph/inline.js';
import { transposed } from '../graph/shape-ops.js';
import { type Lifted, liftNode } from '../ops/lifting.js';
import { definitionOf } from '../ops/registry.js';
import { bodyInputTypes, type ScanAttributes, type ScanLayout, scanLayout } from '../ops/scan-layout.js';
import { outputOf } from '../ops/subgraph-output.js';
import { isConcrete } from '../tensor/shape.js';
import type { Pass } from './pass.js';
import { rebuildGraph } from './rebuild.js';

/**
 * Takes out of the bodies of scans what no state enters: what is the same at every step is computed once, what depends on
 * the sequences alone for all steps at once, where the op has such a form and extents are known.
 */
export const hoistFromScans: Pass = {
  name: 'hoistFromScans',
  description: 'computes before a scan what its states do not enter',
  run(graph: Graph): Graph {
    if (!graph.nodes.some((node) => isScan(node) && hoistable(node).size > 0)) return graph;
    return rebuildGraph(graph, { rewrite: hoistNodes }).graph;
  },
};

const isScan = ({ op, domain }: Node): boolean => op === 'Scan' && domain === '';
const bodyOf = (node: Node): Graph => (node.attributes as unknown as ScanAttributes).body;

/** The nodes of a body that read no state, not even by way of others. Random ones draw anew at every step. */
function hoistable(node: Node): ReadonlySet<Node> {
  const body = bodyOf(node);
  const stateCount = body.inputs.length - (node.attributes as unknown as ScanAttributes).num_scan_inputs;
  const dependent = new Set(body.inputs.slice(0, stateCount));
  const found = new Set<Node>();
  for (const each of body.nodes) {
    const definition = definitionOf(each);
    const stays = definition === undefined || definition.random || each.op === 'Identity';
    if (stays || valuesReadBy(each).some((value) => dependent.has(value))) {
      for (const output of each.outputs) dependent.add(output);
    } else {
      found.add(each);
    }
  }
  return found;
}

function hoistNodes(
  node: Node,
  inputs: readonly (Value | undefined)[],
  builder: GraphBuilder,
  resolve: (value: Value) => Value,
): readonly Value[] | undefined {
  if (!isScan(node)) return undefined;
  const candidates = hoistable(node);
  if (candidates.size === 0) return undefined;
  const outside = new Outside({ node, inputs: inputs as readonly Value[], builder, resolve });
  for (const each of bodyOf(node).nodes) if (candidates.has(each)) outside.take(each);
  return outside.isUsed ? outside.scan() : undefined;
}

interface Request {
  readonly node: Node;
  readonly inputs: readonly Value[];
  readonly builder: GraphBuilder;
  readonly resolve: (value: Value) => Value;
}

/** What one scan computes outside of its loop. */
class Outside {
  readonly #request: Request;
  readonly #layout: ScanLayout;
  readonly #steps: number | undefined;
  /** Values of the body that are known outside. */
  readonly #lifted: Map<Value, Lifted> = new Map();
  readonly #taken: Set<Node> = new Set();

  constructor(request: Request) {
    this.#request = request;
    const { inputs } = request;
    const attributes = this.#attributes;
    const sequences = inputs.slice(inputs.length - attributes.num_scan_inputs);
    this.#layout = scanLayout(
      attributes,
      sequences.map(({ shape }) => shape.length),
    );
    const isAligned = new Set(this.#layout.inputReversed).size === 1;
    const length = sequences[0]?.shape[this.#layout.inputAxes[0] as number];
    const isKnown = isAligned && inputs.every(({ shape }) => isConcrete(shape)) && typeof length === 'number';
    this.#steps = isKnown && length > 0 ? length : undefined;
  }

  get isUsed(): boolean {
    return this.#taken.size > 0;
  }

  get #attributes(): ScanAttributes {
    return this.#request.node.attributes as unknown as ScanAttributes;
  }

  /** Computes a node outside if all that it reads is known there. */
  take(each: Node): void {
    const reads = valuesReadBy(each).map((value) => this.#lift(value));
    if (reads.some((value) => value === undefined)) return;
    const inputs = each.inputs.map((value) => (value === undefined ? undefined : this.#lift(value)));
    const isStacked = reads.some((value) => value?.isStacked);
    const made = isStacked ? this.#stack(each, inputs) : this.#copy(each, inputs);
    if (made === undefined) return;
    this.#taken.add(each);
    for (const [index, output] of each.outputs.entries()) {
      this.#lifted.set(output, { value: made[index] as Value, isStacked });
    }
  }

  #copy(each: Node, inputs: readonly (Lifted | undefined)[]): readonly Value[] {
    return copyNode(
      this.#request.builder,
      each,
      inputs.map((input) => input?.value),
      (value) => (this.#lift(value) as Lifted).value,
      { keepNames: false },
    );
  }

  #stack(each: Node, inputs: readonly (Lifted | undefined)[]): readonly Value[] | undefined {
    return this.#steps === undefined ? undefined : liftNode(this.#request.builder, each, inputs, this.#steps);
  }

  #lift(value: Value): Lifted | undefined {
    const known = this.#lifted.get(value);
    if (known !== undefined) return known;
    const made = this.#find(value);
    if (made !== undefined) this.#lifted.set(value, made);
    return made;
  }

  #find(value: Value): Lifted | undefined {
    const { builder, inputs, resolve, node } = this.#request;
    const body = bodyOf(node);
    const constant = body.constants.get(value);
    if (constant !== undefined) return { value: builder.constant(constant), isStacked: false };
    const at = body.inputs.indexOf(value);
    if (at < 0) return capturesOf(body).has(value) ? { value: resolve(value), isStacked: false } : undefined;
    const index = at - this.#layout.stateCount;
    if (index < 0 || this.#steps === undefined) return undefined;
    const sequence = inputs[at] as Value;
    const axis = this.#layout.inputAxes[index] as number;
    const rest = sequence.shape.map((_, each) => each).filter((each) => each !== axis);
    return { value: transposed(builder, sequence, [axis, ...rest]), isStacked: true };
  }

  /** The scan with the rest of its body; what was computed outside is captured or stepped along. */
  scan(): readonly Value[] {
    const { builder, inputs, node } = this.#request;
    const { scan_input_axes: _axes, scan_input_directions: _directions, ...attributes } = this.#attributes;
    const added: Value[] = [];
    const kept = this.#keptInputs();
    const body = builder.subgraph(bodyOf(node).name, (inner) => this.#fill(inner, { added, kept }));
    const { inputAxes, inputReversed, stateCount } = this.#layout;
    const sequences = kept.filter((index) => index >= stateCount).map((index) => index - stateCount);
    const direction = Number(inputReversed[0]);
    return builder.node(
      'Scan',
      [...kept.map((index) => inputs[index]), ...added],
      {
        ...attributes,
        body,
        num_scan_inputs: sequences.length + added.length,
        scan_input_axes: [...sequences.map((index) => inputAxes[index] as number), ...added.map(() => 0)],
        scan_input_directions: [
          ...sequences.map((index) => Number(inputReversed[index])),
          ...added.map(() => direction),
        ],
      },
      { nodeName: node.name },
    );
  }

  /** Inputs that the rest of the body still reads; a scan needs one sequence in any case. */
  #keptInputs(): readonly number[] {
    const body = bodyOf(this.#request.node);
    const { stateCount } = this.#layout;
    const read = readInside(body, this.#taken);
    const kept = body.inputs.flatMap((input, index) => (index < stateCount || read.has(input) ? [index] : []));
    const isAdded = (value: Value): boolean => read.has(value) && this.#lifted.get(value)?.isStacked === true;
    const hasMore = [...this.#taken].some(({ outputs }) => outputs.some(isAdded));
    return hasMore || kept.length > stateCount ? kept : [...kept, stateCount];
  }

  #fill(inner: GraphBuilder, { added, kept }: { readonly added: Value[]; readonly kept: readonly number[] }): void {
    const { inputs, node, resolve } = this.#request;
    const body = bodyOf(node);
    const types = bodyInputTypes(inputs, this.#layout);
    const bindings = new Map<Value, Value>();
    for (const index of kept) {
      const [input, { dtype, shape }] = [body.inputs[index], types[index]] as [Value, Value];
      bindings.set(input, inner.input(input.name, dtype, shape));
    }
    for (const value of capturesOf(body)) bindings.set(value, resolve(value));
    const read = readInside(body, this.#taken);
    for (const each of this.#taken) {
      for (const output of each.outputs) {
        const { value, isStacked } = this.#lifted.get(output) as Lifted;
        if (!read.has(output)) continue;
        if (isStacked) added.push(value);
        bindings.set(output, isStacked ? inner.input(output.name, value.dtype, value.shape.slice(1)) : value);
      }
    }
    const rest = { ...body, nodes: body.nodes.filter((each) => !this.#taken.has(each)) };
    const results = inlineGraph(inner, rest, bindings, { keepNames: false });
    for (const [index, { name }] of body.outputs.entries()) outputOf(inner, name, results[index] as Value);
  }
}

/** Values that the body reads beside the nodes that are taken out. */
function readInside(body: Graph, taken: ReadonlySet<Node>): ReadonlySet<Value> {
  const rest = body.nodes.filter((node) => !taken.has(node));
  return new Set([...rest.flatMap(valuesReadBy), ...body.outputs.map(({ value }) => value)]);
}

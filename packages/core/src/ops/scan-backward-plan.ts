import { type Graph, type Node, type Value, valuesReadBy } from '../graph/graph.js';
import { GraphBuilder } from '../graph/graph-builder.js';
import { isConcrete } from '../tensor/shape.js';
import { type Lifted, liftNode } from './lifting.js';
import { type BackwardStep, dependentsOf } from './scan-backward-step.js';

/** Where each node of a backward step runs. */
export interface BackwardPlan {
  readonly step: BackwardStep;
  /** Nodes that stay in the loop, in order. */
  readonly loop: readonly Node[];
  /** The node that makes a value. */
  readonly makers: ReadonlyMap<Value, Node>;
  /** Values that are the same at every step. */
  readonly invariant: ReadonlySet<Value>;
  /** Values of the loop that are wanted outside, at all steps. */
  readonly emitted: readonly Value[];
}

/** Decides what stays in the loop: what leads from incoming to outgoing gradients, and what has no form for all steps at once. */
export function planBackward(builder: GraphBuilder, step: BackwardStep, length: number): BackwardPlan {
  const { graph } = step;
  const makers = new Map(graph.nodes.flatMap((node) => node.outputs.map((output): [Value, Node] => [output, node])));
  const wanted = [...step.stateGradients, ...step.sequenceGradients, ...step.targetGradients];
  const needed = ancestorsOf(wanted, makers, step);
  const varying = dependentsOf(graph, graph.inputs.concat([...step.known.keys()]));
  const carried = dependentsOf(graph, step.incoming);
  const core = ancestorsOf(step.stateGradients, makers, step);
  const loop = new Set<Node>();
  const trial = new Trial(builder, { steps: length, varying, constants: graph.constants });
  // Forward: what is known beforehand but has no form for all steps at once, and what is made of such.
  const inLoop = (value: Value): boolean => loop.has(makers.get(value) as Node);
  for (const node of graph.nodes) {
    if (!needed.has(node)) continue;
    const reads = valuesReadBy(node);
    const isCarried = node.outputs.some((output) => carried.has(output));
    const isVarying = node.outputs.some((output) => varying.has(output));
    if (isCarried ? core.has(node) : isVarying && (reads.some(inLoop) || !trial.lifts(node))) loop.add(node);
  }
  // Backward: what leaves the loop though it has no form outside, with all that it is made of.
  for (const node of [...graph.nodes].reverse()) {
    if (!needed.has(node) || loop.has(node) || !node.outputs.some((output) => carried.has(output))) continue;
    if (trial.lifts(node)) continue;
    for (const each of ancestorsOf(node.outputs, makers, step)) {
      if (each.outputs.some((output) => carried.has(output))) loop.add(each);
    }
  }
  const outside = [...needed].filter((node) => !loop.has(node));
  const read = new Set([...outside.flatMap(valuesReadBy), ...step.sequenceGradients, ...step.targetGradients]);
  const emitted = [...read].filter((value) => inLoop(value) || step.incoming.includes(value));
  return {
    step,
    loop: graph.nodes.filter((node) => loop.has(node)),
    makers,
    invariant: complement(graph.nodes, varying),
    emitted,
  };
}

function complement(nodes: readonly Node[], varying: ReadonlySet<Value>): ReadonlySet<Value> {
  return new Set(nodes.flatMap(({ outputs }) => outputs).filter((value) => !varying.has(value)));
}

/** The nodes that `values` are made by; forward values that the node gave out need none. */
function ancestorsOf(
  values: readonly Value[],
  makers: ReadonlyMap<Value, Node>,
  { known }: BackwardStep,
): ReadonlySet<Node> {
  const found = new Set<Node>();
  const open = [...values];
  for (let value = open.pop(); value !== undefined; value = open.pop()) {
    const node = known.has(value) ? undefined : makers.get(value);
    if (node === undefined || found.has(node)) continue;
    found.add(node);
    open.push(...valuesReadBy(node));
  }
  return found;
}

interface TrialOptions {
  readonly steps: number;
  readonly varying: ReadonlySet<Value>;
  readonly constants: Graph['constants'];
}

/** Tries whether nodes have a form for all steps at once. */
class Trial {
  readonly #outer: GraphBuilder;
  readonly #options: TrialOptions;

  constructor(outer: GraphBuilder, options: TrialOptions) {
    this.#outer = outer;
    this.#options = options;
  }

  lifts(node: Node): boolean {
    const { steps, varying, constants } = this.#options;
    const builder = new GraphBuilder('trial', this.#outer);
    const inputs: (Lifted | undefined)[] = [];
    for (const value of node.inputs) {
      const held = value === undefined ? undefined : constants.get(value);
      if (value === undefined) inputs.push(undefined);
      else if (held !== undefined) inputs.push({ value: builder.constant(held), isStacked: false });
      else if (!isConcrete(value.shape)) return false;
      else if (!varying.has(value)) inputs.push({ value, isStacked: false });
      else inputs.push({ value: builder.input('x', value.dtype, [steps, ...value.shape]), isStacked: true });
    }
    return liftNode(builder, node, inputs, steps) !== undefined;
  }
}

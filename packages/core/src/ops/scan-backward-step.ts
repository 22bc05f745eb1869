import { backpropagate, type Seed } from '../gradient/backpropagate.js';
import { type Graph, type Node, type Value, valuesReadBy } from '../graph/graph.js';
import type { GraphBuilder } from '../graph/graph-builder.js';
import { inlineGraph } from '../graph/inline.js';
import type { GradientContext } from './definition.js';
import { bodyInputTypes, type ScanAttributes } from './scan-layout.js';
import { type ScanSteps, sourceOf } from './scan-steps.js';

/** One step of a backward scan as a graph of its own, which captures what the forward body does. */
export interface BackwardStep {
  readonly graph: Graph;
  /** Inputs: gradients of the states after the step. */
  readonly incoming: readonly Value[];
  /** Inputs (and forward values that the node gives out) and what they are at all steps, made on demand. */
  readonly known: ReadonlyMap<Value, () => Value>;
  /** Gradients of the states before the step. */
  readonly stateGradients: readonly Value[];
  readonly sequenceGradients: readonly Value[];
  /** What the step adds to the gradients of captured values. */
  readonly targetGradients: readonly Value[];
}

interface Wanted {
  /** Indices of the states that carry gradients. */
  readonly states: readonly number[];
  /** Indices of scanned inputs. */
  readonly sequences: readonly number[];
  /** Captured values. */
  readonly targets: readonly Value[];
}

/** Differentiates the body once. */
export function backwardStep(context: GradientContext<ScanAttributes>, steps: ScanSteps, wanted: Wanted): BackwardStep {
  let made: Omit<BackwardStep, 'graph'> | undefined;
  const plain = context.builder.subgraph('backward_step', (inner) => {
    made = differentiateBody(inner, context, steps, wanted);
    const all = [...made.stateGradients, ...made.sequenceGradients, ...made.targetGradients];
    for (const [index, value] of all.entries()) inner.output(`gradient_${index}`, value);
  });
  return reassociated(context.builder, { ...(made as Omit<BackwardStep, 'graph'>), graph: plain });
}

function differentiateBody(
  inner: GraphBuilder,
  context: GradientContext<ScanAttributes>,
  steps: ScanSteps,
  { states, sequences, targets }: Wanted,
): Omit<BackwardStep, 'graph'> {
  const { attributes, inputs } = context;
  const { layout } = steps;
  const types = bodyInputTypes(inputs as readonly Value[], layout);
  const declare = (name: string, { dtype, shape }: Pick<Value, 'dtype' | 'shape'>): Value =>
    inner.input(name, dtype, shape);
  const incoming = states.map((index) => declare(`state_gradient_${index}`, types[index] as Value));
  const fed = types.map((type, index) => declare(`body_input_${index}`, type));
  const bindings = new Map(attributes.body.inputs.map((value, index) => [value, fed[index] as Value]));
  const results = inlineGraph(inner, attributes.body, bindings, { keepNames: false });
  const before = once(() => steps.statesBefore());
  const known = new Map<Value, () => Value>();
  for (const [index, value] of fed.entries()) {
    const at = index - layout.stateCount;
    known.set(value, once(at < 0 ? () => before()[index] as Value : () => steps.sequence(at)));
  }
  const seeds: Seed[] = states.map((index, at) => ({
    value: results[index] as Value,
    gradient: incoming[at] as Value,
  }));
  for (const [index, { value }] of attributes.body.outputs.slice(layout.stateCount).entries()) {
    const held = bindings.get(sourceOf(attributes.body, value));
    if (held !== undefined && !known.has(held))
      known.set(
        held,
        once(() => steps.output(index)),
      );
    if (context.outputGradients[layout.stateCount + index] === undefined) continue;
    const gradient = declare(`output_gradient_${index}`, results[layout.stateCount + index] as Value);
    known.set(
      gradient,
      once(() => steps.outputGradient(index) as Value),
    );
    seeds.push({ value: results[layout.stateCount + index] as Value, gradient });
  }
  const gradients = backpropagate(inner, seeds, [
    ...states.map((index) => fed[index] as Value),
    ...sequences.map((index) => fed[layout.stateCount + index] as Value),
    ...targets,
  ]);
  return {
    incoming,
    known,
    stateGradients: gradients.slice(0, states.length),
    sequenceGradients: gradients.slice(states.length, states.length + sequences.length),
    targetGradients: gradients.slice(states.length + sequences.length),
  };
}

function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}

/**
 * `(d·k₁)·k₂` as `d·(k₁·k₂)` where only `d` depends on the incoming gradients: the product of the others is then known before
 * the loop.
 */
function reassociated(builder: GraphBuilder, step: BackwardStep): BackwardStep {
  const uses = usesOf(step.graph);
  const carried = dependentsOf(step.graph, step.incoming);
  // Products of a carried value and a known factor, by the value they stand for.
  const products = new Map<Value, Product>();
  const bindings = new Map<Value, Value>();
  const graph = builder.subgraph('backward_step', (inner) => {
    for (const input of step.graph.inputs) bindings.set(input, inner.input(input.name, input.dtype, input.shape));
    const rewrite = (
      node: Node,
      inputs: readonly (Value | undefined)[],
      target: GraphBuilder,
    ): readonly Value[] | undefined => {
      const product = target === inner ? productOf(node, inputs as readonly Value[]) : undefined;
      if (product === undefined) return undefined;
      const { source, gradient, factor } = product;
      const before = uses.get(source) === 1 ? products.get(source) : undefined;
      const merged: Product =
        before === undefined
          ? { gradient, factor }
          : { gradient: before.gradient, factor: inner.op('Mul', [before.factor, factor]) };
      products.set(node.outputs[0] as Value, merged);
      return [inner.op('Mul', [merged.gradient, merged.factor])];
    };
    const productOf = (node: Node, inputs: readonly Value[]): (Product & { source: Value }) | undefined => {
      if (node.op !== 'Mul' || node.domain !== '') return undefined;
      const [left, right] = node.inputs as readonly [Value, Value];
      if (carried.has(left) === carried.has(right)) return undefined;
      const [a, b] = inputs as readonly [Value, Value];
      return carried.has(left) ? { source: left, gradient: a, factor: b } : { source: right, gradient: b, factor: a };
    };
    const outputs = inlineGraph(inner, step.graph, bindings, { keepNames: false, rewrite });
    for (const [index, value] of outputs.entries()) inner.output(`gradient_${index}`, value);
  });
  const mapped = (value: Value): Value => bindings.get(value) ?? value;
  return {
    graph,
    incoming: step.incoming.map(mapped),
    known: new Map([...step.known].map(([value, make]) => [mapped(value), make])),
    stateGradients: step.stateGradients.map(mapped),
    sequenceGradients: step.sequenceGradients.map(mapped),
    targetGradients: step.targetGradients.map(mapped),
  };
}

interface Product {
  readonly gradient: Value;
  readonly factor: Value;
}

/** All values of `graph` that depend on `sources`, these included. */
export function dependentsOf(graph: Graph, sources: readonly Value[]): ReadonlySet<Value> {
  const found = new Set(sources);
  for (const node of graph.nodes) {
    if (valuesReadBy(node).some((value) => found.has(value))) for (const output of node.outputs) found.add(output);
  }
  return found;
}

function usesOf(graph: Graph): ReadonlyMap<Value, number> {
  const uses = new Map<Value, number>();
  const use = (value: Value): void => void uses.set(value, (uses.get(value) ?? 0) + 1);
  for (const node of graph.nodes) valuesReadBy(node).forEach(use);
  for (const { value } of graph.outputs) use(value);
  return uses;
}

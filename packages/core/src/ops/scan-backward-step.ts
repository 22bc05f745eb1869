import { backpropagate, type Seed } from '../gradient/backpropagate.js';
import { type Graph, type Value, valuesReadBy } from '../graph/graph.js';
import type { GraphBuilder } from '../graph/graph-builder.js';
import { inlineGraph } from '../graph/inline.js';
import type { GradientContext } from './definition.js';
import { reassociateProducts } from './reassociate-products.js';
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
  return simplified(context.builder, { ...(made as Omit<BackwardStep, 'graph'>), graph: plain });
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

function simplified(builder: GraphBuilder, step: BackwardStep): BackwardStep {
  const { graph, bindings } = reassociateProducts(builder, step.graph, dependentsOf(step.graph, step.incoming));
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

/** All values of `graph` that depend on `sources`, these included. */
export function dependentsOf(graph: Graph, sources: readonly Value[]): ReadonlySet<Value> {
  const found = new Set(sources);
  for (const node of graph.nodes) {
    if (valuesReadBy(node).some((value) => found.has(value))) for (const output of node.outputs) found.add(output);
  }
  return found;
}

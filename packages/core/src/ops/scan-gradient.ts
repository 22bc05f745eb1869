import { backpropagate, type Seed } from '../gradient/backpropagate.js';
import { capturesOf, type Graph, type Value } from '../graph/graph.js';
import type { GraphBuilder } from '../graph/graph-builder.js';
import { inlineGraph } from '../graph/inline.js';
import { sliceOf, zerosOf } from '../graph/shape-ops.js';
import { isFloat } from '../tensor/dtype.js';
import { concreteShape } from '../tensor/shape.js';
import type { GradientContext } from './definition.js';
import { bodyInputTypes, type ScanAttributes, type ScanLayout, scanLayout } from './scan-layout.js';
import { outputOf } from './subgraph-output.js';

interface Backward {
  readonly context: GradientContext<ScanAttributes>;
  readonly layout: ScanLayout;
  /** Every value the body captures, as the walker counts them. */
  readonly captured: readonly Value[];
  /** Those of them whose gradient is wanted. */
  readonly targets: readonly Value[];
  /** Indices of the states that carry gradients. */
  readonly states: readonly number[];
  /** Indices (among the sequences) of those whose gradient is wanted. */
  readonly sequences: readonly number[];
  /** Indices (among the stacked outputs) of those that have a gradient. */
  readonly stacked: readonly number[];
}

/**
 * A `Scan` the other way round. Its states are the gradients of the forward states and the sums of the gradients of captured
 * values; at each step it computes the body anew from the state before that step, and differentiates it:
 *
 * `(dstate, dw), (state[t], x[t], dy[t]) → (dstate′, dw + ∂w), dx[t]`
 */
export function scanGradient(context: GradientContext<ScanAttributes>): readonly (Value | undefined)[] {
  const backward = planBackward(context);
  const { builder, inputs } = context;
  const { layout, states, targets, sequences, stacked, captured } = backward;
  if (states.length + targets.length + sequences.length === 0) return inputs.map(() => undefined);
  const stateGradients = states.map(
    (index) => context.outputGradients[index] ?? zerosLike(builder, context.outputs[index] as Value),
  );
  const sums = targets.map((value) => zerosLike(builder, value));
  const saved = statesBefore(backward);
  const fed = inputs.slice(layout.stateCount) as readonly Value[];
  const dy = stacked.map((index) => context.outputGradients[layout.stateCount + index] as Value);
  const outputs = builder.node('Scan', [...stateGradients, ...sums, ...saved, ...fed, ...dy], {
    body: backwardBody(backward),
    num_scan_inputs: saved.length + fed.length + dy.length,
    scan_input_axes: [
      ...saved.map(() => 0),
      ...layout.inputAxes,
      ...stacked.map((index) => layout.outputAxes[index] as number),
    ],
    scan_input_directions: [
      ...saved.map(() => 1),
      ...layout.inputReversed.map(flipped),
      ...stacked.map((index) => flipped(layout.outputReversed[index] as boolean)),
    ],
    scan_output_axes: sequences.map((index) => layout.inputAxes[index] as number),
    scan_output_directions: sequences.map((index) => flipped(layout.inputReversed[index] as boolean)),
  });
  const results: (Value | undefined)[] = inputs.map(() => undefined);
  for (const [at, index] of states.entries()) results[index] = outputs[at];
  for (const [at, index] of sequences.entries()) {
    results[layout.stateCount + index] = outputs[states.length + targets.length + at];
  }
  const sumOf = (value: Value): Value | undefined => {
    const at = targets.indexOf(value);
    return at < 0 ? undefined : outputs[states.length + at];
  };
  return [...results, ...captured.map(sumOf)];
}

const flipped = (reversed: boolean): number => (reversed ? 0 : 1);

function planBackward(context: GradientContext<ScanAttributes>): Backward {
  const { attributes, inputs, input, needs, outputGradients } = context;
  const { body, num_scan_inputs: count } = attributes;
  const first = inputs.length - count;
  const ranks = inputs.slice(first).map((_, index) => input(first + index).shape.length);
  const layout = scanLayout(attributes, ranks);
  const captured = [...capturesOf(body)];
  const indices = (length: number): number[] => [...Array(length).keys()];
  return {
    context,
    layout,
    captured,
    targets: captured.filter((value, index) => isFloat(value.dtype) && needs(inputs.length + index)),
    states: indices(first).filter((index) => isFloat(input(index).dtype)),
    sequences: indices(count).filter((index) => needs(first + index) && isFloat(input(first + index).dtype)),
    stacked: indices(body.outputs.length - first).filter((index) => outputGradients[first + index] !== undefined),
  };
}

/** The body of the backward scan; its inputs and outputs stand in the order that {@link scanGradient} feeds them. */
function backwardBody({ context, layout, targets, states, sequences, stacked }: Backward): Graph {
  const { attributes, builder, inputs } = context;
  const types = bodyInputTypes(inputs as readonly Value[], layout);
  return builder.subgraph('scan_gradient', (inner) => {
    const declare = (name: string, { dtype, shape }: Pick<Value, 'dtype' | 'shape'>): Value =>
      inner.input(name, dtype, shape);
    const stateGradients = states.map((index) => declare(`state_gradient_${index}`, types[index] as Value));
    const sums = targets.map((value, index) => declare(`sum_${index}`, value));
    const fed = types.map((type, index) => declare(`body_input_${index}`, type));
    const given = stacked.map((index) => {
      const { dtype, shape } = context.outputs[layout.stateCount + index] as Value;
      return declare(`output_gradient_${index}`, {
        dtype,
        shape: shape.toSpliced(layout.outputAxes[index] as number, 1),
      });
    });
    const bindings = new Map(attributes.body.inputs.map((value, index) => [value, fed[index] as Value]));
    const results = inlineGraph(inner, attributes.body, bindings, { keepNames: false });
    const seeds: Seed[] = [
      ...states.map((index, at) => ({ value: results[index] as Value, gradient: stateGradients[at] as Value })),
      ...stacked.map((index, at) => ({
        value: results[layout.stateCount + index] as Value,
        gradient: given[at] as Value,
      })),
    ];
    const wanted = [
      ...states.map((index) => fed[index] as Value),
      ...targets,
      ...sequences.map((index) => fed[layout.stateCount + index] as Value),
    ];
    const gradients = backpropagate(inner, seeds, wanted);
    for (const [at, gradient] of gradients.entries()) {
      const sum = sums[at - states.length];
      outputOf(inner, `gradient_${at}`, sum === undefined ? gradient : inner.op('Add', [sum, gradient]));
    }
  });
}

/** Each state before each step, stacked in the order of the steps. */
function statesBefore({ context, layout }: Backward): readonly Value[] {
  const { builder, inputs, outputs, attributes } = context;
  if (layout.stateCount === 0) return [];
  const indices = [...Array(layout.stateCount).keys()];
  const stackedAs = indices.map((index) => stackedStateOutput(attributes.body, layout, index));
  const length = sequenceLengthOf(inputs, layout);
  if (stackedAs.every((output) => output !== undefined) && length > 0) {
    return indices.map((index) =>
      shiftedStates(builder, inputs[index] as Value, outputs[stackedAs[index] as number] as Value, length),
    );
  }
  const body = emittingBody(context, layout);
  const { num_scan_inputs, scan_input_axes, scan_input_directions } = attributes;
  const options = { body, num_scan_inputs, scan_input_axes, scan_input_directions };
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  return builder.node('Scan', inputs, given).slice(layout.stateCount);
}

/** Index of the scan output that is this state after each step, in order along axis 0, if the body gives one. */
function stackedStateOutput(body: Graph, layout: ScanLayout, state: number): number | undefined {
  const sourceOf = (value: Value): Value => {
    const node = body.nodes.find((each) => each.outputs.includes(value));
    return node?.op === 'Identity' && node.domain === '' ? sourceOf(node.inputs[0] as Value) : value;
  };
  const after = sourceOf((body.outputs[state] as { value: Value }).value);
  const found = layout.outputAxes.findIndex((axis, index) => {
    const output = body.outputs[layout.stateCount + index] as { value: Value };
    return axis === 0 && !layout.outputReversed[index] && sourceOf(output.value) === after;
  });
  return found < 0 ? undefined : layout.stateCount + found;
}

/** `[initial, after step 0, …, after step n − 2]` */
function shiftedStates(builder: GraphBuilder, initial: Value, after: Value, length: number): Value {
  const first = builder.op('Unsqueeze', [initial, builder.integers([0])]);
  if (length === 1) return first;
  const rest = sliceOf(builder, after, [{ axis: 0, start: 0, end: length - 1 }]);
  return builder.op('Concat', [first, rest], { axis: 0 });
}

function sequenceLengthOf(inputs: readonly (Value | undefined)[], layout: ScanLayout): number {
  const sequence = inputs[layout.stateCount] as Value;
  return concreteShape(sequence.shape, `'${sequence.name}'`)[layout.inputAxes[0] as number] as number;
}

/** The forward body, giving out the states it was given instead of what it computes beside them. */
function emittingBody({ attributes, builder, inputs }: GradientContext<ScanAttributes>, layout: ScanLayout): Graph {
  const { body } = attributes;
  const types = bodyInputTypes(inputs as readonly Value[], layout);
  return builder.subgraph('scan_states', (inner) => {
    const fed = types.map(({ dtype, shape }, index) => inner.input(`body_input_${index}`, dtype, shape));
    const bindings = new Map(body.inputs.map((value, index) => [value, fed[index] as Value]));
    const results = inlineGraph(inner, body, bindings, { keepNames: false });
    for (let index = 0; index < layout.stateCount; index++) outputOf(inner, `state_${index}`, results[index] as Value);
    for (let index = 0; index < layout.stateCount; index++) outputOf(inner, `before_${index}`, fed[index] as Value);
  });
}

function zerosLike(builder: GraphBuilder, value: Value): Value {
  return zerosOf(builder, value.dtype, concreteShape(value.shape, `'${value.name}'`));
}

import type { Graph, Value } from '../graph/graph.js';
import type { GraphBuilder } from '../graph/graph-builder.js';
import { inlineGraph } from '../graph/inline.js';
import { inversePermutation, sliceOf, transposed } from '../graph/shape-ops.js';
import { concreteShape } from '../tensor/shape.js';
import type { GradientContext } from './definition.js';
import { bodyInputTypes, type ScanAttributes, type ScanLayout, scanLayout } from './scan-layout.js';
import { outputOf } from './subgraph-output.js';

/**
 * The sequences of a `Scan` laid out alike: the steps along axis 0, in memory as the first sequence has them. When that one
 * runs from its end, so do all (`isReversed`), and nothing has to be turned round.
 */
export interface ScanSteps {
  readonly layout: ScanLayout;
  readonly length: number;
  readonly isReversed: boolean;
  /** A scanned input. */
  sequence(index: number): Value;
  /** The cotangent of a stacked output; undefined where it is zero. */
  outputGradient(index: number): Value | undefined;
  /** A stacked output. */
  output(index: number): Value;
  /** The states before each step. */
  statesBefore(): readonly Value[];
  /** A value of all steps with the axes and the direction of scanned input `index`. */
  asSequence(index: number, value: Value): Value;
}

/** The steps of the node whose gradient is wanted. */
export function scanSteps(context: GradientContext<ScanAttributes>): ScanSteps {
  const { attributes, inputs, input, builder, outputs, outputGradients } = context;
  const first = inputs.length - attributes.num_scan_inputs;
  const ranks = inputs.slice(first).map((_, index) => input(first + index).shape.length);
  const layout = scanLayout(attributes, ranks);
  const isReversed = layout.inputReversed[0] as boolean;
  const sequence = input(first);
  const length = concreteShape(sequence.shape, `'${sequence.name}'`)[layout.inputAxes[0] as number] as number;
  const laidOut = (value: Value, axis: number, reversed: boolean): Value =>
    turned(builder, stepsFirst(builder, value, axis), reversed !== isReversed, length);
  const steps: ScanSteps = {
    layout,
    length,
    isReversed,
    sequence: (index) =>
      laidOut(input(first + index), layout.inputAxes[index] as number, layout.inputReversed[index] as boolean),
    output: (index) =>
      laidOut(
        outputs[first + index] as Value,
        layout.outputAxes[index] as number,
        layout.outputReversed[index] as boolean,
      ),
    outputGradient(index) {
      const gradient = outputGradients[first + index];
      if (gradient === undefined) return undefined;
      return laidOut(gradient, layout.outputAxes[index] as number, layout.outputReversed[index] as boolean);
    },
    statesBefore: () => statesBefore(context, steps),
    asSequence(index, value) {
      const axis = layout.inputAxes[index] as number;
      const back = turned(builder, value, layout.inputReversed[index] !== isReversed, length);
      return transposed(builder, back, inversePermutation(stepsFirstPermutation(value.shape.length, axis)));
    },
  };
  return steps;
}

function stepsFirstPermutation(rank: number, axis: number): readonly number[] {
  return [axis, ...Array.from({ length: rank }, (_, index) => index).filter((index) => index !== axis)];
}

function stepsFirst(builder: GraphBuilder, value: Value, axis: number): Value {
  return transposed(builder, value, stepsFirstPermutation(value.shape.length, axis));
}

function turned(builder: GraphBuilder, value: Value, isTurned: boolean, length: number): Value {
  if (!isTurned || length < 2) return value;
  return sliceOf(builder, value, [{ axis: 0, start: length - 1, end: -length - 1, step: -1 }]);
}

/** From the outputs where the body gives its states out, else by a scan of its own. */
function statesBefore(context: GradientContext<ScanAttributes>, steps: ScanSteps): readonly Value[] {
  const { builder, inputs, attributes } = context;
  const { layout, length, isReversed } = steps;
  const indices = [...Array(layout.stateCount).keys()];
  if (indices.length === 0) return [];
  const givenOut = indices.map((index) => stackedAs(attributes.body, layout, index));
  if (givenOut.every((output) => output !== undefined)) {
    return indices.map((index) => {
      const after = steps.output(givenOut[index] as number);
      return shifted(builder, inputs[index] as Value, after, { length, isReversed });
    });
  }
  const { num_scan_inputs, scan_input_axes, scan_input_directions } = attributes;
  const options = {
    body: emittingBody(context, layout),
    num_scan_inputs,
    scan_input_axes,
    scan_input_directions,
    scan_output_directions: isReversed ? indices.map(() => 1) : undefined,
  };
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  return builder.node('Scan', inputs, given).slice(layout.stateCount);
}

/** Index of the stacked output that is this state after each step, if the body gives one. */
function stackedAs(body: Graph, layout: ScanLayout, state: number): number | undefined {
  const after = sourceOf(body, (body.outputs[state] as { value: Value }).value);
  const found = layout.outputAxes.findIndex((_, index) => {
    const output = body.outputs[layout.stateCount + index] as { value: Value };
    return sourceOf(body, output.value) === after;
  });
  return found < 0 ? undefined : found;
}

/** What an output of a body hands on: the value before its `Identity`, if it stands behind one. */
export function sourceOf(body: Graph, value: Value): Value {
  const node = body.nodes.find((each) => each.outputs.includes(value));
  return node?.op === 'Identity' && node.domain === '' ? sourceOf(body, node.inputs[0] as Value) : value;
}

/** The states after all steps but the last one, behind the initial one. */
function shifted(
  builder: GraphBuilder,
  initial: Value,
  after: Value,
  { length, isReversed }: Pick<ScanSteps, 'length' | 'isReversed'>,
): Value {
  const first = builder.op('Unsqueeze', [initial, builder.integers([0])]);
  if (length === 1) return first;
  const [start, end] = isReversed ? [1, length] : [0, length - 1];
  const rest = sliceOf(builder, after, [{ axis: 0, start, end }]);
  return builder.op('Concat', isReversed ? [rest, first] : [first, rest], { axis: 0 });
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

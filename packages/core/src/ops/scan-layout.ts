import type { ValueType } from '../graph/graph.js';
import type { ControlFlowAttributes } from './control-flow.js';

export type ScanAttributes = ControlFlowAttributes['Scan'];

/** How a `Scan` reads and writes its sequences, defaults filled in. */
export interface ScanLayout {
  readonly stateCount: number;
  readonly inputAxes: readonly number[];
  readonly inputReversed: readonly boolean[];
  readonly outputAxes: readonly number[];
  readonly outputReversed: readonly boolean[];
}

/** The layout of a scan whose shapes have been checked. */
export function scanLayout(attributes: ScanAttributes, sequenceRanks: readonly number[]): ScanLayout {
  const { body, num_scan_inputs: count } = attributes;
  const stateCount = body.inputs.length - count;
  const outputRanks = body.outputs.slice(stateCount).map(({ value }) => value.shape.length + 1);
  const fromFront = (axes: readonly number[] | undefined, ranks: readonly number[]): readonly number[] =>
    ranks.map((rank, index) => ((axes?.[index] ?? 0) + rank) % rank);
  const reversed = (directions: readonly number[] | undefined, ranks: readonly number[]): readonly boolean[] =>
    ranks.map((_, index) => directions?.[index] === 1);
  return {
    stateCount,
    inputAxes: fromFront(attributes.scan_input_axes, sequenceRanks),
    inputReversed: reversed(attributes.scan_input_directions, sequenceRanks),
    outputAxes: fromFront(attributes.scan_output_axes, outputRanks),
    outputReversed: reversed(attributes.scan_output_directions, outputRanks),
  };
}

/** What the body sees of the inputs: states as they are, sequences without their axis. */
export function bodyInputTypes(inputs: readonly ValueType[], layout: ScanLayout): readonly ValueType[] {
  return inputs.map(({ dtype, shape }, index) => {
    const axis = layout.inputAxes[index - layout.stateCount];
    return { dtype, shape: axis === undefined ? shape : shape.toSpliced(axis, 1) };
  });
}

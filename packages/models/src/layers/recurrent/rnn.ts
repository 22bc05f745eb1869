import { ModelwrightError, type Value } from '@modelwright/core';
import type { LayerContext, LayerOptions } from '../../layer.js';
import { requirePositive } from '../tuples.js';
import { type CellLayer, type CellStep, contextWith, type RecurrentCell, type SingleCell } from './cell.js';
import { cellLayer, cellOf, type RecurrentLayer, recurrentLayer, type SequenceOptions } from './recurrent-layer.js';

export interface RnnOptions extends SequenceOptions {
  /** What is repeated; several are stacked, each on the outputs of the one before. */
  readonly cell: CellLayer | readonly CellLayer[];
}

/**
 * Repeats a cell along a sequence: `rnn({ cell: lstmCell({ units: 8 }) })`, or several on top of each other.
 *
 * Inputs `[batch, time, …features]` and, if wanted, all initial states; outputs as {@link simpleRnn}. States of stacked cells
 * stand one behind the other.
 *
 * @example
 * const y = rnn({ cell: [lstmCell({ units: 32 }), lstmCell({ units: 32 })], returnSequences: true })(x);
 */
export function rnn(options: RnnOptions): RecurrentLayer {
  const { cell } = options;
  const repeated = Array.isArray(cell)
    ? stackOf(cell as readonly CellLayer[], 'rnn')
    : cellOf(cell as CellLayer, 'rnn: cell');
  return recurrentLayer('rnn', repeated, options);
}

export interface StackedRnnCellsOptions extends LayerOptions {
  /** From the input on. */
  readonly cells: readonly CellLayer[];
}

/** Several cells as one: each gets the output of the one before. Weights stand under `cell_0`, `cell_1`, …. */
export function stackedRnnCells(options: StackedRnnCellsOptions): CellLayer {
  return cellLayer(stackOf(options.cells, 'stackedRnnCells'), options);
}

function stackOf(layers: readonly CellLayer[], where: string): RecurrentCell {
  if (layers.length === 0)
    throw new ModelwrightError('invalid-argument', `${where}: there has to be at least one cell`);
  const cells = layers.map((each) => cellOf(each, where));
  return { kind: 'stackedRnnCells', stateCount: cells.reduce((sum, { stateCount }) => sum + stateCount, 0), cells };
}

export interface CustomCellOptions extends LayerOptions {
  /** Sizes of the states without the batch axis: one number for one state `[batch, size]`, or a size or shape for each. */
  readonly stateSize: number | readonly (number | readonly number[])[];
  /**
   * What needs no state, for the whole sequence `[time, batch, …]` at once: faster than in the step. Default the sequence itself.
   */
  readonly project?: (context: LayerContext, sequence: Value) => Value;
  /**
   * One step: output and next states from the step's input (a slice of what `project` gave) and the states. Nodes go to
   * `context.builder`, weights are created when the layer is first applied.
   */
  readonly build: (context: LayerContext, x: Value, states: readonly Value[]) => CellStep;
  /** Shown in errors. Default `customCell`. */
  readonly kind?: string;
}

/**
 * A cell of one's own, for {@link rnn}.
 *
 * @example
 * const leaky = customCell({
 *   stateSize: 4,
 *   build({ builder, addWeight }, x, [h]) {
 *     const keep = addWeight({ name: 'keep', shape: [4], initializer: 'ones' });
 *     const next = builder.op('Add', [builder.op('Mul', [h, keep]), x]);
 *     return { output: next, states: [next] };
 *   },
 * });
 */
export function customCell(options: CustomCellOptions): CellLayer {
  const { stateSize, project, build, kind = 'customCell' } = options;
  const sizes = typeof stateSize === 'number' ? [stateSize] : stateSize;
  const stateShapes = sizes.map((size) =>
    (typeof size === 'number' ? [size] : size).map((extent) => requirePositive(extent, `${kind}: stateSize`)),
  );
  const cell: SingleCell = {
    kind,
    stateCount: stateShapes.length,
    hasTrainingForm: false,
    isBounded: false,
    prepare: (context, x) => ({
      stateShapes,
      outputIsState: false,
      loop: () => ({
        sequences: [project === undefined ? x : project(context, x)],
        step: (builder, [input], states) => build(contextWith(context, { builder }), input as Value, states),
      }),
    }),
  };
  return cellLayer(cell, options);
}

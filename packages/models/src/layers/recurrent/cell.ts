import type { GraphBuilder, Value } from '@modelwright/core';
import type { Layer, LayerContext } from '../../layer.js';

/**
 * In which mode a form of a cell runs. Cells whose states are dropped have two forms, one for inference and one for training;
 * all others have one for `any`.
 */
export type CellMode = 'any' | 'inference' | 'training';

/** What one step of a cell gives. */
export interface CellStep {
  /** `[batch, …]` */
  readonly output: Value;
  /** As many as it was given, in order. */
  readonly states: readonly Value[];
}

/** A cell as a loop: what does not depend on the states is computed for all steps at once, before it. */
export interface CellLoop {
  /** `[time, batch, …]`: of each the step reads the slice of its time. */
  readonly sequences: readonly Value[];
  /** Adds the nodes of a step, which may read any value of the graph around the loop. */
  step(builder: GraphBuilder, slices: readonly Value[], states: readonly Value[]): CellStep;
}

/** What a cell gives for a whole sequence. */
export interface CellRun {
  /** Outputs of all steps `[time, batch, …]`, in the order of the inputs whatever the direction. */
  readonly sequence: Value;
  /** After the last step. */
  readonly states: readonly Value[];
}

/** A cell that knows what it is fed. */
export interface PreparedCell {
  /** Without the batch axis. */
  readonly stateShapes: readonly (readonly number[])[];
  /** Whether the output of a step is its first state. */
  readonly outputIsState: boolean;
  loop(): CellLoop;
  /** The whole sequence by one op, where there is one that does the same. */
  readonly fused?:
    | ((request: { readonly reversed: boolean; readonly initial?: readonly Value[] }) => CellRun)
    | undefined;
}

/** What a recurrent layer repeats at each step: one cell, or several on top of each other. */
export type RecurrentCell = SingleCell | StackedCells;

/** Cells of which each gets the output of the one before. */
export interface StackedCells {
  readonly kind: 'stackedRnnCells';
  readonly stateCount: number;
  readonly cells: readonly RecurrentCell[];
}

/** A cell of its own. */
export interface SingleCell {
  /** `lstmCell` */
  readonly kind: string;
  readonly stateCount: number;
  /** Whether it drops states while training, and so has a form of its own for that. */
  readonly hasTrainingForm: boolean;
  /** Whether its output is its first state and stays finite over any number of steps. */
  readonly isBounded: boolean;
  /**
   * Creates the weights and makes the cell ready for a sequence.
   *
   * @param x - `[time, batch, …features]`.
   */
  prepare(context: LayerContext, x: Value, mode: CellMode): PreparedCell;
}

/**
 * A cell that is also a layer of one step: applied to `(x, …states)` it gives the output and the next states, which
 * `applyAll` returns. A recurrent layer repeats it: `rnn({ cell })`.
 */
export interface CellLayer extends Layer {
  readonly cell: RecurrentCell;
}

/** A context whose weights and states stand under `prefix`. */
export function contextWithin(context: LayerContext, prefix: string): LayerContext {
  const within = (name: string): string => `${prefix}.${name}`;
  return contextWith(context, {
    addWeight: (request) => context.addWeight({ ...request, name: within(request.name) }),
    addState: (request) => context.addState({ ...request, name: within(request.name) }),
  });
}

/** A context that differs in some parts. */
export function contextWith(context: LayerContext, parts: Partial<LayerContext>): LayerContext {
  // Masks are made when they are read, so the parts must not be copied.
  return Object.create(context, Object.getOwnPropertyDescriptors(parts)) as LayerContext;
}

/** The cells of a stack with their contexts: weights of cell `i` stand under `cell_<i>`. */
export function cellsWithin(
  context: LayerContext,
  { cells }: StackedCells,
): readonly { readonly cell: RecurrentCell; readonly context: LayerContext; readonly firstState: number }[] {
  let firstState = 0;
  return cells.map((cell, index) => {
    const place = { cell, context: contextWithin(context, `cell_${index}`), firstState };
    firstState += cell.stateCount;
    return place;
  });
}

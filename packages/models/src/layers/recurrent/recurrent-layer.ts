import { ModelwrightError, type Value } from '@modelwright/core';
import { createLayer, floatDType, type Layer, type LayerContext, type LayerOptions } from '../../layer.js';
import {
  type CellLayer,
  type CellMode,
  type CellStep,
  cellsWithin,
  type RecurrentCell,
  type StackedCells,
} from './cell.js';
import { runCell, type SequenceRun } from './run-cell.js';

/** Options of all recurrent layers. */
export interface SequenceOptions extends LayerOptions {
  /** Give the outputs of all steps, not only the last one. Default false. */
  readonly returnSequences?: boolean;
  /** Give the last states, too, as further outputs (take them with `applyAll`). Default false. */
  readonly returnState?: boolean;
  /** From the last step to the first; `returnSequences` then gives the outputs in that order. Default false. */
  readonly goBackwards?: boolean;
  /**
   * Begin each batch with the states that the one before ended with, row by row. Needs a fixed batch size
   * (`input({ batchSize })`, `sequential({ batchSize })`); `resetStates()` of trainer and predictor starts anew. Default false.
   */
  readonly stateful?: boolean;
  /** Taken as Keras has it, and without effect: what is faster is decided for each backend. */
  readonly unroll?: boolean;
  /** Steps that a mask leaves out give 0 instead of the output of the step before; for `returnSequences`. Default false. */
  readonly zeroOutputForMask?: boolean;
}

/** A layer that repeats a cell. */
export interface RecurrentLayer extends Layer {
  readonly cell: RecurrentCell;
  readonly sequence: SequenceOptions;
}

/**
 * A layer that repeats `cell` along axis 1 of its input.
 *
 * Inputs `[batch, time, …features]`, then the initial states, all or none; outputs the last output `[batch, …]` (or all,
 * `[batch, time, …]`), then the states if they are wanted.
 */
export function recurrentLayer(kind: string, cell: RecurrentCell, options: SequenceOptions): RecurrentLayer {
  const layer = createLayer({
    kind,
    options,
    inputCount: { min: 1, max: 1 + cell.stateCount },
    mask: ({ masks }) => (options.returnSequences ? [masks[0]] : []),
    build(context, inputs) {
      const run = runSequence(context, { cell, options, inputs });
      const output = options.returnSequences ? batchFirst(context, run.sequence, options.goBackwards) : run.last;
      return options.returnState ? [output, ...run.states] : output;
    },
  });
  return Object.assign(layer, { cell, sequence: options });
}

interface SequenceRequest {
  readonly cell: RecurrentCell;
  readonly options: SequenceOptions;
  /** The sequence and, behind it, the initial states or none. */
  readonly inputs: readonly Value[];
}

/** Runs a cell as the options say, remembers its states where that is wanted. */
export function runSequence(context: LayerContext, { cell, options, inputs }: SequenceRequest): SequenceRun {
  const [input, ...given] = inputs as readonly [Value, ...Value[]];
  const { reversed, zeroOutputForMask, returnSequences, stateful } = flagsOf(options);
  if (input.shape.length < 3) {
    context.fail(`takes [batch, time, …features], but its input has ${input.shape.length} axes`, {
      given: input.shape,
    });
  }
  floatDType(context, input);
  if (given.length !== 0 && given.length !== cell.stateCount) {
    context.fail(`has ${cell.stateCount} states, ${given.length} initial ones were given`, {
      given: given.length,
      allowed: cell.stateCount,
    });
  }
  const x = timeFirst(context, input);
  const request = { context, cell, x, mask: context.masks[0], reversed };
  const zeroed = zeroOutputForMask && returnSequences;
  const initial = given.length === 0 ? undefined : given;
  const wanted = { sequence: returnSequences, states: options.returnState ?? false };
  return runCell({ ...request, initial, stateful, zeroOutputForMask: zeroed, wanted });
}

function flagsOf(options: SequenceOptions): {
  readonly [N in 'reversed' | 'zeroOutputForMask' | 'returnSequences' | 'stateful']: boolean;
} {
  const { goBackwards = false, zeroOutputForMask = false, returnSequences = false, stateful = false } = options;
  return { reversed: goBackwards, zeroOutputForMask, returnSequences, stateful };
}

/** `[batch, time, …]` → `[time, batch, …]` */
export function timeFirst({ builder }: LayerContext, x: Value): Value {
  return builder.op('Transpose', [x], { perm: swapped(x) });
}

/** `[time, batch, …]` → `[batch, time, …]`, from the last to the first if they are `reversed`. */
export function batchFirst({ builder }: LayerContext, sequence: Value, reversed = false): Value {
  const ordered = builder.op('Transpose', [sequence], { perm: swapped(sequence) });
  if (!reversed) return ordered;
  const [start, end, axis, step] = [-1, Number.MIN_SAFE_INTEGER, 1, -1].map((number) => builder.integers([number]));
  return builder.op('Slice', [ordered, start, end, axis, step]);
}

function swapped({ shape }: Value): readonly number[] {
  return [1, 0, ...shape.slice(2).map((_, index) => index + 2)];
}

/** A cell as a layer of one step. */
export function cellLayer(cell: RecurrentCell, options: LayerOptions): CellLayer {
  const count = 1 + cell.stateCount;
  const layer = createLayer({
    kind: cell.kind,
    options,
    inputCount: { min: count, max: count },
    build(context, [x, ...states]) {
      floatDType(context, x as Value);
      const { output, states: next } = stepCell(context, cell, { x: x as Value, states });
      return [output, ...next];
    },
  });
  return Object.assign(layer, { cell });
}

function stepCell(
  context: LayerContext,
  cell: RecurrentCell,
  { x, states }: { readonly x: Value; readonly states: readonly Value[] },
): CellStep {
  if ('cells' in cell) return stepStack(context, cell, { x, states });
  const { builder } = context;
  const wide = builder.op('Unsqueeze', [x, builder.integers([0])]);
  const step = (mode: CellMode): CellStep => {
    const loop = cell.prepare(context, wide, mode).loop();
    const slices = loop.sequences.map((each) => builder.op('Squeeze', [each, builder.integers([0])]));
    return loop.step(builder, slices, states);
  };
  if (!cell.hasTrainingForm) return step('any');
  const [inference, training] = [step('inference'), step('training')];
  const choose = (a: Value, b: Value): Value => builder.op('TrainingSwitch', [a, b]);
  return {
    output: choose(inference.output, training.output),
    states: inference.states.map((state, index) => choose(state, training.states[index] as Value)),
  };
}

function stepStack(
  context: LayerContext,
  stack: StackedCells,
  { x, states }: { readonly x: Value; readonly states: readonly Value[] },
): CellStep {
  const next: Value[] = [];
  let output = x;
  for (const { cell, context: within, firstState } of cellsWithin(context, stack)) {
    const made = stepCell(within, cell, { x: output, states: states.slice(firstState, firstState + cell.stateCount) });
    next.push(...made.states);
    output = made.output;
  }
  return { output, states: next };
}

/** The cell behind a layer that is one. */
export function cellOf(layer: CellLayer, where: string): RecurrentCell {
  if (typeof layer?.cell?.stateCount === 'number') return layer.cell;
  throw new ModelwrightError('invalid-argument', `${where} takes cells: lstmCell({ units }), customCell({ … })`, {
    given: typeof layer,
  });
}

import type { Graph, GraphBuilder, Value } from '@modelwright/core';
import type { LayerContext } from '../../layer.js';
import {
  type CellMode,
  type CellRun,
  cellsWithin,
  type PreparedCell,
  type RecurrentCell,
  type SingleCell,
  type StackedCells,
} from './cell.js';
import { packSteps } from './pack-steps.js';

/** How a cell goes along a sequence. */
export interface RunRequest {
  readonly context: LayerContext;
  readonly cell: RecurrentCell;
  /** `[time, batch, …features]` */
  readonly x: Value;
  /** bool `[batch, time]`: at steps that do not count, states stay and the output is that of the step before. */
  readonly mask?: Value | undefined;
  /** From the last step to the first. */
  readonly reversed: boolean;
  /** Default zeros, or what was remembered. */
  readonly initial?: readonly Value[] | undefined;
  /** Remember the states for the next batch. */
  readonly stateful: boolean;
  /** Steps that do not count give 0. */
  readonly zeroOutputForMask: boolean;
  /** Whether the outputs of all steps are wanted, and whether the states are; the last output always is. */
  readonly wanted: { readonly sequence: boolean; readonly states: boolean };
}

/** What a layer takes from it. */
export interface SequenceRun extends CellRun {
  /** Output of the last step in the direction that the cell went. */
  readonly last: Value;
}

/** Adds a cell repeated over a sequence: by an op of its own where there is one, else as a `Scan`. */
export function runCell(request: RunRequest): SequenceRun {
  const { cell, stateful } = request;
  if ('cells' in cell) return runStack({ ...request, cell });
  const single = { ...request, cell };
  return stateful ? runStateful(single) : runSingle(single);
}

// A stack is the same as a whole sequence through one cell after the other, since no cell reads what a later one makes. What
// goes up at steps that do not count changes nothing: the states stay whatever it is.
function runStack(request: RunRequest & { readonly cell: StackedCells }): SequenceRun {
  const states: Value[] = [];
  let below: SequenceRun | undefined;
  for (const { cell, context, firstState } of cellsWithin(request.context, request.cell)) {
    const initial = request.initial?.slice(firstState, firstState + cell.stateCount);
    const isLast = firstState + cell.stateCount === request.cell.stateCount;
    const wanted = { ...request.wanted, sequence: request.wanted.sequence || !isLast };
    below = runCell({ ...request, cell, context, x: below?.sequence ?? request.x, initial, wanted });
    states.push(...below.states);
  }
  return { ...(below as SequenceRun), states };
}

interface SingleRequest extends RunRequest {
  readonly cell: SingleCell;
}

function runStateful(request: SingleRequest): SequenceRun {
  const { context, cell, x } = request;
  const batch = x.shape[1];
  if (typeof batch !== 'number') {
    return context.fail(
      'is stateful, which needs a fixed batch size: input({ batchSize }) or sequential({ batchSize })',
      { given: x.shape },
      'unsupported-shape',
    );
  }
  const { stateShapes } = cell.prepare(context, x, cell.hasTrainingForm ? 'inference' : 'any');
  const states = stateShapes.map((shape, index) =>
    context.addState({ name: `state_${index}`, dtype: x.dtype, shape: [batch, ...shape] }),
  );
  const initial = request.initial ?? states.map(({ value }) => value);
  const run = runSingle({ ...request, initial, wanted: { ...request.wanted, states: true } });
  for (const [index, state] of states.entries()) state.update(run.states[index] as Value);
  return run;
}

function runSingle(request: SingleRequest): SequenceRun {
  if (!request.cell.hasTrainingForm) return runIn(request, 'any');
  const { builder } = request.context;
  const [inference, training] = [runIn(request, 'inference'), runIn(request, 'training')];
  const choose = (a: Value, b: Value): Value => builder.op('TrainingSwitch', [a, b]);
  return {
    sequence: choose(inference.sequence, training.sequence),
    last: choose(inference.last, training.last),
    states: inference.states.map((state, index) => choose(state, training.states[index] as Value)),
  };
}

function runIn(request: SingleRequest, mode: CellMode): SequenceRun {
  const { context, cell, x, mask, reversed, initial } = request;
  if (mask !== undefined && canPack(request, cell)) return runPacked({ ...request, mask }, mode);
  const prepared = cell.prepare(context, x, mode);
  if (mask === undefined && prepared.fused !== undefined) {
    const run = prepared.fused({ reversed, ...(initial === undefined ? {} : { initial }) });
    return { ...run, last: run.states[0] as Value };
  }
  return scanCell(request, prepared);
}

// Behind its last step a row goes on with what stands there. No gradient comes from that, as long as nothing gets infinite.
function canPack({ wanted }: SingleRequest, { isBounded, stateCount }: SingleCell): boolean {
  return isBounded && (!wanted.states || stateCount === 1);
}

/** A sequence with a mask as one without: steps that do not count are moved behind the others. */
function runPacked(request: SingleRequest & { readonly mask: Value }, mode: CellMode): SequenceRun {
  const { context, x, mask, reversed, zeroOutputForMask, wanted, initial } = request;
  const packed = packSteps(context.builder, { x, mask, reversed });
  const run = runIn({ ...request, x: packed.x, mask: undefined, reversed: false }, mode);
  const last = packed.last(run.sequence);
  return {
    sequence: wanted.sequence ? packed.unpack(run.sequence, zeroOutputForMask) : run.sequence,
    last,
    states: initial === undefined ? [last, ...run.states.slice(1)] : [packed.last(run.sequence, initial[0])],
  };
}

/** The states of the loop: those of the cell, and behind them the last output where no state is it. */
interface LoopStates {
  readonly initial: readonly Value[];
  readonly carriesOutput: boolean;
}

function scanCell(request: RunRequest, prepared: PreparedCell): SequenceRun {
  const { context, mask, reversed } = request;
  const { builder } = context;
  const loop = prepared.loop();
  const marks = mask === undefined ? [] : [stepMarks(builder, mask)];
  const sequences = [...loop.sequences, ...marks];
  const states = loopStates(request, prepared, loop);
  const body = builder.subgraph('cell', (inner) => {
    const given = states.initial.map(({ dtype, shape }, index) => inner.input(`state_${index}`, dtype, shape));
    const slices = sequences.map(({ dtype, shape }, index) => inner.input(`input_${index}`, dtype, shape.slice(1)));
    const { next, output } = maskedStep(request, prepared, { loop, states, inner, given, slices });
    next.forEach((value, index) => {
      inner.output(`next_${index}`, distinct(inner, value, [...given, ...next.slice(0, index)]));
    });
    inner.output('output', distinct(inner, output, [...given, ...next]));
  });
  const directions = reversed ? { scan_input_directions: sequences.map(() => 1), scan_output_directions: [1] } : {};
  const outputs = builder.node('Scan', [...states.initial, ...sequences], {
    body,
    num_scan_inputs: sequences.length,
    ...directions,
  });
  const sequence = outputs[states.initial.length] as Value;
  const after = outputs.slice(0, prepared.stateShapes.length);
  return { sequence, states: after, last: lastOutput(request, prepared, { sequence, outputs, states }) };
}

// Two outputs of a body must not be one value: runtimes refuse it.
function distinct(builder: GraphBuilder, value: Value, taken: readonly Value[]): Value {
  return taken.includes(value) ? builder.op('Identity', [value]) : value;
}

interface StepRequest {
  readonly loop: ReturnType<PreparedCell['loop']>;
  readonly states: LoopStates;
  readonly inner: GraphBuilder;
  readonly given: readonly Value[];
  readonly slices: readonly Value[];
}

/** A step that is undone where the mask says so. */
function maskedStep(
  { zeroOutputForMask, mask }: RunRequest,
  { stateShapes }: PreparedCell,
  { loop, states, inner, given, slices }: StepRequest,
): { readonly next: readonly Value[]; readonly output: Value } {
  const before = given.slice(0, stateShapes.length);
  const made = loop.step(inner, slices.slice(0, loop.sequences.length), before);
  if (mask === undefined) return { next: made.states, output: made.output };
  const mark = slices.at(-1) as Value;
  const choose = (value: Value, otherwise: Value): Value =>
    inner.op('Where', [markLike(inner, mark, value), value, otherwise]);
  const next = made.states.map((state, index) => choose(state, before[index] as Value));
  const zero = inner.scalar(0, made.output.dtype);
  if (!states.carriesOutput) {
    return { next, output: zeroOutputForMask ? choose(made.output, zero) : (next[0] as Value) };
  }
  const previous = choose(made.output, given.at(-1) as Value);
  const output = zeroOutputForMask ? choose(made.output, zero) : previous;
  return { next: [...next, previous], output };
}

/** bool `[batch, 1]` with as many axes as `value`. */
function markLike(inner: GraphBuilder, mark: Value, value: Value): Value {
  const missing = value.shape.length - mark.shape.length;
  if (missing <= 0) return mark;
  return inner.op('Unsqueeze', [mark, inner.integers(Array.from({ length: missing }, (_, index) => index + 2))]);
}

/** `[batch, time]` → `[time, batch, 1]` */
function stepMarks(builder: GraphBuilder, mask: Value): Value {
  const timeFirst = builder.op('Transpose', [mask], { perm: [1, 0] });
  return builder.op('Unsqueeze', [timeFirst, builder.integers([2])]);
}

// Before the first step that counts the output is 0. Zero states are that already, others are not.
function loopStates(request: RunRequest, prepared: PreparedCell, loop: StepRequest['loop']): LoopStates {
  const { context, x, mask, initial } = request;
  const zeros = (shape: readonly number[]): Value => zeroState(context.builder, x, shape);
  const states = initial ?? prepared.stateShapes.map(zeros);
  const carriesOutput = mask !== undefined && !(prepared.outputIsState && initial === undefined);
  if (!carriesOutput) return { initial: states, carriesOutput };
  return { initial: [...states, zeros(outputShape(context.builder, loop, states))], carriesOutput };
}

/** Shape of a step's output without the batch, from a step that is thrown away. */
function outputShape(builder: GraphBuilder, loop: StepRequest['loop'], states: readonly Value[]): readonly number[] {
  const { outputs }: Graph = builder.subgraph('probe', (inner) => {
    const given = states.map(({ dtype, shape }, index) => inner.input(`state_${index}`, dtype, shape));
    const slices = loop.sequences.map(({ dtype, shape }, index) =>
      inner.input(`input_${index}`, dtype, shape.slice(1)),
    );
    inner.output('output', loop.step(inner, slices, given).output);
  });
  return outputs[0]?.value.shape.slice(1) as readonly number[];
}

function lastOutput(
  { context, mask, reversed }: RunRequest,
  { outputIsState }: PreparedCell,
  { sequence, outputs, states }: { sequence: Value; outputs: readonly Value[]; states: LoopStates },
): Value {
  const { builder } = context;
  if (states.carriesOutput) return outputs[states.initial.length - 1] as Value;
  if (outputIsState || mask !== undefined) return outputs[0] as Value;
  return builder.op('Gather', [sequence, builder.scalar(reversed ? 0 : -1, 'int64')], { axis: 0 });
}

/** Zeros `[batch, …shape]`; the batch is axis 1 of `x`. */
export function zeroState(builder: GraphBuilder, x: Value, shape: readonly number[]): Value {
  const zero = builder.scalar(0, x.dtype);
  const batch = x.shape[1];
  if (typeof batch === 'number') return builder.op('Expand', [zero, builder.integers([batch, ...shape])]);
  const extents = builder.op('Concat', [builder.op('Shape', [x], { start: 1, end: 2 }), builder.integers(shape)], {
    axis: 0,
  });
  return builder.op('Expand', [zero, extents]);
}

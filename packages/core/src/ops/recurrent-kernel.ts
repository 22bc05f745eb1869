import { fromNumbers, type Tensor, toNumbers } from '../tensor/tensor.js';
import type { EvaluateContext } from './definition.js';
import type { RecurrentAttributes } from './recurrent.js';
import { evaluateActivation } from './recurrent-activations.js';
import {
  activationsOf,
  type CommonAttributes,
  cells,
  directionCount,
  isReversed,
  type RecurrentOp,
} from './recurrent-layout.js';

type Activation = (x: number) => number;

/** One step of one sample. `x` and `h` hold `W·x + b_W` and `R·h + b_R`, gate by gate; writes the next state. */
type Step = (x: Float64Array, h: Float64Array, state: State) => void;

interface State {
  readonly hidden: Float64Array;
  readonly cell: Float64Array;
}

/** What one direction works with. */
interface Direction {
  readonly hidden: number;
  readonly activations: readonly Activation[];
  readonly clip: (x: number) => number;
  /** `W`, `R` and the halves of `B`, rows of all gates. */
  readonly input: Linear;
  readonly recurrent: Linear;
  /** Blocks for i, o, f. */
  readonly peepholes: Float64Array;
}

interface Linear {
  readonly weights: Float64Array;
  readonly bias: Float64Array;
  readonly columns: number;
}

/** Runs a recurrent op sample by sample, as the formulas stand in the definition. */
export function evaluateRecurrent(op: RecurrentOp, context: EvaluateContext<CommonAttributes>): readonly Tensor[] {
  const { attributes, inputs, input } = context;
  const x = toNumbers(input(0));
  const extents = extentsOf(op, context);
  const { time, batch, features, hidden, directions } = extents;
  const results = outputArrays(extents);
  const lengths = inputs[4] === undefined ? undefined : toNumbers(inputs[4]);
  for (let at = 0; at < directions; at++) {
    const direction = directionOf(op, context, at);
    const step = steps[op](direction, attributes as never);
    for (let sample = 0; sample < batch; sample++) {
      const state = initialState(context, extents, at, sample);
      const length = lengths === undefined ? time : (lengths[sample] as number);
      for (let count = 0; count < length; count++) {
        const place = isReversed(attributes, at) ? length - 1 - count : count;
        const from = (attributes.layout === 0 ? place * batch + sample : sample * time + place) * features;
        step(apply(direction.input, x, from), apply(direction.recurrent, state.hidden, 0), state);
        results.y.set(state.hidden, yPlace(extents, { place, at, sample }) * hidden);
      }
      const to = statePlace(extents, at, sample) * hidden;
      results.hidden.set(state.hidden, to);
      results.cell.set(state.cell, to);
    }
  }
  const { dtype } = input(0);
  const stateShape = extents.layout === 0 ? [directions, batch, hidden] : [batch, directions, hidden];
  const yShape = extents.layout === 0 ? [time, directions, batch, hidden] : [batch, time, directions, hidden];
  const made = [fromNumbers(dtype, yShape, results.y), fromNumbers(dtype, stateShape, results.hidden)];
  return cells[op].hasCell ? [...made, fromNumbers(dtype, stateShape, results.cell)] : made;
}

interface Extents {
  readonly time: number;
  readonly batch: number;
  readonly features: number;
  readonly hidden: number;
  readonly directions: number;
  readonly layout: number;
}

function extentsOf(op: RecurrentOp, { input, attributes }: EvaluateContext<CommonAttributes>): Extents {
  const [first, second, features] = input(0).shape as [number, number, number];
  const { layout } = attributes;
  const hidden = (input(2).shape[1] as number) / cells[op].gates;
  const directions = directionCount(attributes);
  const [time, batch] = layout === 0 ? [first, second] : [second, first];
  return { time, batch, features, hidden, directions, layout };
}

interface OutputArrays {
  readonly y: Float64Array;
  readonly hidden: Float64Array;
  readonly cell: Float64Array;
}

function outputArrays({ time, batch, hidden, directions }: Extents): OutputArrays {
  const count = directions * batch * hidden;
  return { y: new Float64Array(time * count), hidden: new Float64Array(count), cell: new Float64Array(count) };
}

const statePlace = ({ layout, batch, directions }: Extents, at: number, sample: number): number =>
  layout === 0 ? at * batch + sample : sample * directions + at;

function yPlace(
  { layout, time, batch, directions }: Extents,
  { place, at, sample }: { readonly place: number; readonly at: number; readonly sample: number },
): number {
  return layout === 0 ? (place * directions + at) * batch + sample : (sample * time + place) * directions + at;
}

function initialState(
  { inputs }: EvaluateContext<CommonAttributes>,
  extents: Extents,
  at: number,
  sample: number,
): State {
  const { hidden } = extents;
  const from = statePlace(extents, at, sample) * hidden;
  const part = (held: Tensor | undefined): Float64Array =>
    held === undefined ? new Float64Array(hidden) : toNumbers(held).slice(from, from + hidden);
  return { hidden: part(inputs[5]), cell: part(inputs[6]) };
}

function directionOf(op: RecurrentOp, context: EvaluateContext<CommonAttributes>, at: number): Direction {
  const { inputs, input, attributes } = context;
  const [, rows, features] = input(1).shape as [number, number, number];
  const hidden = rows / cells[op].gates;
  const part = (held: Tensor | undefined, length: number, offset: number): Float64Array =>
    held === undefined ? new Float64Array(length) : toNumbers(held).slice(offset, offset + length);
  const { clip } = attributes;
  return {
    hidden,
    activations: (activationsOf(op, attributes)[at] ?? []).map(evaluateActivation),
    clip: clip === undefined ? (x) => x : (x) => Math.min(clip, Math.max(-clip, x)),
    input: {
      weights: part(input(1), rows * features, at * rows * features),
      bias: part(inputs[3], rows, 2 * at * rows),
      columns: features,
    },
    recurrent: {
      weights: part(input(2), rows * hidden, at * rows * hidden),
      bias: part(inputs[3], rows, (2 * at + 1) * rows),
      columns: hidden,
    },
    peepholes: part(inputs[7], 3 * hidden, at * 3 * hidden),
  };
}

/** `weights · vector[from…] + bias` */
function apply({ weights, bias, columns }: Linear, vector: Float64Array, from: number): Float64Array {
  const result = bias.slice();
  for (let row = 0; row < result.length; row++) {
    let sum = result[row] as number;
    for (let column = 0; column < columns; column++) {
      sum += (weights[row * columns + column] as number) * (vector[from + column] as number);
    }
    result[row] = sum;
  }
  return result;
}

const steps: { readonly [N in RecurrentOp]: (direction: Direction, attributes: RecurrentAttributes[N]) => Step } = {
  RNN:
    ({ hidden, activations: [f], clip }) =>
    (x, h, state) => {
      for (let j = 0; j < hidden; j++) state.hidden[j] = (f as Activation)(clip(at(x, j) + at(h, j)));
    },
  GRU: gruStep,
  LSTM: lstmStep,
};

const at = (values: Float64Array, index: number): number => values[index] as number;

function gruStep(direction: Direction, { linear_before_reset: isLinearFirst }: RecurrentAttributes['GRU']): Step {
  const { hidden, activations, clip, recurrent } = direction;
  const [f, g] = activations as readonly [Activation, Activation];
  const candidate: Linear = {
    weights: recurrent.weights.subarray(2 * hidden * hidden),
    bias: recurrent.bias.subarray(2 * hidden),
    columns: hidden,
  };
  return (x, h, state) => {
    const gate = (block: number, j: number): number => f(clip(at(x, block * hidden + j) + at(h, block * hidden + j)));
    const before = state.hidden.slice();
    const reset = before.map((_, j) => gate(1, j));
    const reseted = isLinearFirst
      ? reset.map((r, j) => r * at(h, 2 * hidden + j))
      : apply(
          candidate,
          before.map((value, j) => value * at(reset, j)),
          0,
        );
    for (let j = 0; j < hidden; j++) {
      const update = gate(0, j);
      const next = g(clip(at(x, 2 * hidden + j) + at(reseted, j)));
      state.hidden[j] = (1 - update) * next + update * at(before, j);
    }
  };
}

function lstmStep(direction: Direction, { input_forget: isCoupled }: RecurrentAttributes['LSTM']): Step {
  const { hidden, activations, clip, peepholes } = direction;
  const [f, g, h] = activations as readonly [Activation, Activation, Activation];
  return (x, r, { hidden: next, cell }) => {
    const sum = (block: number, j: number): number => at(x, block * hidden + j) + at(r, block * hidden + j);
    const peeped = (block: number, j: number): number =>
      f(clip(sum(block, j) + at(peepholes, block * hidden + j) * at(cell, j)));
    for (let j = 0; j < hidden; j++) {
      const input = peeped(0, j);
      const forget = isCoupled ? 1 - input : peeped(2, j);
      cell[j] = forget * at(cell, j) + input * g(clip(sum(3, j)));
      next[j] = peeped(1, j) * h(at(cell, j));
    }
  };
}

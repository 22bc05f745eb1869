import type { Graph, Value } from '../graph/graph.js';
import type { GraphBuilder } from '../graph/graph-builder.js';
import { zerosOf } from '../graph/shape-ops.js';
import { isConcrete } from '../tensor/shape.js';
import { tensor } from '../tensor/tensor.js';
import type { DecomposeContext } from './definition.js';
import type { RecurrentAttributes } from './recurrent.js';
import { buildActivation, type RecurrentActivation } from './recurrent-activations.js';
import {
  activationsOf,
  type CommonAttributes,
  cells,
  directionCount,
  isReversed,
  type RecurrentOp,
} from './recurrent-layout.js';
import { outputOf } from './subgraph-output.js';

type AnyAttributes = CommonAttributes & Partial<RecurrentAttributes['GRU'] & RecurrentAttributes['LSTM']>;

/**
 * A recurrent op as one `Scan` a direction. Outside of the loop stands the product of the whole sequence with the input weights; inside
 * only what reads the state. Rows that have ended keep their state.
 */
export function recurrentAsScans(op: RecurrentOp, context: DecomposeContext<CommonAttributes>): readonly Value[] {
  const { builder, inputs, input, attributes, outputCount } = context;
  const { layout } = attributes;
  const directions = directionCount(attributes);
  const timeFirst = (value: Value | undefined): Value | undefined =>
    layout === 0 || value === undefined ? value : builder.op('Transpose', [value], { perm: [1, 0, 2] });
  const x = timeFirst(input(0)) as Value;
  const perDirection = (value: Value | undefined): readonly (Value | undefined)[] =>
    partsOf(builder, value, directions);
  const [w, r, b, p] = [inputs[1], inputs[2], inputs[3], inputs[7]].map(perDirection);
  const [h, c] = [inputs[5], inputs[6]].map((state) => perDirection(timeFirst(state)));
  const activations = activationsOf(op, attributes);
  const running = inputs[4] === undefined ? undefined : runningSteps(builder, x, inputs[4]);
  const results = activations.map((chosen, index) =>
    scanDirection({
      op,
      builder,
      attributes,
      activations: chosen,
      isReversed: isReversed(attributes, index),
      x,
      running,
      w: w?.[index] as Value,
      r: r?.[index] as Value,
      b: b?.[index],
      p: p?.[index],
      h: h?.[index],
      c: c?.[index],
    }),
  );
  return [0, 1, 2].slice(0, outputCount).map((output) => {
    const parts = results.map((made) => made[output] as Value);
    if (output === 0) return reordered(builder, stacked(builder, parts, 1), layout === 0 ? undefined : [2, 0, 1, 3]);
    return reordered(builder, stacked(builder, parts, 0), layout === 0 ? undefined : [1, 0, 2]);
  });
}

interface Direction {
  readonly op: RecurrentOp;
  readonly builder: GraphBuilder;
  readonly attributes: AnyAttributes;
  readonly activations: readonly RecurrentActivation[];
  readonly isReversed: boolean;
  /** `[time, batch, features]` */
  readonly x: Value;
  /** `[time, batch, 1]`, whether the row has this step; undefined if all have. */
  readonly running: Value | undefined;
  readonly w: Value;
  readonly r: Value;
  readonly b: Value | undefined;
  readonly p: Value | undefined;
  readonly h: Value | undefined;
  readonly c: Value | undefined;
}

/** `[states of all steps, last hidden state, last cell state]` of one direction. */
function scanDirection(direction: Direction): readonly (Value | undefined)[] {
  const { op, builder, x, r, isReversed: reversed, running } = direction;
  const { projected, recurrentBias } = project(direction);
  const hidden = r.shape[1] as number;
  const states = (cells[op].hasCell ? [direction.h, direction.c] : [direction.h]).map(
    (state) => state ?? zeroState(builder, x, hidden),
  );
  const sequences = running === undefined ? [projected] : [projected, running];
  const weights = builder.op('Transpose', [r], { perm: [1, 0] });
  const captured: Captured = { weights, recurrentBias, peepholes: peepholesOf(direction), hidden };
  const outputs = builder.node('Scan', [...states, ...sequences], {
    body: cellBody(direction, captured, { states, sequences }),
    num_scan_inputs: sequences.length,
    ...(reversed ? { scan_input_directions: sequences.map(() => 1), scan_output_directions: [1] } : {}),
  });
  const all = outputs[states.length] as Value;
  const y = running === undefined ? all : builder.op('Where', [running, all, builder.scalar(0, x.dtype)]);
  return [y, ...outputs.slice(0, states.length)];
}

/** The part of the gates that no state enters: `x·Wᵀ + b`, and the bias that has to wait for the reset gate. */
function project({ op, builder, attributes, x, w, b }: Direction): {
  readonly projected: Value;
  readonly recurrentBias: Value | undefined;
} {
  const product = builder.op('MatMul', [x, builder.op('Transpose', [w], { perm: [1, 0] })]);
  if (b === undefined) return { projected: product, recurrentBias: undefined };
  const rows = w.shape[0] as number;
  const [forInput, forState] = split(builder, b, [rows, rows], 0) as [Value, Value];
  if (op !== 'GRU' || attributes.linear_before_reset !== 1) {
    return {
      projected: builder.op('Add', [product, builder.op('Add', [forInput, forState])]),
      recurrentBias: undefined,
    };
  }
  const hidden = rows / 3;
  const [forGates, recurrentBias] = split(builder, forState, [2 * hidden, hidden], 0) as [Value, Value];
  const zero = zerosOf(builder, x.dtype, [hidden]);
  const bias = builder.op('Add', [forInput, builder.op('Concat', [forGates, zero], { axis: 0 })]);
  return { projected: builder.op('Add', [product, bias]), recurrentBias };
}

/** What the body reads of the graph around it. */
interface Captured {
  /** `[hidden, gates · hidden]` */
  readonly weights: Value;
  /** `[hidden]`, of the candidate of a GRU that multiplies before it resets. */
  readonly recurrentBias: Value | undefined;
  /** For i, o, f; `[hidden]` each. */
  readonly peepholes: readonly Value[] | undefined;
  readonly hidden: number;
}

function peepholesOf({ builder, p, r }: Direction): readonly Value[] | undefined {
  const hidden = r.shape[1] as number;
  return p === undefined ? undefined : split(builder, p, [hidden, hidden, hidden], 0);
}

function cellBody(
  direction: Direction,
  captured: Captured,
  fed: { readonly states: readonly Value[]; readonly sequences: readonly Value[] },
): Graph {
  const { op, builder } = direction;
  return builder.subgraph(`${op.toLowerCase()}_cell`, (inner) => {
    const names = ['hidden', 'cell'];
    const states = fed.states.map(({ dtype, shape }, index) => inner.input(names[index] as string, dtype, shape));
    const [x, running] = fed.sequences.map(({ dtype, shape }, index) =>
      inner.input(index === 0 ? 'projected' : 'running', dtype, shape.slice(1)),
    ) as [Value, Value | undefined];
    const made = cellSteps[op]({ ...direction, ...captured, builder: inner, x, states });
    const next = made.map((value, index) =>
      running === undefined ? value : inner.op('Where', [running, value, states[index]]),
    );
    for (const [index, value] of next.entries()) outputOf(inner, `next_${names[index]}`, value);
    outputOf(inner, 'hidden_now', next[0] as Value);
  });
}

/** What a step is made of; `x` is the projected input of the step. */
type StepContext = Direction & Captured & { readonly states: readonly Value[] };

const cellSteps: { readonly [N in RecurrentOp]: (context: StepContext) => readonly Value[] } = {
  // h′ = f(x + h·Rᵀ)
  RNN: (context) => {
    const { builder, x, states, weights } = context;
    return [activated(context, 0, builder.op('Gemm', [states[0], weights, x]))];
  },
  GRU: gruStep,
  LSTM: lstmStep,
};

// z = f(x_z + h·R_zᵀ), r = f(x_r + h·R_rᵀ), n = g(x_n + (r∘h)·R_nᵀ) or g(x_n + r∘(h·R_nᵀ + b)), h′ = n + z∘(h − n)
function gruStep(context: StepContext): readonly Value[] {
  const { builder, x, states, weights, hidden, attributes } = context;
  const h = states[0] as Value;
  const add = (a: Value, b: Value): Value => builder.op('Add', [a, b]);
  const [xz, xr, xn] = split(builder, x, [hidden, hidden, hidden], -1) as [Value, Value, Value];
  const isLinearFirst = attributes.linear_before_reset === 1;
  const [forGates, forCandidate] = isLinearFirst
    ? [weights, undefined]
    : (split(context.builder, weights, [2 * hidden, hidden], -1) as [Value, Value]);
  const parts = split(
    builder,
    builder.op('MatMul', [h, forGates]),
    isLinearFirst ? [hidden, hidden, hidden] : [hidden, hidden],
    -1,
  );
  const [hz, hr, hn] = parts as [Value, Value, Value | undefined];
  const update = activated(context, 0, add(xz, hz));
  const reset = activated(context, 0, add(xr, hr));
  const biased = (value: Value): Value =>
    context.recurrentBias === undefined ? value : add(value, context.recurrentBias);
  const held =
    hn === undefined
      ? builder.op('MatMul', [builder.op('Mul', [reset, h]), forCandidate])
      : builder.op('Mul', [reset, biased(hn)]);
  const candidate = activated(context, 1, add(xn, held));
  return [add(candidate, builder.op('Mul', [update, builder.op('Sub', [h, candidate])]))];
}

// i = f(x_i + h·R_iᵀ + p_i∘c), f likewise, c′ = f∘c + i∘g(x_c + h·R_cᵀ), o = f(x_o + h·R_oᵀ + p_o∘c′), h′ = o∘h(c′)
function lstmStep(context: StepContext): readonly Value[] {
  const { builder, x, states, weights, hidden, peepholes, attributes } = context;
  const [h, c] = states as [Value, Value];
  const add = (a: Value, b: Value): Value => builder.op('Add', [a, b]);
  const mul = (a: Value, b: Value): Value => builder.op('Mul', [a, b]);
  const sum = builder.op('Gemm', [h, weights, x]);
  const [i, o, f, g] = split(builder, sum, [hidden, hidden, hidden, hidden], -1) as [Value, Value, Value, Value];
  const peeped = (gate: Value, index: number, cell: Value): Value =>
    peepholes === undefined ? gate : add(gate, mul(peepholes[index] as Value, cell));
  const input = activated(context, 0, peeped(i, 0, c));
  const forget =
    attributes.input_forget === 1
      ? builder.op('Sub', [builder.scalar(1, x.dtype), input])
      : activated(context, 0, peeped(f, 2, c));
  const cell = add(mul(forget, c), mul(input, activated(context, 1, g)));
  const output = activated(context, 0, peeped(o, 1, cell));
  // ONNX Runtime cuts what enters the gates, not the cell state.
  return [mul(output, buildActivation(builder, context.activations[2] as RecurrentActivation, cell)), cell];
}

/** Activation `index` of the direction on a value that is clipped first, if the node says so. */
function activated({ builder, activations, attributes: { clip } }: StepContext, index: number, value: Value): Value {
  const { dtype } = value;
  const clipped =
    clip === undefined ? value : builder.op('Clip', [value, builder.scalar(-clip, dtype), builder.scalar(clip, dtype)]);
  return buildActivation(builder, activations[index] as RecurrentActivation, clipped);
}

/** Zeros `[batch, hidden]`; the batch is axis 1 of `x`. */
function zeroState(builder: GraphBuilder, x: Value, hidden: number): Value {
  const batch = x.shape.slice(1, 2);
  if (isConcrete(batch)) return zerosOf(builder, x.dtype, [...batch, hidden]);
  const extents = builder.op('Concat', [builder.op('Shape', [x], { start: 1, end: 2 }), builder.integers([hidden])], {
    axis: 0,
  });
  return builder.op('Expand', [builder.scalar(0, x.dtype), extents]);
}

/** Whether row `b` has step `t`: `[time, batch, 1]` */
function runningSteps(builder: GraphBuilder, x: Value, lengths: Value): Value {
  const ends = builder.op('Unsqueeze', [lengths, builder.integers([1])]);
  return builder.op('Less', [stepNumbers(builder, x), ends]);
}

/** `0 … time − 1` as int32 `[time, 1, 1]` */
function stepNumbers(builder: GraphBuilder, x: Value): Value {
  const [time] = x.shape;
  if (typeof time === 'number') {
    return builder.constant(tensor([...Array(time).keys()], { dtype: 'int32', shape: [time, 1, 1] }), {
      name: 'steps',
    });
  }
  const count = builder.op('Squeeze', [builder.op('Shape', [x], { start: 0, end: 1 }), builder.integers([0])]);
  const range = builder.op('Range', [builder.scalar(0, 'int64'), count, builder.scalar(1, 'int64')]);
  return builder.op('Unsqueeze', [builder.op('Cast', [range], { to: 6 }), builder.integers([1, 2])]);
}

/** `value` without its axis of directions, for each of them. */
function partsOf(builder: GraphBuilder, value: Value | undefined, directions: number): readonly (Value | undefined)[] {
  if (value === undefined) return [];
  const parts = directions === 1 ? [value] : split(builder, value, [1, 1], 0);
  return parts.map((part) => builder.op('Squeeze', [part, builder.integers([0])]));
}

function stacked(builder: GraphBuilder, parts: readonly Value[], axis: number): Value {
  const wide = parts.map((part) => builder.op('Unsqueeze', [part, builder.integers([axis])]));
  return wide.length === 1 ? (wide[0] as Value) : builder.op('Concat', wide, { axis });
}

function reordered(builder: GraphBuilder, value: Value, perm: readonly number[] | undefined): Value {
  return perm === undefined ? value : builder.op('Transpose', [value], { perm });
}

function split(builder: GraphBuilder, value: Value, sizes: readonly number[], axis: number): readonly Value[] {
  return builder.node('Split', [value, builder.integers(sizes)], { axis }, { outputs: sizes.length });
}

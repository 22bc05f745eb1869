import type { Value, ValueType } from '../graph/graph.js';
import { compatibleDimension, type Dimension, formatShape, type Shape } from '../tensor/shape.js';
import type { InferContext } from './definition.js';
import type { RecurrentAttributes } from './recurrent.js';
import {
  isRecurrentActivation,
  type RecurrentActivation,
  recurrentActivationNames,
  resolveActivations,
} from './recurrent-activations.js';
import { requireDType, requireFloat, requireRank, requireSameDType } from './rules.js';

export type RecurrentOp = keyof RecurrentAttributes;

/** Attributes that all recurrent ops share. */
export type CommonAttributes = RecurrentAttributes['RNN'];

/** What distinguishes the cells. */
export interface Cell {
  /** Blocks of `hidden` rows in the weights. */
  readonly gates: number;
  /** Activations of one direction when the attribute is left out. */
  readonly activations: readonly string[];
  /** Has a cell state beside the hidden state, and with it a third output, an initial cell state and peepholes. */
  readonly hasCell: boolean;
}

/** The three cells of ONNX. */
export const cells: { readonly [N in RecurrentOp]: Cell } = {
  RNN: { gates: 1, activations: ['Tanh'], hasCell: false },
  // Gates z, r, h.
  GRU: { gates: 3, activations: ['Sigmoid', 'Tanh'], hasCell: false },
  // Gates i, o, f, c; peepholes i, o, f.
  LSTM: { gates: 4, activations: ['Sigmoid', 'Tanh', 'Tanh'], hasCell: true },
};

/** Number of directions. */
export function directionCount({ direction }: Pick<CommonAttributes, 'direction'>): number {
  return direction === 'bidirectional' ? 2 : 1;
}

/** Whether direction `index` runs from the end of the sequence. */
export function isReversed({ direction }: Pick<CommonAttributes, 'direction'>, index: number): boolean {
  return direction === 'reverse' || index === 1;
}

/** The activations of each direction. */
export function activationsOf(
  op: RecurrentOp,
  attributes: CommonAttributes,
): readonly (readonly RecurrentActivation[])[] {
  const count = directionCount(attributes);
  const names = cells[op].activations;
  const all = resolveActivations(attributes, Array.from({ length: count }, () => names).flat());
  return Array.from({ length: count }, (_, index) => all.slice(index * names.length, (index + 1) * names.length));
}

/** Whether all directions compute with the activations that stand for an attribute left out. */
export function hasDefaultActivations(
  op: RecurrentOp,
  { activations }: Pick<CommonAttributes, 'activations'>,
): boolean {
  const defaults = cells[op].activations.map((name) => name.toLowerCase());
  return (activations ?? []).every((name, index) => name.toLowerCase() === defaults[index % defaults.length]);
}

/** Types of `Y`, `Y_h` and for the LSTM `Y_c`; throws when inputs or attributes do not fit together. */
export function inferRecurrent(op: RecurrentOp, context: InferContext<CommonAttributes>): readonly ValueType[] {
  checkAttributes(op, context);
  requireFloat(context, 0);
  requireRank(context, 0, 3, 'the sequence');
  const { dtype, shape } = context.input(0);
  const { layout } = context.attributes;
  const [time, batch, features] = (layout === 0 ? shape : [shape[1], shape[0], shape[2]]) as [
    Dimension,
    Dimension,
    Dimension,
  ];
  const { gates, hasCell } = cells[op];
  const directions = directionCount(context.attributes);
  const hidden = hiddenSize(op, context);
  const state: Shape = layout === 0 ? [directions, batch, hidden] : [batch, directions, hidden];
  expectShape(context, 1, 'W', [directions, gates * hidden, features]);
  expectShape(context, 2, 'R', [directions, gates * hidden, hidden]);
  expectShape(context, 3, 'B', [directions, 2 * gates * hidden]);
  if (context.inputs[4] !== undefined) {
    requireDType(context, 4, 'int32');
    expectExtents(context, 4, 'sequence_lens', [batch]);
  }
  expectShape(context, 5, 'initial_h', state);
  if (hasCell) {
    expectShape(context, 6, 'initial_c', state);
    expectShape(context, 7, 'P', [directions, 3 * hidden]);
  }
  const y: Shape = layout === 0 ? [time, directions, batch, hidden] : [batch, time, directions, hidden];
  const types = [y, state, ...(hasCell ? [state] : [])].map((each): ValueType => ({ dtype, shape: each }));
  return types;
}

function hiddenSize(op: RecurrentOp, context: InferContext<CommonAttributes>): number {
  requireRank(context, 2, 3, 'R');
  const last = context.input(2).shape[2] as Dimension;
  const { hidden_size: declared } = context.attributes;
  const hidden = typeof last === 'number' ? last : declared;
  if (hidden === undefined) {
    return context.fail(
      `${op}: the hidden size must be known: R has shape ${formatShape(context.input(2).shape)} and 'hidden_size' is not given`,
      { given: context.input(2).shape },
      'unsupported-shape',
    );
  }
  if (declared !== undefined && declared !== hidden) {
    context.fail(
      `'hidden_size' is ${declared}, but R is made for ${hidden}`,
      { given: declared, allowed: hidden },
      'invalid-attribute',
    );
  }
  return hidden;
}

function expectShape(context: InferContext<CommonAttributes>, index: number, what: string, shape: Shape): void {
  if (context.inputs[index] === undefined && index > 2) return;
  requireSameDType(context, 0, index);
  expectExtents(context, index, what, shape);
}

function expectExtents(context: InferContext<CommonAttributes>, index: number, what: string, shape: Shape): void {
  const given = (context.input(index) as Value).shape;
  const fits =
    given.length === shape.length &&
    given.every((extent, axis) => compatibleDimension(extent, shape[axis] as Dimension));
  if (!fits) {
    context.fail(`${what} has shape ${formatShape(given)}; ${formatShape(shape)} is needed`, {
      given,
      allowed: shape,
    });
  }
}

const directionNames = ['forward', 'reverse', 'bidirectional'];

function checkAttributes(op: RecurrentOp, context: InferContext<CommonAttributes>): void {
  const { attributes, fail } = context;
  const { direction, layout, activations, clip } = attributes;
  if (!directionNames.includes(direction)) {
    fail(
      `'direction' is '${direction}'; allowed: ${directionNames.join(', ')}`,
      { given: direction, allowed: directionNames },
      'invalid-attribute',
    );
  }
  if (layout !== 0 && layout !== 1) {
    fail(`'layout' is ${layout}; allowed: 0, 1`, { given: layout, allowed: [0, 1] }, 'invalid-attribute');
  }
  if (clip !== undefined && !(clip > 0)) {
    fail(`'clip' is ${clip}; it must be positive`, { given: clip }, 'invalid-attribute');
  }
  const count = directionCount(attributes) * cells[op].activations.length;
  if (activations !== undefined && activations.length !== count) {
    fail(
      `'activations' has ${activations.length} entries; ${count} are needed`,
      { given: activations.length, allowed: count },
      'invalid-attribute',
    );
  }
  for (const name of activations ?? []) {
    if (isRecurrentActivation(name)) continue;
    fail(
      `no activation '${name}'; allowed: ${recurrentActivationNames.join(', ')}`,
      { given: name, allowed: recurrentActivationNames },
      'invalid-attribute',
    );
  }
}

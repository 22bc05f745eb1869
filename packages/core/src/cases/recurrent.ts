import type { RecurrentAttributes } from '../ops/recurrent.js';
import { type CaseInput, floats, given, type OpCase, random } from './case.js';

type Attributes = Partial<RecurrentAttributes['RNN'] & RecurrentAttributes['GRU'] & RecurrentAttributes['LSTM']>;

const gates = { RNN: 1, GRU: 3, LSTM: 4 } as const;

interface Setup {
  readonly op: keyof typeof gates;
  readonly what: string;
  readonly attributes?: Attributes;
  readonly time?: number;
  readonly batch?: number;
  readonly lengths?: readonly number[];
  readonly bias?: boolean;
  readonly states?: boolean;
  readonly peepholes?: boolean;
  readonly outputs?: number;
  readonly float16?: boolean;
  readonly checked?: boolean;
}

const features = 2;
const hidden = 3;

/** A small node of one of the recurrent ops. */
function recurrentCase(setup: Setup): OpCase {
  const { op, what, attributes = {}, time = 4, batch = 2, lengths, checked = true } = setup;
  const directions = attributes.direction === 'bidirectional' ? 2 : 1;
  const rows = gates[op] * hidden;
  const isBatchFirst = attributes.layout === 1;
  const small = (shape: readonly number[]): CaseInput => floats(shape, { low: -1, high: 1 });
  const stateShape = isBatchFirst ? [batch, directions, hidden] : [directions, batch, hidden];
  const inputs: readonly (CaseInput | undefined)[] = [
    small(isBatchFirst ? [batch, time, features] : [time, batch, features]),
    small([directions, rows, features]),
    small([directions, rows, hidden]),
    setup.bias ? small([directions, 2 * rows]) : undefined,
    lengths === undefined ? undefined : given('int32', lengths),
    setup.states ? small(stateShape) : undefined,
    op === 'LSTM' && setup.states ? small(stateShape) : undefined,
    setup.peepholes ? small([directions, 3 * hidden]) : undefined,
  ];
  const last = inputs.findLastIndex((input) => input !== undefined);
  const present = inputs.slice(0, last + 1);
  return {
    id: `recurrent/${op}/${what}`,
    op,
    inputs: present,
    attributes,
    outputs: setup.outputs ?? (op === 'LSTM' ? 3 : 2),
    accumulation: 16,
    ...(checked
      ? { differentiable: present.flatMap((input, at) => (input !== undefined && at !== 4 ? [at] : [])) }
      : {}),
  } as OpCase;
}

const all = { bias: true, states: true } as const;
const both: Attributes = { direction: 'bidirectional' };

/** Cases that every cell has. */
function commonCases(op: keyof typeof gates): readonly OpCase[] {
  const setups: readonly Omit<Setup, 'op'>[] = [
    { what: 'plain' },
    { what: 'bias and states', ...all },
    { what: 'reverse', attributes: { direction: 'reverse' }, ...all },
    { what: 'both directions', attributes: both, ...all },
    { what: 'batch first', attributes: { ...both, layout: 1 }, ...all },
    { what: 'uneven lengths', lengths: [4, 2], ...all },
    { what: 'uneven lengths, both directions', lengths: [1, 3], attributes: both, ...all, batch: 2 },
    { what: 'one step of one row', time: 1, batch: 1, bias: true },
    { what: 'only the sequence', outputs: 1, bias: true },
    { what: 'clipped', attributes: { clip: 0.6 }, bias: true, checked: false },
  ];
  return setups.map((setup) => recurrentCase({ op, ...setup }));
}

/** A bigger one: rows and columns as networks have them. */
function sizable(op: keyof typeof gates): OpCase {
  const rows = gates[op] * 16;
  const weight = { low: -0.3, high: 0.3 };
  return {
    id: `recurrent/${op}/sizable`,
    op,
    inputs: [
      floats([12, 5, 8]),
      floats([1, rows, 8], weight),
      floats([1, rows, 16], weight),
      floats([1, 2 * rows], weight),
    ],
    outputs: 2,
    accumulation: 24,
  } as OpCase;
}

function half(op: keyof typeof gates): OpCase {
  const { inputs, ...rest } = recurrentCase({ op, what: 'float16', bias: true, checked: false });
  return {
    ...rest,
    inputs: inputs.map((input) => input && random('float16', input.shape, { low: -1, high: 1 })),
  } as OpCase;
}

/** Cases of the recurrent ops. */
export const recurrentCases: readonly OpCase[] = [
  ...(['RNN', 'GRU', 'LSTM'] as const).flatMap((op) => [...commonCases(op), sizable(op), half(op)]),
  ...(
    [
      ['Relu', {}],
      ['Affine', { activation_alpha: [0.7], activation_beta: [0.2] }],
      ['LeakyRelu', { activation_alpha: [0.2] }],
      ['ThresholdedRelu', { activation_alpha: [0.3] }],
      ['ScaledTanh', { activation_alpha: [1.5], activation_beta: [0.5] }],
      ['HardSigmoid', { activation_alpha: [0.3], activation_beta: [0.4] }],
      ['Elu', { activation_alpha: [0.8] }],
      ['Softsign', {}],
      ['Softplus', {}],
    ] as const
  ).map(([name, parameters]) =>
    recurrentCase({
      op: 'RNN',
      what: `activation ${name}`,
      attributes: { activations: [name], ...parameters },
      bias: true,
      checked: false,
    }),
  ),
  recurrentCase({
    op: 'GRU',
    what: 'linear before reset',
    attributes: { linear_before_reset: 1 },
    ...all,
  }),
  recurrentCase({
    op: 'GRU',
    what: 'linear before reset, both directions, uneven lengths',
    attributes: { ...both, linear_before_reset: 1 },
    lengths: [2, 4],
    ...all,
  }),
  recurrentCase({
    op: 'GRU',
    what: 'linear before reset without bias',
    attributes: { linear_before_reset: 1 },
    states: true,
  }),
  recurrentCase({
    op: 'GRU',
    what: 'other activations',
    attributes: {
      ...both,
      activations: ['HardSigmoid', 'Softsign', 'Sigmoid', 'LeakyRelu'],
      activation_alpha: [0.3, 0.1],
      activation_beta: [0.45],
    },
    ...all,
    checked: false,
  }),
  recurrentCase({ op: 'LSTM', what: 'peepholes', peepholes: true, ...all }),
  recurrentCase({
    op: 'LSTM',
    what: 'peepholes, both directions, uneven lengths',
    attributes: both,
    lengths: [3, 1],
    peepholes: true,
    ...all,
  }),
  recurrentCase({ op: 'LSTM', what: 'input and forget coupled', attributes: { input_forget: 1 }, ...all }),
  recurrentCase({
    op: 'LSTM',
    what: 'other activations',
    attributes: {
      activations: ['HardSigmoid', 'Softsign', 'Elu'],
      activation_alpha: [0.3, 0.5],
      activation_beta: [0.45],
    },
    ...all,
  }),
];

import type { RecurrentAttributes } from '../ops/recurrent.js';
import { type CaseInput, floats, given, type OpCase, random } from './case.js';

type Attributes = Partial<RecurrentAttributes['RNN'] & RecurrentAttributes['GRU'] & RecurrentAttributes['LSTM']>;

const gates = { RNN: 1, GRU: 3, LSTM: 4 } as const;

/** What a case varies. */
export interface RecurrentSetup {
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
  /** Compare the gradient with finite differences. */
  readonly checked?: boolean;
}

const features = 2;
const hidden = 3;

/** A small node of one of the recurrent ops. */
export function recurrentCase(setup: RecurrentSetup): OpCase {
  const { op, what, attributes = {}, time = 4, batch = 2, lengths, checked = false } = setup;
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
  const setups: readonly Omit<RecurrentSetup, 'op'>[] = [
    { what: 'plain' },
    { what: 'bias and states', ...all, checked: true },
    { what: 'reverse, uneven lengths', attributes: { direction: 'reverse' }, lengths: [4, 2], ...all, checked: true },
    { what: 'batch first, both directions', attributes: { ...both, layout: 1 }, ...all },
    { what: 'uneven lengths, both directions', lengths: [1, 3], attributes: both, ...all, checked: true },
    { what: 'one step of one row', time: 1, batch: 1, bias: true, outputs: 1 },
    { what: 'clipped', attributes: { clip: 0.6 }, bias: true },
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
  const { inputs, ...rest } = recurrentCase({ op, what: 'float16', bias: true });
  return {
    ...rest,
    inputs: inputs.map((input) => input && random('float16', input.shape, { low: -1, high: 1 })),
  } as OpCase;
}

/** Each activation, two a case. */
const activationCases: readonly OpCase[] = (
  [
    [['Relu', 'Affine'], [0.7], [0.2]],
    [['LeakyRelu', 'ThresholdedRelu'], [0.2, 0.3], []],
    [
      ['ScaledTanh', 'HardSigmoid'],
      [1.5, 0.3],
      [0.5, 0.4],
    ],
    [['Elu', 'Softsign'], [0.8], []],
    [['Softplus', 'Sigmoid'], [], []],
  ] as const
).map(([activations, activation_alpha, activation_beta]) =>
  recurrentCase({
    op: 'RNN',
    what: activations.join(', '),
    attributes: { ...both, activations, activation_alpha, activation_beta },
    bias: true,
  }),
);

/** Cases of the recurrent ops. Their gradients with all attributes are checked beside the definitions. */
export const recurrentCases: readonly OpCase[] = [
  ...(['RNN', 'GRU', 'LSTM'] as const).flatMap((op) => [...commonCases(op), sizable(op), half(op)]),
  ...activationCases,
  recurrentCase({
    op: 'GRU',
    what: 'linear before reset, both directions, uneven lengths',
    attributes: { ...both, linear_before_reset: 1 },
    lengths: [2, 4],
    ...all,
    checked: true,
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
  }),
  recurrentCase({
    op: 'LSTM',
    what: 'peepholes, both directions, uneven lengths',
    attributes: both,
    lengths: [3, 1],
    peepholes: true,
    ...all,
    checked: true,
  }),
  recurrentCase({ op: 'LSTM', what: 'input and forget coupled', attributes: { input_forget: 1 }, ...all }),
];

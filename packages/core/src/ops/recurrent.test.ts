import { describe, expect, test } from 'vitest';
import { checkGradient } from '../cases/gradient-check.js';
import { type RecurrentSetup, recurrentCase } from '../cases/recurrent.js';

const all = { bias: true, states: true, checked: true } as const;
const both = { direction: 'bidirectional' } as const;

// What stands among the op cases is checked there.
const setups: readonly RecurrentSetup[] = [
  ...(['RNN', 'GRU', 'LSTM'] as const).flatMap((op): readonly RecurrentSetup[] => [
    { op, what: 'plain', checked: true },
    { op, what: 'batch first, both directions', attributes: { ...both, layout: 1 }, ...all },
    { op, what: 'one step of one row', time: 1, batch: 1, bias: true, outputs: 1, checked: true },
    { op, what: 'clipped', attributes: { clip: 5 }, ...all },
  ]),
  { op: 'GRU', what: 'linear before reset', attributes: { linear_before_reset: 1 }, ...all },
  { op: 'GRU', what: 'linear before reset without bias', attributes: { linear_before_reset: 1 }, checked: true },
  { op: 'LSTM', what: 'peepholes', peepholes: true, ...all },
  { op: 'LSTM', what: 'input and forget coupled', attributes: { input_forget: 1 }, ...all },
  {
    op: 'LSTM',
    what: 'other activations',
    attributes: {
      activations: ['HardSigmoid', 'Softsign', 'Elu'],
      activation_alpha: [0.3, 0.5],
      activation_beta: [0.45],
    },
    ...all,
  },
];

describe('gradients of recurrent ops equal finite differences', () => {
  test.each(setups.map((setup) => [`${setup.op}, ${setup.what}`, setup] as const))('%s', (_, setup) => {
    expect(checkGradient(recurrentCase(setup))).toEqual([]);
  });
});

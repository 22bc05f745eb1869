import type { OpAttributes, Value } from '@modelwright/core';
import type { LayerContext } from '../../layer.js';
import type { PreparedCell } from './cell.js';

type RecurrentOp = 'RNN' | 'GRU' | 'LSTM';

interface FusedRequest<N extends RecurrentOp> {
  /** `[time, batch, features]` */
  readonly x: () => Value;
  /** W, R and B. */
  readonly weights: () => readonly (Value | undefined)[];
  readonly attributes: Partial<OpAttributes[N]>;
}

/** A whole sequence by one of ONNX's recurrent ops. */
export function fusedRun<N extends RecurrentOp>(
  op: N,
  { builder }: LayerContext,
  { x, weights, attributes }: FusedRequest<N>,
): NonNullable<PreparedCell['fused']> {
  const directionAxis = (): Value => builder.integers([0]);
  return ({ reversed, initial = [] }) => {
    const given = initial.map((state) => builder.op('Unsqueeze', [state, directionAxis()]));
    const direction = reversed ? 'reverse' : 'forward';
    const [sequence, ...states] = builder.node(
      op,
      [x(), ...weights(), undefined, ...given],
      { ...attributes, direction } as Partial<OpAttributes[N]>,
      { outputs: op === 'LSTM' ? 3 : 2 },
    );
    return {
      // [time, directions, batch, units]
      sequence: builder.op('Squeeze', [sequence, builder.integers([1])]),
      states: states.map((state) => builder.op('Squeeze', [state, directionAxis()])),
    };
  };
}

import type { Value } from '@modelwright/core';
import { type ActivationLike, activationOf } from '../../activations.js';
import { requirePositive } from '../tuples.js';
import type { CellLayer, CellLoop, RecurrentCell } from './cell.js';
import { fusedRun } from './fused-run.js';
import {
  activated,
  activationAttributes,
  addGateWeights,
  areBounded,
  bothBiases,
  columnsOf,
  droppedInput,
  type GateOptions,
  projectInput,
  splitEvenly,
  unitForgetBias,
} from './gate-weights.js';
import { projectState } from './project-state.js';
import { cellLayer, type RecurrentLayer, recurrentLayer, type SequenceOptions } from './recurrent-layer.js';

export interface LstmCellOptions extends GateOptions {
  /** Size of states and output. */
  readonly units: number;
  /** Of candidate and output. Default tanh. */
  readonly activation?: ActivationLike;
  /** Of the gates. Default sigmoid. */
  readonly recurrentActivation?: ActivationLike;
  /** The bias of the forget gate begins with 1. Default true. @see Jozefowicz et al., ICML 2015. */
  readonly unitForgetBias?: boolean;
}

export interface LstmOptions extends LstmCellOptions, SequenceOptions {}

/**
 * Long short-term memory.
 *
 * `i, f, o = recurrentActivation(x · W + h · R + b)`, `c′ = f∘c + i∘activation(x · W_c + h · R_c + b_c)`, `h′ = o∘activation(c′)`
 *
 * Input `[batch, time, features]`, output `[batch, units]` or `[batch, time, units]`, states `h` and `c` `[batch, units]`;
 * weights in Keras's layout, gates i, f, c, o: `kernel` `[features, 4 · units]`, `recurrentKernel` `[units, 4 · units]`, `bias`
 * `[4 · units]`.
 *
 * @throws {@link ModelwrightError} as {@link simpleRnn}.
 * @see Hochreiter and Schmidhuber, Neural Computation 9 (1997).
 */
export function lstm(options: LstmOptions): RecurrentLayer {
  return recurrentLayer('lstm', lstmCellOf(options, 'lstm'), options);
}

/** One step of {@link lstm}. Inputs `(x, h, c)`, outputs `(h′, h′, c′)`. */
export function lstmCell(options: LstmCellOptions): CellLayer {
  return cellLayer(lstmCellOf(options, 'lstmCell'), options);
}

// Keras's gates are i, f, c, o, ONNX's i, o, f, c.
const gateOrder = [0, 3, 1, 2];

function lstmCellOf(options: LstmCellOptions, kind: string): RecurrentCell {
  const units = requirePositive(options.units, `${kind}: units`);
  const { activation = 'tanh', recurrentActivation = 'sigmoid', dropout = 0, recurrentDropout = 0 } = options;
  for (const like of [activation, recurrentActivation]) activationOf(like);
  const attributes = activationAttributes([recurrentActivation, activation, activation]);
  const layout = {
    units,
    gates: 4,
    order: gateOrder,
    ...(options.unitForgetBias === false ? {} : { biasInitializer: unitForgetBias(options.biasInitializer) }),
  };
  return {
    kind: 'lstmCell',
    stateCount: 2,
    hasTrainingForm: recurrentDropout > 0,
    isBounded: areBounded([activation, recurrentActivation]),
    prepare(context, x, mode) {
      const { builder } = context;
      const { kernel, recurrentKernel, bias } = addGateWeights(context, options, { x, layout });
      const byGate = recurrentDropout > 0;
      const drops = byGate && mode === 'training';
      const loop = (): CellLoop => {
        const projected = projectInput(context, { x, kernel, bias, dropout, mode, gates: 4, byGate });
        const columns = columnsOf(builder, recurrentKernel);
        const project = projectState(context, { x, columns, gates: 4, dropout: drops ? recurrentDropout : 0 });
        return {
          sequences: [projected],
          step(inner, [input], [h, c]) {
            const sum = inner.op('Add', [input, project(inner, h as Value)]);
            const [i, o, f, candidate] = splitEvenly(inner, sum, 4, -1) as [Value, Value, Value, Value];
            const gate = (value: Value): Value => activated(inner, recurrentActivation, value);
            const kept = inner.op('Mul', [gate(f), c]);
            const added = inner.op('Mul', [gate(i), activated(inner, activation, candidate)]);
            const cell = inner.op('Add', [kept, added]);
            const output = inner.op('Mul', [gate(o), activated(inner, activation, cell)]);
            return { output, states: [output, cell] };
          },
        };
      };
      const fused =
        attributes === undefined || drops
          ? undefined
          : fusedRun('LSTM', context, {
              x: () => droppedInput(context, x, dropout, mode),
              weights: () => [kernel, recurrentKernel, bothBiases(builder, bias)],
              attributes: { ...attributes, hidden_size: units },
            });
      return { stateShapes: [[units], [units]], outputIsState: true, loop, fused };
    },
  };
}

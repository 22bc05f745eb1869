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
  stateMask,
} from './gate-weights.js';
import { cellLayer, type RecurrentLayer, recurrentLayer, type SequenceOptions } from './recurrent-layer.js';

export interface SimpleRnnCellOptions extends GateOptions {
  /** Size of state and output. */
  readonly units: number;
  /** Default tanh. */
  readonly activation?: ActivationLike;
}

export interface SimpleRnnOptions extends SimpleRnnCellOptions, SequenceOptions {}

/**
 * A recurrent layer with one matrix for the input and one for its own last output.
 *
 * `h[t] = activation(x[t] · kernel + h[t − 1] · recurrentKernel + bias)`
 *
 * Input `[batch, time, features]`, output `[batch, units]` or `[batch, time, units]`; weights in Keras's layout `kernel`
 * `[features, units]`, `recurrentKernel` `[units, units]`, `bias` `[units]`.
 *
 * @throws {@link ModelwrightError} `shape-mismatch` for another rank or initial states that do not fit, `unsupported-shape` when
 *   the number of features is open.
 */
export function simpleRnn(options: SimpleRnnOptions): RecurrentLayer {
  return recurrentLayer('simpleRnn', simpleRnnCellOf(options, 'simpleRnn'), options);
}

/** One step of {@link simpleRnn}. Inputs `(x, h)`, outputs `(h′, h′)`. */
export function simpleRnnCell(options: SimpleRnnCellOptions): CellLayer {
  return cellLayer(simpleRnnCellOf(options, 'simpleRnnCell'), options);
}

function simpleRnnCellOf(options: SimpleRnnCellOptions, kind: string): RecurrentCell {
  const units = requirePositive(options.units, `${kind}: units`);
  const { activation = 'tanh', dropout = 0, recurrentDropout = 0 } = options;
  activationOf(activation);
  const attributes = activationAttributes([activation]);
  return {
    kind: 'simpleRnnCell',
    stateCount: 1,
    hasTrainingForm: recurrentDropout > 0,
    isBounded: areBounded([activation]),
    prepare(context, x, mode) {
      const { builder } = context;
      const { kernel, recurrentKernel, bias } = addGateWeights(context, options, { x, layout: { units, gates: 1 } });
      const drops = mode === 'training' && recurrentDropout > 0;
      const loop = (): CellLoop => {
        const projected = projectInput(context, { x, kernel, bias, dropout, mode, gates: 1, byGate: false });
        const columns = columnsOf(builder, recurrentKernel);
        const mask = drops ? stateMask(context, { x, units, gates: 1, dropout: recurrentDropout }) : undefined;
        return {
          sequences: [projected],
          step(inner, [input], [h]) {
            const kept = mask === undefined ? h : inner.op('Mul', [h, mask]);
            const sum = inner.op('Add', [input, inner.op('MatMul', [kept, columns])]);
            const output = activated(inner, activation, sum);
            return { output, states: [output] };
          },
        };
      };
      const fused =
        attributes === undefined || drops
          ? undefined
          : fusedRun('RNN', context, {
              x: (): Value => droppedInput(context, x, dropout, mode),
              weights: () => [kernel, recurrentKernel, bothBiases(builder, bias)],
              attributes: { ...attributes, hidden_size: units },
            });
      return { stateShapes: [[units]], outputIsState: true, loop, fused };
    },
  };
}

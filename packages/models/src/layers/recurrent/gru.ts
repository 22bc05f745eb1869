import type { GraphBuilder, Value } from '@modelwright/core';
import { type ActivationLike, activationOf } from '../../activations.js';
import type { LayerContext } from '../../layer.js';
import { requirePositive } from '../tuples.js';
import type { CellLayer, CellLoop, CellMode, RecurrentCell } from './cell.js';
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
  type GateWeights,
  projectInput,
  splitEvenly,
  stateMask,
} from './gate-weights.js';
import { projectState } from './project-state.js';
import { cellLayer, type RecurrentLayer, recurrentLayer, type SequenceOptions } from './recurrent-layer.js';

export interface GruCellOptions extends GateOptions {
  /** Size of state and output. */
  readonly units: number;
  /** Of the candidate. Default tanh. */
  readonly activation?: ActivationLike;
  /** Of the gates. Default sigmoid. */
  readonly recurrentActivation?: ActivationLike;
  /**
   * Apply the reset gate after the product with the recurrent kernel (as cuDNN and PyTorch do), not before it (as the paper's
   * third version). With it the bias has a part for the input and one for the state. Default true.
   */
  readonly resetAfter?: boolean;
}

export interface GruOptions extends GruCellOptions, SequenceOptions {}

/**
 * Gated recurrent unit.
 *
 * `z, r = recurrentActivation(x · W + h · R + b)`, `n = activation(x · W_h + r∘(h · R_h + b_r) + b_h)` (or `(r∘h) · R_h`),
 * `h′ = z∘h + (1 − z)∘n`
 *
 * Input `[batch, time, features]`, output `[batch, units]` or `[batch, time, units]`, state `[batch, units]`; weights in Keras's
 * layout, gates z, r, h: `kernel` `[features, 3 · units]`, `recurrentKernel` `[units, 3 · units]`, `bias` `[2, 3 · units]` (or
 * `[3 · units]`).
 *
 * @throws {@link ModelwrightError} as {@link simpleRnn}.
 * @see Cho et al., arXiv:1406.1078.
 */
export function gru(options: GruOptions): RecurrentLayer {
  return recurrentLayer('gru', gruCellOf(options, 'gru'), options);
}

/** One step of {@link gru}. Inputs `(x, h)`, outputs `(h′, h′)`. */
export function gruCell(options: GruCellOptions): CellLayer {
  return cellLayer(gruCellOf(options, 'gruCell'), options);
}

function gruCellOf(options: GruCellOptions, kind: string): RecurrentCell {
  const units = requirePositive(options.units, `${kind}: units`);
  const { activation = 'tanh', recurrentActivation = 'sigmoid', resetAfter = true } = options;
  const { dropout = 0, recurrentDropout = 0 } = options;
  for (const like of [activation, recurrentActivation]) activationOf(like);
  const attributes = activationAttributes([recurrentActivation, activation]);
  return {
    kind: 'gruCell',
    stateCount: 1,
    hasTrainingForm: recurrentDropout > 0,
    isBounded: areBounded([activation, recurrentActivation]),
    prepare(context, x, mode) {
      const layout = { units, gates: 3, twoBiases: resetAfter };
      const weights = addGateWeights(context, options, { x, layout });
      const { kernel, recurrentKernel, bias } = weights;
      const drops = mode === 'training' && recurrentDropout > 0;
      const fused =
        attributes === undefined || drops
          ? undefined
          : fusedRun('GRU', context, {
              x: () => droppedInput(context, x, dropout, mode),
              weights: () => [kernel, recurrentKernel, resetAfter ? bias : bothBiases(context.builder, bias)],
              attributes: { ...attributes, hidden_size: units, linear_before_reset: resetAfter ? 1 : 0 },
            });
      const settings = { activation, recurrentActivation, resetAfter, units, dropout, recurrentDropout };
      const loop = (): CellLoop => gruLoop(context, { x, mode, weights, settings });
      return { stateShapes: [[units]], outputIsState: true, loop, fused };
    },
  };
}

interface GruSettings {
  readonly activation: ActivationLike;
  readonly recurrentActivation: ActivationLike;
  readonly resetAfter: boolean;
  readonly units: number;
  readonly dropout: number;
  readonly recurrentDropout: number;
}

interface LoopRequest {
  readonly x: Value;
  readonly mode: CellMode;
  readonly weights: GateWeights;
  readonly settings: GruSettings;
}

function gruLoop(context: LayerContext, request: LoopRequest): CellLoop {
  const { x, mode, weights, settings } = request;
  const { activation, recurrentActivation, dropout, recurrentDropout } = settings;
  const biases =
    weights.bias === undefined ? [] : splitEvenly(context.builder, weights.bias, settings.resetAfter ? 2 : 1, 1);
  const byGate = recurrentDropout > 0;
  const input = { x, kernel: weights.kernel, bias: biases[0], dropout, mode, gates: 3, byGate };
  const projected = projectInput(context, input);
  const state = settings.resetAfter
    ? resetAfterProduct(context, request, biases[1])
    : resetBeforeProduct(context, request);
  return {
    sequences: [projected],
    step(inner, [input], states) {
      const h = states[0] as Value;
      const [xz, xr, xh] = splitEvenly(inner, input as Value, 3, -1) as [Value, Value, Value];
      const { hz, hr, candidate } = state(inner, h);
      const update = activated(inner, recurrentActivation, inner.op('Add', [xz, hz]));
      const reset = activated(inner, recurrentActivation, inner.op('Add', [xr, hr]));
      const proposed = activated(inner, activation, inner.op('Add', [xh, candidate(reset)]));
      // z∘h + (1 − z)∘n
      const output = inner.op('Add', [proposed, inner.op('Mul', [update, inner.op('Sub', [h, proposed])])]);
      return { output, states: [output] };
    },
  };
}

/** What the state adds to both gates, and to the candidate once the reset gate is known. */
type StatePart = (
  inner: GraphBuilder,
  h: Value,
) => { readonly hz: Value; readonly hr: Value; readonly candidate: (reset: Value) => Value };

function dropoutOf({ mode, settings }: LoopRequest): number {
  return mode === 'training' ? settings.recurrentDropout : 0;
}

function resetAfterProduct(context: LayerContext, request: LoopRequest, bias: Value | undefined): StatePart {
  const columns = columnsOf(context.builder, request.weights.recurrentKernel);
  const project = projectState(context, { x: request.x, columns, gates: 3, dropout: dropoutOf(request) });
  return (inner, h) => {
    const product = project(inner, h);
    const sum = bias === undefined ? product : inner.op('Add', [product, bias]);
    const [hz, hr, hh] = splitEvenly(inner, sum, 3, -1) as [Value, Value, Value];
    return { hz, hr, candidate: (reset) => inner.op('Mul', [reset, hh]) };
  };
}

function resetBeforeProduct(context: LayerContext, request: LoopRequest): StatePart {
  const { builder } = context;
  const { x, settings } = request;
  const { units } = settings;
  const dropout = dropoutOf(request);
  const columns = columnsOf(builder, request.weights.recurrentKernel);
  const [gates, candidate] = builder.node(
    'Split',
    [columns, builder.integers([2 * units, units])],
    { axis: 1 },
    {
      outputs: 2,
    },
  ) as readonly [Value, Value];
  const project = projectState(context, { x, columns: gates, gates: 2, dropout });
  const mask = dropout > 0 ? stateMask(context, { x, units, gates: 1, dropout }) : undefined;
  return (inner, h) => {
    const [hz, hr] = splitEvenly(inner, project(inner, h), 2, -1) as [Value, Value];
    const kept = mask === undefined ? h : inner.op('Mul', [h, mask]);
    return { hz, hr, candidate: (reset) => inner.op('MatMul', [inner.op('Mul', [reset, kept]), candidate]) };
  };
}

import { ModelwrightError, type Value } from '@modelwright/core';
import { createLayer, type Layer, type LayerContext, type LayerOptions } from '../../layer.js';
import { contextWithin } from './cell.js';
import { batchFirst, type RecurrentLayer, runSequence } from './recurrent-layer.js';
import type { SequenceRun } from './run-cell.js';

/** How the outputs of both directions become one. */
export type MergeMode = 'concat' | 'sum' | 'mul' | 'ave';

export interface BidirectionalOptions extends LayerOptions {
  /** What runs along the sequence: `lstm({ units: 32 })`. */
  readonly layer: RecurrentLayer;
  /** What runs the other way. Default the same, with weights of its own. */
  readonly backwardLayer?: RecurrentLayer;
  /** `null` gives both outputs (take them with `applyAll`). Default `concat`. */
  readonly mergeMode?: MergeMode | null;
}

/**
 * A recurrent layer in both directions. Weights stand under `forward` and `backward`.
 *
 * Inputs `[batch, time, …features]`, then if wanted the initial states of the forward layer and those of the backward one;
 * outputs as those of the layer, merged, then (with `returnState`) the states of both. Steps that a mask leaves out give 0.
 *
 * @throws {@link ModelwrightError} `invalid-argument` if the layers do not go opposite ways, or differ in what they return.
 * @see Schuster and Paliwal, IEEE Transactions on Signal Processing 45 (1997).
 * @example
 * bidirectional({ layer: lstm({ units: 32, returnSequences: true }) })(x) // [batch, time, 64]
 */
export function bidirectional(options: BidirectionalOptions): Layer {
  const { layer: forward, mergeMode = 'concat' } = options;
  for (const each of [forward, ...(options.backwardLayer === undefined ? [] : [options.backwardLayer])]) {
    if (each?.sequence === undefined) refuse('takes recurrent layers: lstm({ units })', typeof each);
  }
  const backward = options.backwardLayer ?? {
    cell: forward.cell,
    sequence: { ...forward.sequence, goBackwards: !forward.sequence.goBackwards },
  };
  checkPair(forward, backward, mergeMode);
  const { returnSequences = false, returnState = false } = forward.sequence;
  const { stateCount } = forward.cell;
  const directions = [
    { ...forward, prefix: 'forward' },
    { ...backward, prefix: 'backward' },
  ];
  return createLayer({
    kind: 'bidirectional',
    options,
    inputCount: { min: 1, max: 1 + stateCount + backward.cell.stateCount },
    mask: ({ masks }) => (returnSequences ? (mergeMode === null ? [masks[0], masks[0]] : [masks[0]]) : []),
    build(context, [x, ...initial]) {
      const runs = directions.map(({ cell, sequence, prefix }, index) => {
        const own = index === 0 ? initial.slice(0, stateCount) : initial.slice(stateCount);
        const request = { cell, options: { ...sequence, zeroOutputForMask: true }, inputs: [x as Value, ...own] };
        return runSequence(contextWithin(context, prefix), request);
      });
      // The backward outputs stand in the order of the input already.
      const outputs = runs.map((run) => (returnSequences ? run.sequence : run.last));
      const merged = merge(context, outputs as [Value, Value], mergeMode);
      const ordered = returnSequences ? merged.map((value) => inOrder(context, value, forward)) : merged;
      return [...ordered, ...(returnState ? runs.flatMap(({ states }: SequenceRun) => states) : [])];
    },
  });
}

// Keras turns round what the second layer gives: with a forward layer that goes backwards both stand in its order.
function inOrder(context: LayerContext, sequence: Value, { sequence: { goBackwards } }: RecurrentLayer): Value {
  return batchFirst(context, sequence, goBackwards);
}

function merge({ builder }: LayerContext, [a, b]: readonly [Value, Value], mode: MergeMode | null): readonly Value[] {
  switch (mode) {
    case null:
      return [a, b];
    case 'concat':
      return [builder.op('Concat', [a, b], { axis: -1 })];
    case 'sum':
      return [builder.op('Add', [a, b])];
    case 'mul':
      return [builder.op('Mul', [a, b])];
    case 'ave':
      return [builder.op('Mul', [builder.op('Add', [a, b]), builder.scalar(0.5, a.dtype)])];
  }
}

function checkPair(
  forward: RecurrentLayer,
  backward: Pick<RecurrentLayer, 'cell' | 'sequence'>,
  mergeMode: MergeMode | null,
): void {
  if (![null, 'concat', 'sum', 'mul', 'ave'].includes(mergeMode)) {
    refuse(`there is no mergeMode '${mergeMode}'; there are: concat, sum, mul, ave, null`, mergeMode);
  }
  if ((forward.sequence.goBackwards ?? false) === (backward.sequence.goBackwards ?? false)) {
    refuse('its layers must go opposite ways: one of them has goBackwards', forward.sequence.goBackwards ?? false);
  }
  for (const option of ['returnSequences', 'returnState', 'stateful'] as const) {
    const [a, b] = [forward.sequence[option] ?? false, backward.sequence[option] ?? false];
    if (a !== b) refuse(`its layers differ in ${option}: ${a} and ${b}`, [a, b]);
  }
}

function refuse(message: string, given: unknown): never {
  throw new ModelwrightError('invalid-argument', `bidirectional: ${message}`, { given });
}

import { onnxDataType, type Value } from '@modelwright/core';
import type { InitializerLike } from '../initializers/initializer.js';
import {
  createLayer,
  floatDType,
  type Layer,
  type LayerContext,
  type LayerOptions,
  requireAxes,
  requireKnown,
} from '../layer.js';
import { bothBiases } from '../layers/recurrent/gate-weights.js';

interface PeepholeLstmOptions extends LayerOptions {
  /** Of each direction. */
  readonly units: number;
  /** Of all weights. */
  readonly initializer: InitializerLike;
}

/**
 * A bidirectional LSTM whose gates see the cell's state, as ONNX's `LSTM` has it:
 * `i = σ(x·W_i + h·R_i + p_i∘c + b_i)`, likewise `f`; `o = σ(x·W_o + h·R_o + p_o∘c′ + b_o)`.
 *
 * Input `[batch, steps, features]`, output `[batch, steps, 2 · units]`; with a mask, which leaves out steps at the end, the backward
 * direction begins at each row's last step. Weights `kernel` `[2, 4 · units, features]`, `recurrentKernel` `[2, 4 · units, units]`,
 * `bias` `[2, 4 · units]` (gates i, o, f, c) and `peepholes` `[2, 3 · units]` (i, o, f), as ONNX has them.
 *
 * @see Gers, Schraudolph and Schmidhuber, JMLR 3 (2002).
 */
export function bidirectionalPeepholeLstm(options: PeepholeLstmOptions): Layer {
  const { units } = options;
  return createLayer({
    kind: 'bidirectionalPeepholeLstm',
    options,
    mask: 'keep',
    build(context, [x]) {
      const { builder } = context;
      const input = x as Value;
      requireAxes(context, input, '[batch, steps, features]');
      const weight = weightsOf(context, input, options);
      const [sequence] = builder.node(
        'LSTM',
        [
          builder.op('Transpose', [input], { perm: [1, 0, 2] }),
          weight('kernel', [4 * units, requireKnown(context, input, -1)]),
          weight('recurrentKernel', [4 * units, units]),
          bothBiases(builder, weight('bias', [4 * units])),
          stepCounts(context),
          undefined,
          undefined,
          weight('peepholes', [3 * units]),
        ],
        { hidden_size: units, direction: 'bidirectional' },
        { outputs: 1 },
      );
      // [steps, directions, batch, units]
      const ordered = builder.op('Transpose', [sequence], { perm: [2, 0, 1, 3] });
      return builder.op('Reshape', [ordered, builder.integers([0, 0, 2 * units])]);
    },
  });
}

function weightsOf(
  context: LayerContext,
  input: Value,
  { initializer }: PeepholeLstmOptions,
): (name: string, shape: readonly number[]) => Value {
  const dtype = floatDType(context, input);
  return (name: string, shape: readonly number[]): Value =>
    context.addWeight({ name, shape: [2, ...shape], initializer, dtype });
}

/** How many steps of each row count, int32 `[batch]`; undefined where all do. */
function stepCounts({ builder, masks: [mask] }: LayerContext): Value | undefined {
  if (mask === undefined) return undefined;
  const counted = builder.op('Cast', [mask], { to: onnxDataType('int32') });
  return builder.op('ReduceSum', [counted, builder.integers([1])], { keepdims: 0 });
}

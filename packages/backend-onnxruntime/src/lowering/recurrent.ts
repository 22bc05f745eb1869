import type { GraphBuilder, OpAttributes, Value } from '@modelwright/core';
import type { Rewrite, RewriteContext } from './lowering.js';

type RecurrentOp = 'RNN' | 'GRU' | 'LSTM';

const fusedTypes: readonly string[] = ['float32', 'float16'];
const sequenceFirst = [1, 0, 2];
/** Inputs that hold the sequence or a state. */
const batched: ReadonlySet<number> = new Set([0, 5, 6]);

/** The runtime's fused ops compute float32 (it widens float16) with the time as the first axis, and want to be told the hidden size. */
function fused<N extends RecurrentOp>(op: N): Rewrite<N> {
  return (context) => {
    const { input, attributes } = context;
    if (!fusedTypes.includes(input(0).dtype)) return undefined;
    const { layout, hidden_size: hidden } = attributes as OpAttributes['RNN'];
    if (layout === 0 && hidden !== undefined) return 'keep';
    return withTimeFirst(op, context);
  };
}

function withTimeFirst<N extends RecurrentOp>(op: N, context: RewriteContext<N>): readonly Value[] {
  const { builder, input, inputs, attributes, outputCount } = context;
  const { layout } = attributes as OpAttributes['RNN'];
  const turned = (value: Value, perm: readonly number[]): Value =>
    layout === 0 ? value : transposed(builder, value, perm);
  const given = inputs.map((value, index) =>
    value !== undefined && batched.has(index) ? turned(value, sequenceFirst) : value,
  );
  const complete = { ...attributes, layout: 0, hidden_size: input(2).shape[2] };
  const results = builder.node(op, given, complete as never, { outputs: outputCount });
  return results.map((value, index) => turned(value, index === 0 ? [2, 0, 1, 3] : sequenceFirst));
}

function transposed(builder: GraphBuilder, value: Value, perm: readonly number[]): Value {
  return builder.op('Transpose', [value], { perm });
}

/** The recurrent ops as the runtime has them. */
export const recurrentLowerings: { readonly [N in RecurrentOp]: Rewrite<N> } = {
  RNN: fused('RNN'),
  GRU: fused('GRU'),
  LSTM: fused('LSTM'),
};

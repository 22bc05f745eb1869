import { type GraphBuilder, hasDefaultActivations, type OpAttributes, type Value } from '@modelwright/core';
import type { Rewrite, RewriteContext } from './lowering.js';

type RecurrentOp = 'RNN' | 'GRU' | 'LSTM';

const fusedTypes: readonly string[] = ['float32', 'float16'];
const sequenceFirst = [1, 0, 2];
/** Inputs that hold the sequence or a state. */
const batched: ReadonlySet<number> = new Set([0, 5, 6]);

/** Which recurrent ops a provider runs; the others are taken apart. */
type Fits = (op: RecurrentOp, context: RewriteContext<RecurrentOp>) => boolean;

/** The runtime's fused ops compute float32 (it widens float16) with the time as the first axis, and want to be told the hidden size. */
function fused<N extends RecurrentOp>(op: N, fits: Fits): Rewrite<N> {
  return (context) => {
    const { input, attributes } = context;
    if (!fusedTypes.includes(input(0).dtype) || !fits(op, context as never)) return undefined;
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

type RecurrentLowerings = { readonly [N in RecurrentOp]: Rewrite<N> };

function lowerings(fits: Fits): RecurrentLowerings {
  return { RNN: fused('RNN', fits), GRU: fused('GRU', fits), LSTM: fused('LSTM', fits) };
}

/** The recurrent ops as the runtime has them. */
export const recurrentLowerings: RecurrentLowerings = lowerings(() => true);

/** As the WebGPU provider has them: it refuses most activations. */
export const webgpuRecurrentLowerings: RecurrentLowerings = lowerings((op, { attributes }) =>
  hasDefaultActivations(op, attributes),
);

/** As cuDNN computes them, which knows neither clipping nor peepholes nor coupled gates, and resets behind the product only. */
export const cudaRecurrentLowerings: RecurrentLowerings = lowerings((op, context) => {
  const { clip, input_forget, linear_before_reset } = context.attributes as Partial<
    OpAttributes['LSTM'] & OpAttributes['GRU']
  >;
  const isPlain = clip === undefined && !input_forget && context.inputs[7] === undefined;
  return isPlain && hasDefaultActivations(op, context.attributes) && (op !== 'GRU' || linear_before_reset === 1);
});

import { backpropagate, type Seed } from '../gradient/backpropagate.js';
import type { Value } from '../graph/graph.js';
import type { AttributeSpecification, GradientContext, OpDefinition, OpFamily } from './definition.js';
import { evaluateRecurrent } from './recurrent-kernel.js';
import { inferRecurrent, type RecurrentOp } from './recurrent-layout.js';
import { recurrentAsScans } from './recurrent-scan.js';
import { between } from './rules.js';

interface SharedAttributes {
  activation_alpha?: readonly number[];
  activation_beta?: readonly number[];
  /** Names, those of the first direction first. */
  activations?: readonly string[];
  /** What enters the gates is cut to `[−clip, clip]`. */
  clip?: number;
  /** `forward`, `reverse` or `bidirectional`. */
  direction: string;
  hidden_size?: number;
  /** 0: `[time, batch, features]`, states `[directions, batch, hidden]`; 1: the batch first, in both. */
  layout: number;
}

/** Attributes of the recurrent ops, by op. */
export interface RecurrentAttributes {
  RNN: SharedAttributes;
  /** Gates z, r, h. `linear_before_reset`: multiply by `R` first, then apply the reset gate. */
  GRU: SharedAttributes & { linear_before_reset: number };
  /** Gates i, o, f, c; peepholes i, o, f. `input_forget`: the forget gate is `1 − i`. */
  LSTM: SharedAttributes & { input_forget: number };
}

/** Those that all have; the fields that an op adds come beside them. */
const shared: { readonly [K in keyof SharedAttributes]-?: AttributeSpecification } = {
  activation_alpha: { kind: 'floats' },
  activation_beta: { kind: 'floats' },
  activations: { kind: 'strings' },
  clip: { kind: 'float' },
  direction: { kind: 'string', default: 'forward' },
  hidden_size: { kind: 'int' },
  layout: { kind: 'int', default: 0 },
};

/** What the three have in common. */
function recurrentOp<N extends RecurrentOp>(
  op: N,
  inputs: number,
  outputs: number,
): Omit<OpDefinition<RecurrentAttributes[N]>, 'attributes'> {
  return {
    inputs: between(3, inputs),
    outputs: between(1, outputs),
    infer: (context) => inferRecurrent(op, context),
    gradient: (context) => recurrentGradient(op, context),
    evaluate: (context) => evaluateRecurrent(op, context).slice(0, context.outputCount),
    decompose: (context) => recurrentAsScans(op, context),
  };
}

/**
 * The recurrent ops of ONNX: `(X, W, R, B?, sequence_lens?, initial_h?)` and for the LSTM `(…, initial_c?, P?)` → all hidden states
 * `Y`, the last ones `Y_h` and for the LSTM the last cell states `Y_c`. A row of `sequence_lens` steps keeps its state and gives zeros
 * after them; a reversed direction begins at the row's last step.
 *
 * @see https://onnx.ai/onnx/operators/onnx__LSTM.html
 */
export const recurrent: OpFamily<RecurrentAttributes> = {
  // h′ = f(x·Wᵀ + h·Rᵀ + b)
  RNN: { ...recurrentOp('RNN', 6, 2), attributes: shared },
  // h′ = (1 − z)∘n + z∘h with z, r = f(…), n = g(x·W_nᵀ + (r∘h)·R_nᵀ + b)
  GRU: {
    ...recurrentOp('GRU', 6, 2),
    attributes: { ...shared, linear_before_reset: { kind: 'int', default: 0 } },
  },
  // c′ = f∘c + i∘g(…), h′ = o∘h(c′)
  LSTM: { ...recurrentOp('LSTM', 8, 3), attributes: { ...shared, input_forget: { kind: 'int', default: 0 } } },
};

/** The gradient of the same cell as a `Scan`. Training programs take that form from the start, so that it runs but once. */
function recurrentGradient<N extends RecurrentOp>(
  op: N,
  context: GradientContext<RecurrentAttributes[N]>,
): readonly (Value | undefined)[] {
  const { builder, inputs, outputs, outputGradients, needs } = context;
  const before = builder.build().nodes.length;
  const made = recurrentAsScans(op, { ...context, outputCount: outputs.length });
  const seeds = made.flatMap((value, index): readonly Seed[] => {
    const gradient = outputGradients[index];
    return gradient === undefined ? [] : [{ value, gradient }];
  });
  const wanted = inputs.map((_, index) => index).filter((index) => needs(index));
  const targets = wanted.map((index) => inputs[index] as Value);
  const gradients = backpropagate(builder, seeds, targets, { nodes: builder.build().nodes.slice(before) });
  return inputs.map((_, index) => gradients[wanted.indexOf(index)]);
}

import { type GraphBuilder, ModelwrightError, type Value } from '@modelwright/core';

/** An activation as a plain function of a symbolic value. */
export type Activation = (builder: GraphBuilder, x: Value) => Value;

const op = (name: 'Sigmoid' | 'Tanh' | 'Softplus' | 'Softsign' | 'HardSwish' | 'Mish' | 'Exp' | 'Relu'): Activation => {
  return (builder, x) => builder.op(name, [x]);
};

/** Names of the activations: Keras's, in camelCase. */
export type ActivationName =
  | 'linear'
  | 'relu'
  | 'relu6'
  | 'leakyRelu'
  | 'sigmoid'
  | 'hardSigmoid'
  | 'tanh'
  | 'hardTanh'
  | 'softmax'
  | 'logSoftmax'
  | 'softplus'
  | 'softsign'
  | 'elu'
  | 'selu'
  | 'celu'
  | 'gelu'
  | 'geluTanh'
  | 'silu'
  | 'swish'
  | 'hardSilu'
  | 'hardSwish'
  | 'mish'
  | 'exponential'
  | 'logSigmoid'
  | 'softShrink'
  | 'hardShrink'
  | 'tanhShrink';

const byName: { readonly [N in ActivationName]: Activation } = {
  linear: (_, x) => x,
  relu: op('Relu'),
  relu6: (builder, x) => clipped(builder, x, { least: 0, most: 6 }),
  leakyRelu: (builder, x) => builder.op('LeakyRelu', [x], { alpha: 0.2 }),
  sigmoid: op('Sigmoid'),
  hardSigmoid: (builder, x) => builder.op('HardSigmoid', [x], { alpha: 1 / 6, beta: 0.5 }),
  tanh: op('Tanh'),
  hardTanh: (builder, x) => clipped(builder, x, { least: -1, most: 1 }),
  softmax: (builder, x) => builder.op('Softmax', [x], { axis: -1 }),
  logSoftmax: (builder, x) => builder.op('LogSoftmax', [x], { axis: -1 }),
  softplus: op('Softplus'),
  softsign: op('Softsign'),
  elu: (builder, x) => builder.op('Elu', [x], { alpha: 1 }),
  selu: (builder, x) => builder.op('Selu', [x]),
  celu: (builder, x) => builder.op('Celu', [x], { alpha: 1 }),
  gelu: (builder, x) => builder.op('Gelu', [x], { approximate: 'none' }),
  /** The tanh approximation; `gelu_new` elsewhere. */
  geluTanh: (builder, x) => builder.op('Gelu', [x], { approximate: 'tanh' }),
  silu: (builder, x) => builder.op('Mul', [x, builder.op('Sigmoid', [x])]),
  swish: (builder, x) => builder.op('Mul', [x, builder.op('Sigmoid', [x])]),
  hardSilu: op('HardSwish'),
  hardSwish: op('HardSwish'),
  mish: op('Mish'),
  exponential: op('Exp'),
  // log σ(x) = −softplus(−x)
  logSigmoid: (builder, x) => builder.op('Neg', [builder.op('Softplus', [builder.op('Neg', [x])])]),
  softShrink: (builder, x) => builder.op('Shrink', [x], { lambd: 0.5, bias: 0.5 }),
  hardShrink: (builder, x) => builder.op('Shrink', [x], { lambd: 0.5, bias: 0 }),
  tanhShrink: (builder, x) => builder.op('Sub', [x, builder.op('Tanh', [x])]),
};

/** A name, or a function of builder and value. */
export type ActivationLike = ActivationName | Activation;

/** Names of all activations. */
export const activationNames: readonly ActivationName[] = Object.keys(byName) as ActivationName[];

/**
 * The activation that is meant.
 *
 * @throws {@link ModelwrightError} `invalid-argument` for an unknown name.
 */
export function activationOf(like: ActivationLike): Activation {
  if (typeof like === 'function') return like;
  if (Object.hasOwn(byName, like)) return byName[like];
  throw new ModelwrightError(
    'invalid-argument',
    `there is no activation '${like}'; there are: ${activationNames.join(', ')}`,
    {
      given: like,
      allowed: activationNames,
    },
  );
}

/** `min(max(x, least), most)`; a bound that is left out does not hold. */
export function clipped(
  builder: GraphBuilder,
  x: Value,
  { least, most }: { readonly least?: number; readonly most?: number },
): Value {
  const bound = (value: number | undefined): Value | undefined =>
    value === undefined ? undefined : builder.scalar(value, x.dtype);
  return builder.op('Clip', [x, bound(least), bound(most)]);
}

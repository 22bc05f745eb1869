import type { Value, ValueType } from '../graph/graph.js';
import { concreteShape } from '../tensor/shape.js';
import { fromNumbers, fullTensor, type Tensor, toNumbers } from '../tensor/tensor.js';
import type { DecomposeContext, EvaluateContext, GradientContext, InferContext, OpFamily } from './definition.js';
import { rootGradient, signedPower } from './global-pooling.js';
import { poolAttributes, pooledShape } from './pool-attributes.js';
import type { PoolAttributes, PoolingAttributes } from './pooling.js';
import { forEachPoolingPair, poolingOf } from './pooling-kernel.js';
import { exactly, requireFloat } from './rules.js';
import { explicitAttributes, filledWindow, transposedEnds, withExplicitPads } from './window.js';

type LpAttributes = PoolingAttributes['LpPool'];

function inferLpPool(context: InferContext<LpAttributes>): readonly ValueType[] {
  requireFloat(context, 0);
  return [{ dtype: context.input(0).dtype, shape: pooledShape(context) }];
}

function evaluateLpPool(context: EvaluateContext<LpAttributes>): readonly Tensor[] {
  const x = context.input(0);
  const { p } = context.attributes;
  const pooling = poolingOf(x.shape, context.attributes);
  const values = toNumbers(x);
  const shape = [...x.shape.slice(0, 2), ...pooling.small];
  const sums = new Float64Array(shape.reduce((a, b) => a * b, 1));
  forEachPoolingPair(pooling, (largeAt, smallAt) => {
    sums[smallAt] = (sums[smallAt] as number) + Math.abs(values[largeAt] as number) ** p;
  });
  return [
    fromNumbers(
      x.dtype,
      shape,
      sums.map((sum) => sum ** (1 / p)),
    ),
  ];
}

/** A convolution that sums each window of each channel: its attributes and its weight of ones. */
function windowSum(
  context: Pick<DecomposeContext<PoolAttributes>, 'builder' | 'attributes' | 'input'>,
  small: readonly number[],
) {
  const x = context.input(0);
  const [, channels, ...spatial] = concreteShape([0, ...x.shape.slice(1)], 'the input of LpPool');
  const plain = filledWindow(context.attributes.kernel_shape, context.attributes);
  const window = withExplicitPads(plain, spatial, context.attributes.auto_pad);
  // The end that these places need, which rounding up may put beyond the declared padding.
  const { ends } = transposedEnds(spatial, small, window);
  const pads = [...window.pads.slice(0, spatial.length), ...ends];
  return {
    ones: context.builder.constant(fullTensor(x.dtype, [channels as number, 1, ...window.kernel], 1), { name: 'ones' }),
    attributes: { ...explicitAttributes({ ...window, pads }), group: channels as number },
  };
}

// dx = sign(x)·|x|^(p−1) · Σ_windows dy·y^(1−p)
function lpPoolGradient(context: GradientContext<LpAttributes>): readonly Value[] {
  const { builder, input, outputs, outputGradient: dy, attributes } = context;
  const y = outputs[0] as Value;
  const { ones, attributes: conv } = windowSum(context, concreteShape(y.shape.slice(2), 'the output of LpPool'));
  const share = rootGradient(builder, y, dy, attributes.p);
  const shape = concreteShape(input(0).shape, 'the input of LpPool');
  const spread = builder.op('ConvInputGradient', [share, ones], { ...conv, input_shape: shape });
  return [builder.op('Mul', [signedPower(builder, input(0), attributes.p), spread])];
}

function decomposeLpPool(context: DecomposeContext<LpAttributes>): readonly Value[] | undefined {
  const { builder, outputs, attributes } = context;
  const x = context.input(0);
  const small = (outputs[0] as Value).shape.slice(2);
  if ([...x.shape.slice(1), ...small].some((extent) => typeof extent !== 'number')) return undefined;
  const { ones, attributes: conv } = windowSum(context, small as readonly number[]);
  const powers = builder.op('Pow', [builder.op('Abs', [x]), builder.scalar(attributes.p, x.dtype)]);
  const sums = builder.op('Conv', [powers, ones], conv);
  return [builder.op('Pow', [sums, builder.scalar(1 / attributes.p, x.dtype)])];
}

/** The p-norm of each window. */
export const lpPooling: Pick<OpFamily<PoolingAttributes>, 'LpPool'> = {
  /** `y[i] = (Σ_k |x[i·s + k·d − p]|^p)^(1/p)` */
  LpPool: {
    inputs: exactly(1),
    outputs: exactly(1),
    attributes: { ...poolAttributes, p: { kind: 'int', default: 2 } },
    infer: inferLpPool,
    gradient: lpPoolGradient,
    evaluate: evaluateLpPool,
    decompose: decomposeLpPool,
  },
};

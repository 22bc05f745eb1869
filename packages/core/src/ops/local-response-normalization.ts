import type { Value, ValueType } from '../graph/graph.js';
import type { GraphBuilder } from '../graph/graph-builder.js';
import { formatShape } from '../tensor/shape.js';
import { elementCountOf, fromNumbers, type Tensor, toNumbers } from '../tensor/tensor.js';
import { reshapeLike } from './channel-nodes.js';
import type { DecomposeContext, EvaluateContext, GradientContext, InferContext, OpFamily } from './definition.js';
import type { NormalizationAttributes } from './normalization.js';
import { exactly, sameAsFloatInput } from './rules.js';

type Attributes = NormalizationAttributes['LRN'];

function inferLrn(context: InferContext<Attributes>): readonly ValueType[] {
  const { shape } = context.input(0);
  const { size } = context.attributes;
  if (shape.length < 2) context.fail(`input ${formatShape(shape)} must be [batch, channels, …]`, { given: shape });
  if (!Number.isInteger(size) || size < 1) {
    context.fail(`size is ${size}; an integer ≥ 1 is needed`, { given: size }, 'invalid-attribute');
  }
  return sameAsFloatInput(context);
}

/** Channels before and after that take part: an even window reaches further ahead. */
const reachOf = (size: number): [before: number, after: number] => [
  Math.floor((size - 1) / 2),
  Math.ceil((size - 1) / 2),
];

function evaluateLrn(context: EvaluateContext<Attributes>): readonly Tensor[] {
  const input = context.input(0);
  const x = toNumbers(input);
  const { alpha, beta, bias, size } = context.attributes;
  const [batch, channels] = input.shape as [number, number];
  const span = elementCountOf(input.shape.slice(2));
  const [before, after] = reachOf(size);
  const y = new Float64Array(x.length);
  for (let n = 0; n < batch; n++) {
    for (let c = 0; c < channels; c++) {
      const [from, to] = [Math.max(0, c - before), Math.min(channels - 1, c + after)];
      for (let place = 0; place < span; place++) {
        let squares = 0;
        for (let other = from; other <= to; other++)
          squares += (x[(n * channels + other) * span + place] as number) ** 2;
        const at = (n * channels + c) * span + place;
        y[at] = (x[at] as number) / (bias + (alpha / size) * squares) ** beta;
      }
    }
  }
  return [fromNumbers(input.dtype, input.shape, y)];
}

/** The mean of `value` over a window of `size` channels, missing ones counted as zero: a pooling of `[batch, 1, channels, places]`. */
function channelWindowMean(builder: GraphBuilder, value: Value, size: number, pads: readonly [number, number]): Value {
  const channels = value.shape[1];
  const shape = typeof channels === 'number' ? [0, 1, channels, -1] : undefined;
  const planes =
    shape === undefined
      ? builder.op('Unsqueeze', [value, builder.integers([1])])
      : builder.op('Reshape', [value, builder.integers(shape)]);
  const flat = planes.shape.length - 3;
  const sides = (side: number): number[] => [side, ...new Array<number>(flat).fill(0)];
  const mean = builder.op('AveragePool', [planes], {
    kernel_shape: [size, ...new Array<number>(flat).fill(1)],
    pads: [...sides(pads[0]), ...sides(pads[1])],
    count_include_pad: 1,
  });
  return reshapeLike(builder, mean, value);
}

/** `q = bias + α·mean(x²)` over the window. */
function divisorBase(builder: GraphBuilder, x: Value, { alpha, bias, size }: Attributes): Value {
  const mean = channelWindowMean(builder, builder.op('Mul', [x, x]), size, reachOf(size));
  return builder.op('Add', [builder.op('Mul', [mean, builder.scalar(alpha, x.dtype)]), builder.scalar(bias, x.dtype)]);
}

// dx = dy·q^−β − 2αβ·x·mean_mirrored(dy·y/q): channel c lies in the windows of the channels that reach it.
function lrnGradient(context: GradientContext<Attributes>): readonly Value[] {
  const { builder, input, outputs, outputGradient: dy, attributes } = context;
  const { alpha, beta, size } = attributes;
  const x = input(0);
  const q = divisorBase(builder, x, attributes);
  const direct = builder.op('Mul', [dy, builder.op('Pow', [q, builder.scalar(-beta, x.dtype)])]);
  const weight = builder.op('Div', [builder.op('Mul', [dy, outputs[0] as Value]), q]);
  const [before, after] = reachOf(size);
  const spread = channelWindowMean(builder, weight, size, [after, before]);
  const factor = builder.op('Mul', [x, builder.scalar(2 * alpha * beta, x.dtype)]);
  return [builder.op('Sub', [direct, builder.op('Mul', [factor, spread])])];
}

function decomposeLrn({ builder, input, attributes }: DecomposeContext<Attributes>): readonly Value[] {
  const x = input(0);
  const power = builder.op('Pow', [divisorBase(builder, x, attributes), builder.scalar(attributes.beta, x.dtype)]);
  return [builder.op('Div', [x, power])];
}

/** Local response normalization. */
export const localResponseNormalization: Pick<OpFamily<NormalizationAttributes>, 'LRN'> = {
  /** `y_c = x_c / (bias + α/size·Σ_{c'} x_{c'}²)^β` over `size` channels around `c`. */
  LRN: {
    inputs: exactly(1),
    outputs: exactly(1),
    attributes: {
      alpha: { kind: 'float', default: 1e-4 },
      beta: { kind: 'float', default: 0.75 },
      bias: { kind: 'float', default: 1 },
      size: { kind: 'int', required: true },
    },
    infer: inferLrn,
    gradient: lrnGradient,
    evaluate: evaluateLrn,
    decompose: decomposeLrn,
  },
};

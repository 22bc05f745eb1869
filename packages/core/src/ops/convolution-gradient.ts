import type { Value, ValueType } from '../graph/graph.js';
import { modelwrightDomain } from '../graph/graph.js';
import type { GraphBuilder } from '../graph/graph-builder.js';
import { concreteShape, formatShape } from '../tensor/shape.js';
import { elementCountOf, fromNumbers, type Tensor, toNumbers } from '../tensor/tensor.js';
import { type ConvAttributes, convAttributes, convolutionWindow, layoutOf } from './convolution.js';
import { convolveTransposed, correlate } from './convolution-kernel.js';
import type { DecomposeContext, EvaluateContext, GradientContext, InferContext, OpFamily } from './definition.js';
import { exactly, requireFloat } from './rules.js';
import { coveredExtent, explicitAttributes, type SlidingWindow, transposedEnds } from './window.js';

type InputGradientAttributes = ConvAttributes & { input_shape: readonly number[] };
type WeightGradientAttributes = ConvAttributes & { weight_shape: readonly number[] };

/** Attributes of the gradients of convolutions (own domain), by op. */
export interface ConvolutionGradientAttributes {
  /** `(dy, w)` → gradient of `Conv`'s input; `input_shape` is that input's whole shape. Pads are explicit. */
  ConvInputGradient: InputGradientAttributes;
  /** `(x, dy)` → gradient of `Conv`'s weight; `weight_shape` is its whole shape. Pads are explicit. */
  ConvWeightGradient: WeightGradientAttributes;
}

interface Sizes {
  readonly x: readonly number[];
  readonly w: readonly number[];
  readonly dy: readonly number[];
}

// Channels of the three tensors of one convolution must belong together.
function checkSizes(context: InferContext<ConvAttributes>, { x, w, dy }: Sizes): void {
  const { group } = context.attributes;
  const fits =
    x.length === dy.length &&
    w.length === x.length &&
    x[0] === dy[0] &&
    dy[1] === w[0] &&
    x[1] === (w[1] as number) * group;
  if (fits) return;
  context.fail(
    `no convolution (groups = ${group}) has input ${formatShape(x)}, weight ${formatShape(w)} and output ${formatShape(dy)}`,
    { given: dy },
  );
}

function inferInputGradient(context: InferContext<InputGradientAttributes>): readonly ValueType[] {
  requireFloat(context, 0);
  const shape = context.attributes.input_shape;
  const w = concreteShape(context.input(1).shape, 'the weight');
  checkSizes(context, { x: shape, w, dy: concreteShape(context.input(0).shape, 'the gradient') });
  return [{ dtype: context.input(0).dtype, shape }];
}

function inferWeightGradient(context: InferContext<WeightGradientAttributes>): readonly ValueType[] {
  requireFloat(context, 0);
  const shape = context.attributes.weight_shape;
  const x = concreteShape(context.input(0).shape, 'the input');
  checkSizes(context, { x, w: shape, dy: concreteShape(context.input(1).shape, 'the gradient') });
  return [{ dtype: context.input(0).dtype, shape }];
}

function evaluateInputGradient(context: EvaluateContext<InputGradientAttributes>): readonly Tensor[] {
  const [dy, w] = [context.input(0), context.input(1)];
  const { input_shape: shape, group } = context.attributes;
  const window = convolutionWindow(shape.slice(2), w.shape.slice(2), context.attributes);
  const dx = new Float64Array(elementCountOf(shape));
  convolveTransposed(layoutOf(shape, w.shape, dy.shape.slice(2), { group, window }), toNumbers(dy), toNumbers(w), dx);
  return [fromNumbers(dy.dtype, shape, dx)];
}

function evaluateWeightGradient(context: EvaluateContext<WeightGradientAttributes>): readonly Tensor[] {
  const [x, dy] = [context.input(0), context.input(1)];
  const { weight_shape: shape, group } = context.attributes;
  const window = convolutionWindow(x.shape.slice(2), shape.slice(2), context.attributes);
  const dw = new Float64Array(elementCountOf(shape));
  correlate(layoutOf(x.shape, shape, dy.shape.slice(2), { group, window }), toNumbers(x), toNumbers(dy), dw);
  return [fromNumbers(x.dtype, shape, dw)];
}

const spatialAxes = (shape: readonly unknown[]): number[] => shape.slice(2).map((_, axis) => axis + 2);

// Stride 1: dx = pad(dy, (k − 1)·d − p) ⋆ flip(wᵀ). Otherwise the transposed convolution, its end chosen to meet the input's.
function decomposeInputGradient(context: DecomposeContext<InputGradientAttributes>): readonly Value[] {
  const { builder, attributes } = context;
  const [dy, w] = [context.input(0), context.input(1)];
  const { input_shape: shape, group } = attributes;
  const window = convolutionWindow(shape.slice(2), w.shape.slice(2) as readonly number[], attributes);
  const small = dy.shape.slice(2) as readonly number[];
  const flippedPads = padsOfFlipped(shape.slice(2), small, window);
  if (flippedPads !== undefined) {
    const flipped = flippedWeight(builder, w, group);
    const common = explicitAttributes({ ...window, pads: flippedPads });
    return [builder.op('Conv', [dy, flipped], { ...common, group })];
  }
  const { ends, extra } = transposedEnds(shape.slice(2), small, window);
  const begins = window.pads.slice(0, small.length);
  // More than a stride would be no output padding of a transposed convolution: the rest is zeros.
  const inside = extra.map((each, axis) => Math.min(each, (window.strides[axis] as number) - 1));
  const dx = builder.op('ConvTranspose', [dy, w], {
    ...explicitAttributes({ ...window, pads: [...begins, ...ends] }),
    output_padding: inside,
    group,
  });
  return [paddedAtEnd(builder, dx, [0, 0, ...extra.map((each, axis) => each - (inside[axis] as number))])];
}

// Undefined where the transpose is no convolution of stride 1 with padding ≥ 0.
function padsOfFlipped(
  large: readonly number[],
  small: readonly number[],
  window: SlidingWindow,
): readonly number[] | undefined {
  if (window.strides.some((stride) => stride !== 1)) return undefined;
  const begins = large.map((_, axis) => coveredExtent(window, axis) - 1 - (window.pads[axis] as number));
  const ends = large.map((extent, axis) => extent - (small[axis] as number) + (window.pads[axis] as number));
  const pads = [...begins, ...ends];
  return pads.some((pad) => pad < 0) ? undefined : pads;
}

/** `[O, C/g, k…]` → `[C, O/g, k…]` with the kernel reversed along every spatial axis. */
function flippedWeight(builder: GraphBuilder, w: Value, group: number): Value {
  const axes = spatialAxes(w.shape);
  const repeat = (value: number): Value => builder.integers(axes.map(() => value));
  const flipped = w.shape.slice(2).every((extent) => extent === 1)
    ? w
    : builder.op('Slice', [w, repeat(-1), repeat(Number.MIN_SAFE_INTEGER), builder.integers(axes), repeat(-1)]);
  if (group === 1) return builder.op('Transpose', [flipped], { perm: [1, 0, ...axes] });
  const [filters, perGroup, ...kernel] = w.shape as [number, number, ...number[]];
  const split = builder.integers([group, filters / group, perGroup, ...kernel]);
  const swapped = builder.op('Transpose', [builder.op('Reshape', [flipped, split])], {
    perm: [0, 2, 1, ...axes.map((axis) => axis + 1)],
  });
  return builder.op('Reshape', [swapped, builder.integers([group * perGroup, filters / group, ...kernel])]);
}

function paddedAtEnd(builder: GraphBuilder, value: Value, ends: readonly number[]): Value {
  if (ends.every((each) => each === 0)) return value;
  const pads = builder.integers([...ends.map(() => 0), ...ends]);
  return builder.op('Pad', [value, pads]);
}

// dw[o,c,k] = Σ_{n,i} dy[n,o,i]·x[n,c,k·d + i·s − p]: a convolution of xᵀ by dyᵀ whose strides are the dilations and vice
// versa; the batch is its channel axis. Its further places, beyond the kernel, are cut off.
function decomposeWeightGradient(context: DecomposeContext<WeightGradientAttributes>): readonly Value[] {
  const { builder, attributes } = context;
  const [x, dy] = [context.input(0), context.input(1)];
  const { weight_shape: shape, group } = attributes;
  const window = convolutionWindow(x.shape.slice(2) as readonly number[], shape.slice(2), attributes);
  const swap = [1, 0, ...spatialAxes(shape)];
  const wide = builder.op('Conv', [batchToChannels(builder, x, group), builder.op('Transpose', [dy], { perm: swap })], {
    ...explicitAttributes({
      kernel: dy.shape.slice(2) as readonly number[],
      strides: window.dilations,
      dilations: window.strides,
      pads: window.pads,
    }),
    group,
  });
  const axes = spatialAxes(shape).filter((axis) => wide.shape[axis] !== shape[axis]);
  const places =
    axes.length === 0
      ? wide
      : builder.op('Slice', [
          wide,
          builder.integers(axes.map(() => 0)),
          builder.integers(axes.map((axis) => shape[axis] as number)),
          builder.integers(axes),
        ]);
  return [builder.op('Transpose', [places], { perm: swap })];
}

/** `[N, g·C, …]` → `[C, g·N, …]` */
function batchToChannels(builder: GraphBuilder, x: Value, group: number): Value {
  const axes = spatialAxes(x.shape);
  if (group === 1) return builder.op('Transpose', [x], { perm: [1, 0, ...axes] });
  const [batch, channels, ...spatial] = x.shape as [number, number, ...number[]];
  const perGroup = channels / group;
  const split = builder.op('Reshape', [x, builder.integers([batch, group, perGroup, ...spatial])]);
  const turned = builder.op('Transpose', [split], { perm: [2, 1, 0, ...axes.map((axis) => axis + 1)] });
  return builder.op('Reshape', [turned, builder.integers([perGroup, group * batch, ...spatial])]);
}

// dx = dy ⋆ᵀ w is linear in both: with cotangent g of dx, d(dy) = g ⋆ w and dw = Σ dy·g as in Conv.
function inputGradientGradient(context: GradientContext<InputGradientAttributes>): readonly (Value | undefined)[] {
  const { builder, input, needs, outputGradient: g } = context;
  const { input_shape: _, ...common } = context.attributes;
  const weightShape = concreteShape(input(1).shape, 'the weight');
  return [
    needs(0) ? builder.op('Conv', [g, input(1)], common) : undefined,
    needs(1) ? builder.op('ConvWeightGradient', [g, input(0)], { ...common, weight_shape: weightShape }) : undefined,
  ];
}

// dw = Σ dy·x: with cotangent g of dw, dx = dy ⋆ᵀ g and d(dy) = x ⋆ g.
function weightGradientGradient(context: GradientContext<WeightGradientAttributes>): readonly (Value | undefined)[] {
  const { builder, input, needs, outputGradient: g } = context;
  const { weight_shape: _, ...common } = context.attributes;
  const inputShape = concreteShape(input(0).shape, 'the input');
  return [
    needs(0) ? builder.op('ConvInputGradient', [input(1), g], { ...common, input_shape: inputShape }) : undefined,
    needs(1) ? builder.op('Conv', [input(0), g], common) : undefined,
  ];
}

const shapeAttribute = { kind: 'ints', required: true } as const;

/** Gradients of convolutions (own domain). */
export const convolutionGradient: OpFamily<ConvolutionGradientAttributes> = {
  /** `dx[n,c,i·s + k·d − p] += dy[n,o,i]·w[o,c,k]` */
  ConvInputGradient: {
    domain: modelwrightDomain,
    inputs: exactly(2),
    outputs: exactly(1),
    attributes: { ...convAttributes, input_shape: shapeAttribute },
    infer: inferInputGradient,
    gradient: inputGradientGradient,
    evaluate: evaluateInputGradient,
    decompose: decomposeInputGradient,
  },
  /** `dw[o,c,k] = Σ_{n,i} dy[n,o,i]·x[n,c,i·s + k·d − p]` */
  ConvWeightGradient: {
    domain: modelwrightDomain,
    inputs: exactly(2),
    outputs: exactly(1),
    attributes: { ...convAttributes, weight_shape: shapeAttribute },
    infer: inferWeightGradient,
    gradient: weightGradientGradient,
    evaluate: evaluateWeightGradient,
    decompose: decomposeWeightGradient,
  },
};

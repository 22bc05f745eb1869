import type { Value, ValueType } from '../graph/graph.js';
import type { GraphBuilder } from '../graph/graph-builder.js';
import {
  addDimensions,
  compatibleShape,
  concreteShape,
  type Dimension,
  formatShape,
  isConcrete,
  multiplyDimensions,
  type Shape,
  sameShape,
} from '../tensor/shape.js';
import { elementCountOf, fromNumbers, type Tensor, toNumbers } from '../tensor/tensor.js';
import { sumToChannels } from './channel-nodes.js';
import { type ConvolutionLayout, convolve, convolveTransposed } from './convolution-kernel.js';
import type {
  AttributeSpecification,
  DecomposeContext,
  EvaluateContext,
  GradientContext,
  InferContext,
  OpFamily,
} from './definition.js';
import { between, exactly, requireFloat } from './rules.js';
import {
  checkedWindow,
  coveredExtent,
  explicitAttributes,
  filledWindow,
  type SlidingWindow,
  sharePadding,
  windowOutput,
  withExplicitPads,
} from './window.js';

/** As in ONNX; where `strides`, `dilations`, `pads` are left out they are 1, 1, 0. */
export interface ConvAttributes {
  auto_pad: 'NOTSET' | 'SAME_UPPER' | 'SAME_LOWER' | 'VALID';
  group: number;
  kernel_shape?: readonly number[];
  strides?: readonly number[];
  dilations?: readonly number[];
  pads?: readonly number[];
}

export interface ConvTransposeAttributes extends ConvAttributes {
  output_padding?: readonly number[];
  output_shape?: readonly number[];
}

/** Attributes of the convolutions, by op. */
export interface ConvolutionAttributes {
  Conv: ConvAttributes;
  ConvTranspose: ConvTransposeAttributes;
}

/** Specification of {@link ConvAttributes}. */
export const convAttributes: { readonly [K in keyof ConvAttributes]-?: AttributeSpecification } = {
  auto_pad: { kind: 'string', default: 'NOTSET' },
  group: { kind: 'int', default: 1 },
  kernel_shape: { kind: 'ints' },
  strides: { kind: 'ints' },
  dilations: { kind: 'ints' },
  pads: { kind: 'ints' },
};

/** The window of a convolution over concrete extents, padding written out. */
export function convolutionWindow(
  spatial: readonly number[],
  kernel: readonly number[],
  attributes: ConvAttributes,
): SlidingWindow {
  return withExplicitPads(filledWindow(kernel, attributes), spatial, attributes.auto_pad);
}

/** Output shape of a convolution of `x` by `w`; also for `ConvInteger`. */
export function convolutionShape(context: InferContext<ConvAttributes>): Shape {
  const { attributes, fail } = context;
  const [x, w] = [context.input(0).shape, context.input(1).shape];
  requireSpatial(context);
  const { group } = attributes;
  const [channels, expected, filters] = [x[1] as Dimension, w[1] as Dimension, w[0] as Dimension];
  if (typeof channels === 'number' && typeof expected === 'number' && channels !== expected * group) {
    const wanted = group === 1 ? `${expected}` : `${expected * group}`;
    fail(
      `input has ${channels} channels, weight expects ${wanted} (groups = ${group}). Input ${formatShape(x)}, weight ${formatShape(w)}.`,
      { given: channels, allowed: expected * group },
    );
  }
  if (typeof filters === 'number' && filters % group !== 0) {
    fail(`${filters} filters do not divide into ${group} groups. Weight ${formatShape(w)}.`, { given: filters });
  }
  const kernel = kernelOf(context);
  const window = checkedWindow(fail, kernel, attributes);
  return [x[0] as Dimension, filters, ...windowOutput(fail, x.slice(2), window, attributes)];
}

/** Throws unless input and weight have the same rank ≥ 3 and the groups are a positive integer. */
function requireSpatial(context: InferContext<ConvAttributes>): void {
  const [x, w] = [context.input(0).shape, context.input(1).shape];
  const { group } = context.attributes;
  if (x.length < 3 || w.length !== x.length) {
    context.fail(
      `input and weight need the same rank ≥ 3 ([batch, channels, …spatial]). Input ${formatShape(x)}, weight ${formatShape(w)}.`,
      { given: x },
    );
  }
  if (!Number.isInteger(group) || group < 1) {
    context.fail(`group is ${group}; an integer ≥ 1 is needed`, { given: group }, 'invalid-attribute');
  }
}

function kernelOf(context: InferContext<ConvAttributes>): readonly number[] {
  const kernel = context.input(1).shape.slice(2);
  const declared = context.attributes.kernel_shape;
  if (declared !== undefined) {
    const fits =
      declared.length === kernel.length && kernel.every((each, i) => typeof each === 'string' || each === declared[i]);
    if (!fits) {
      context.fail(
        `kernel_shape is [${declared}], but the weight is ${formatShape(context.input(1).shape)}`,
        { given: declared, allowed: kernel },
        'invalid-attribute',
      );
    }
    return declared;
  }
  return concreteShape(kernel, 'the kernel of the weight');
}

/** Throws unless the bias, if there is one, is `[channels]`. */
function requireBias(context: InferContext<object>, channels: Dimension): void {
  const bias = context.inputs[2];
  if (bias === undefined) return;
  const fits = compatibleShape(bias.shape, [channels]);
  if (!fits) context.fail(`bias has shape ${formatShape(bias.shape)}; [${channels}] is needed`, { given: bias.shape });
}

function inferConv(context: InferContext<ConvAttributes>): readonly ValueType[] {
  requireSameFloat(context);
  const shape = convolutionShape(context);
  requireBias(context, shape[1] as Dimension);
  return [{ dtype: context.input(0).dtype, shape }];
}

function requireSameFloat(context: InferContext<object>): void {
  requireFloat(context, 0);
  const { dtype } = context.input(0);
  context.inputs.forEach((input, index) => {
    if (input !== undefined && input.dtype !== dtype) {
      context.fail(`input 0 is ${dtype}, input ${index} is ${input.dtype}`, { given: input.dtype }, 'dtype-mismatch');
    }
  });
}

/** Values of the result `[batch, channels, …]` before sums are added: zeros, or the bias in every place of its channel. */
function biasedPlanes(shape: readonly number[], bias: Float64Array | undefined): Float64Array {
  const values = new Float64Array(elementCountOf(shape));
  if (bias === undefined) return values;
  const span = elementCountOf(shape.slice(2));
  for (let at = 0, plane = 0; at < values.length; at += span, plane++) {
    values.fill(bias[plane % bias.length] as number, at, at + span);
  }
  return values;
}

function evaluateConv(context: EvaluateContext<ConvAttributes>): readonly Tensor[] {
  const [x, w] = [context.input(0), context.input(1)];
  const bias = context.inputs[2];
  const spatial = x.shape.slice(2);
  const window = convolutionWindow(spatial, w.shape.slice(2), context.attributes);
  const small = windowOutput(context.fail, spatial, window, context.attributes) as readonly number[];
  const shape = [x.shape[0] as number, w.shape[0] as number, ...small];
  const y = biasedPlanes(shape, bias && toNumbers(bias));
  convolve(
    layoutOf(x.shape, w.shape, small, { group: context.attributes.group, window }),
    toNumbers(x),
    toNumbers(w),
    y,
  );
  return [fromNumbers(x.dtype, shape, y)];
}

/** The layout between a large side `[batch, channels, …]` and the places `small`, for weights `[smallChannels, channels / group, …]`. */
export function layoutOf(
  largeShape: readonly number[],
  weightShape: readonly number[],
  small: readonly number[],
  { group, window }: { readonly group: number; readonly window: SlidingWindow },
): ConvolutionLayout {
  return {
    batch: largeShape[0] as number,
    groups: group,
    largePerGroup: weightShape[1] as number,
    smallPerGroup: (weightShape[0] as number) / group,
    large: largeShape.slice(2),
    small,
    window,
  };
}

// dx = dy ⋆ᵀ w,  dw[o,c,k] = Σ_{n,i} dy[n,o,i]·x[n,c,i·s + k·d − p],  db = Σ dy
function convGradient(context: GradientContext<ConvAttributes>): readonly (Value | undefined)[] {
  const { builder, input, needs, outputGradient: dy, attributes } = context;
  const xShape = concreteShape(input(0).shape, 'the input of Conv');
  const wShape = concreteShape(input(1).shape, 'the weight of Conv');
  const window = convolutionWindow(xShape.slice(2), wShape.slice(2), attributes);
  const common = { ...explicitAttributes(window), group: attributes.group };
  return [
    needs(0) ? builder.op('ConvInputGradient', [dy, input(1)], { ...common, input_shape: xShape }) : undefined,
    needs(1) ? builder.op('ConvWeightGradient', [input(0), dy], { ...common, weight_shape: wShape }) : undefined,
    needs(2) ? sumToChannels(builder, dy) : undefined,
  ];
}

interface TransposedWindow {
  readonly window: SlidingWindow;
  /** Spatial extents of the result. */
  readonly large: readonly Dimension[];
}

/**
 * `y = (x − 1)·s + (k − 1)·d + 1 + output_padding − p_begin − p_end`; with `SAME_*` `y = x·s`, with `output_shape` as asked;
 * the padding then follows from it.
 */
function transposedWindow(
  spatial: Shape,
  kernel: readonly number[],
  attributes: ConvTransposeAttributes,
): TransposedWindow {
  const plain = filledWindow(kernel, attributes);
  const same = attributes.auto_pad.startsWith('SAME');
  const natural = spatial.map((extent, axis) => {
    const reached = multiplyDimensions(addDimensions(extent, -1), plain.strides[axis] as number);
    return addDimensions(reached, coveredExtent(plain, axis) + (attributes.output_padding?.[axis] ?? 0));
  });
  const wanted =
    attributes.output_shape?.slice(-spatial.length) ??
    (same ? spatial.map((extent, axis) => multiplyDimensions(extent, plain.strides[axis] as number)) : undefined);
  if (wanted === undefined) {
    const rank = spatial.length;
    const large = natural.map((extent, axis) =>
      addDimensions(extent, -((plain.pads[axis] as number) + (plain.pads[axis + rank] as number))),
    );
    return { window: plain, large };
  }
  const totals = natural.map((extent, axis) => {
    const target = wanted[axis];
    return typeof extent === 'number' && typeof target === 'number' ? Math.max(0, extent - target) : 0;
  });
  return { window: { ...plain, pads: sharePadding(totals, attributes.auto_pad === 'SAME_UPPER') }, large: wanted };
}

function inferConvTranspose(context: InferContext<ConvTransposeAttributes>): readonly ValueType[] {
  requireSameFloat(context);
  requireSpatial(context);
  const [x, w] = [context.input(0).shape, context.input(1).shape];
  const { attributes, fail } = context;
  const [channels, expected] = [x[1] as Dimension, w[0] as Dimension];
  const { group } = attributes;
  if (
    typeof channels === 'number' &&
    typeof expected === 'number' &&
    (channels !== expected || channels % group !== 0)
  ) {
    fail(
      `input has ${channels} channels, weight expects ${expected} (groups = ${group}). Input ${formatShape(x)}, weight ${formatShape(w)}.`,
      { given: channels, allowed: expected },
    );
  }
  const kernel = kernelOf(context);
  checkedWindow(fail, kernel, attributes);
  const { large } = transposedWindow(x.slice(2), kernel, attributes);
  if (large.some((extent) => typeof extent === 'number' && extent < 1)) {
    fail(`the result would have the spatial shape ${formatShape(large)}: the padding takes all of it`, {
      given: large,
    });
  }
  const shape = [x[0] as Dimension, multiplyDimensions(w[1] as Dimension, group), ...large];
  requireBias(context, shape[1] as Dimension);
  return [{ dtype: context.input(0).dtype, shape }];
}

function evaluateConvTranspose(context: EvaluateContext<ConvTransposeAttributes>): readonly Tensor[] {
  const [x, w] = [context.input(0), context.input(1)];
  const bias = context.inputs[2];
  const { group } = context.attributes;
  const { window, large } = transposedWindow(x.shape.slice(2), w.shape.slice(2), context.attributes);
  const shape = [x.shape[0] as number, (w.shape[1] as number) * group, ...(large as readonly number[])];
  const y = biasedPlanes(shape, bias && toNumbers(bias));
  convolveTransposed(layoutOf(shape, w.shape, x.shape.slice(2), { group, window }), toNumbers(x), toNumbers(w), y);
  return [fromNumbers(x.dtype, shape, y)];
}

// The transpose of a convolution from y to x by the same weight: dx = dy ⋆ w, dw[c,o,k] = Σ_{n,i} x[n,c,i]·dy[n,o,i·s + k·d − p]
function convTransposeGradient(context: GradientContext<ConvTransposeAttributes>): readonly (Value | undefined)[] {
  const { builder, input, needs, outputGradient: dy, attributes } = context;
  const xShape = concreteShape(input(0).shape, 'the input of ConvTranspose');
  const wShape = concreteShape(input(1).shape, 'the weight of ConvTranspose');
  const { window } = transposedWindow(xShape.slice(2), wShape.slice(2), attributes);
  const common = { ...explicitAttributes(window), group: attributes.group };
  return [
    needs(0) ? croppedTo(builder, builder.op('Conv', [dy, input(1)], common), xShape) : undefined,
    needs(1) ? builder.op('ConvWeightGradient', [dy, input(0)], { ...common, weight_shape: wShape }) : undefined,
    needs(2) ? sumToChannels(builder, dy) : undefined,
  ];
}

// An output padding of a stride or more gives the window places that the input does not have.
function croppedTo(builder: GraphBuilder, value: Value, shape: readonly number[]): Value {
  if (sameShape(value.shape, shape)) return value;
  return builder.op('Slice', [value, builder.integers(shape.map(() => 0)), builder.integers(shape)]);
}

// SAME padding as numbers, for runtimes that do not take it together with dilations.
function withPadsWrittenOut(context: DecomposeContext<ConvAttributes>): readonly Value[] | undefined {
  const { builder, inputs, input, attributes } = context;
  const [spatial, kernel] = [input(0).shape.slice(2), input(1).shape.slice(2)];
  if (attributes.auto_pad === 'NOTSET' || !isConcrete(spatial) || !isConcrete(kernel)) return undefined;
  const window = convolutionWindow(spatial, kernel, attributes);
  return [builder.op('Conv', inputs, { ...explicitAttributes(window), group: attributes.group })];
}

/** Convolutions. */
export const convolution: OpFamily<ConvolutionAttributes> = {
  /** `y[n,o,i] = b[o] + Σ_{c,k} x[n,c,i·s + k·d − p]·w[o,c,k]` */
  Conv: {
    inputs: between(2, 3),
    outputs: exactly(1),
    attributes: convAttributes,
    infer: inferConv,
    gradient: convGradient,
    evaluate: evaluateConv,
    decompose: withPadsWrittenOut,
  },
  /** `y[n,o,i·s + k·d − p] += x[n,c,i]·w[c,o,k]`, then `+ b[o]` */
  ConvTranspose: {
    inputs: between(2, 3),
    outputs: exactly(1),
    attributes: { ...convAttributes, output_padding: { kind: 'ints' }, output_shape: { kind: 'ints' } },
    infer: inferConvTranspose,
    gradient: convTransposeGradient,
    evaluate: evaluateConvTranspose,
  },
};

import type { Value, ValueType } from '../graph/graph.js';
import { modelwrightDomain } from '../graph/graph.js';
import { concreteShape, type Dimension, formatShape, isConcrete, type Shape } from '../tensor/shape.js';
import { fromNumbers, type Tensor, toNumbers } from '../tensor/tensor.js';
import { applyTaps, applyTapsTransposed, buildTapsTransposed, isIdentity } from './axis-taps.js';
import type {
  AttributeSpecification,
  DecomposeContext,
  EvaluateContext,
  GradientContext,
  InferContext,
  OpFamily,
} from './definition.js';
import { padding } from './padding.js';
import { type ResampledAxis, resampledAxis } from './resampling.js';
import { type ResizePlan, type ResizeRequest, resizePlan } from './resize-plan.js';
import { between, exactly, forEachBroadcast, requireFloat } from './rules.js';

/** How `Resize` reads between elements. */
interface Interpolation {
  antialias: number;
  coordinate_transformation_mode:
    | 'half_pixel'
    | 'half_pixel_symmetric'
    | 'pytorch_half_pixel'
    | 'align_corners'
    | 'asymmetric'
    | 'tf_crop_and_resize';
  cubic_coeff_a: number;
  exclude_outside: number;
  mode: 'nearest' | 'linear' | 'cubic';
  nearest_mode: 'round_prefer_floor' | 'round_prefer_ceil' | 'floor' | 'ceil';
}

export interface ResizeAttributes extends Interpolation {
  axes?: readonly number[];
  extrapolation_value: number;
  keep_aspect_ratio_policy: 'stretch' | 'not_larger' | 'not_smaller';
}

export interface ResizeGradientAttributes extends Interpolation {
  input_shape: readonly number[];
  /** One number an axis. */
  scales: readonly number[];
  /** As the input of `Resize`, for every axis: starts, then ends. */
  roi?: readonly number[];
}

/** Attributes of the pad, Resize and their kin, by op. */
export interface ResizingAttributes {
  /** `(data, pads, constant_value?, axes?)` */
  Pad: { mode: 'constant' | 'reflect' | 'edge' | 'wrap' };
  /** `(x, roi?, scales?, sizes?)` */
  Resize: ResizeAttributes;
  /** Own domain: `(dy)` → gradient of `Resize` of an input of `input_shape`; `scales` as the forward pass used them. */
  ResizeGradient: ResizeGradientAttributes;
}

const interpolation: { readonly [K in keyof Interpolation]-?: AttributeSpecification } = {
  antialias: { kind: 'int', default: 0 },
  coordinate_transformation_mode: { kind: 'string', default: 'half_pixel' },
  cubic_coeff_a: { kind: 'float', default: -0.75 },
  exclude_outside: { kind: 'int', default: 0 },
  mode: { kind: 'string', default: 'nearest' },
  nearest_mode: { kind: 'string', default: 'round_prefer_floor' },
};

const heldNumbers = (held: Tensor | undefined): readonly number[] | undefined =>
  held === undefined || held.elementCount === 0 ? undefined : [...toNumbers(held)];

/** An input of no elements stands for one that is left out. */
const isGiven = (value: Value | undefined): value is Value => value !== undefined && value.shape[0] !== 0;

function inferResize(context: InferContext<ResizeAttributes>): readonly ValueType[] {
  const { dtype, shape } = context.input(0);
  const [scales, sizes] = [context.inputs[2], context.inputs[3]];
  if (isGiven(scales) === isGiven(sizes)) {
    context.fail('exactly one of scales (input 2) and sizes (input 3) is needed', {}, 'invalid-graph');
  }
  return [{ dtype, shape: resizedShape(context, shape) }];
}

function resizedShape(context: InferContext<ResizeAttributes>, shape: Shape): Shape {
  const { attributes, fail } = context;
  const scales = heldNumbers(context.constant(2));
  const sizes = isGiven(context.inputs[3]) ? context.dimensions(3) : undefined;
  if (scales !== undefined || (sizes !== undefined && isConcrete(sizes) && isConcrete(shape))) {
    return resizePlan({ shape, attributes, scales, sizes: sizes as readonly number[] | undefined, fail }).shape;
  }
  const axes = attributes.axes?.map((axis) => (axis < 0 ? axis + shape.length : axis)) ?? shape.map((_, axis) => axis);
  const keepsRatio = attributes.keep_aspect_ratio_policy !== 'stretch';
  return shape.map((extent, axis): Dimension => {
    const at = axes.indexOf(axis);
    if (at < 0) return extent;
    return (keepsRatio ? undefined : sizes?.[at]) ?? context.unknownDimension('resized');
  });
}

/** The map of each axis. */
function axesOf(plan: ResizePlan, from: readonly number[], attributes: Interpolation): readonly ResampledAxis[] {
  return from.map((extent, axis) => {
    const roi = plan.roi?.[axis];
    return resampledAxis({
      ...attributes,
      from: extent,
      to: plan.shape[axis] as number,
      scale: plan.scales[axis] as number,
      ...(roi === undefined ? {} : { roi }),
    });
  });
}

function evaluateResize(context: EvaluateContext<ResizeAttributes>): readonly Tensor[] {
  const { attributes, fail } = context;
  const x = context.input(0);
  const request: ResizeRequest = {
    shape: x.shape,
    attributes,
    scales: heldNumbers(context.inputs[2]),
    sizes: heldNumbers(context.inputs[3]),
    roi: heldNumbers(context.inputs[1]),
    fail,
  };
  const plan = resizePlan(request);
  const shape = [...x.shape];
  let values = toNumbers(x);
  const maps = axesOf(plan, x.shape, attributes);
  maps.forEach((map, axis) => {
    if (!isIdentity(map)) values = applyTaps(values, shape, axis, map);
    shape[axis] = map.to;
  });
  if (maps.some((map) => map.outside?.includes(true))) {
    values = extrapolated(values, shape, maps, attributes.extrapolation_value);
  }
  return [fromNumbers(x.dtype, shape, values)];
}

// A place that is outside along any axis shows the extrapolation value.
function extrapolated(
  values: Float64Array,
  shape: readonly number[],
  maps: readonly ResampledAxis[],
  value: number,
): Float64Array {
  const result = values.slice();
  maps.forEach((map, axis) => {
    const line = shape.map((extent, at) => (at === axis ? extent : 1));
    forEachBroadcast(shape, [line], (at, [place]) => {
      if (map.outside?.[place as number]) result[at] = value;
    });
  });
  return result;
}

function resizeGradient(context: GradientContext<ResizeAttributes>): readonly (Value | undefined)[] {
  const { builder, inputs, input, outputs, outputGradient: dy } = context;
  const { axes: _axes, extrapolation_value: _value, keep_aspect_ratio_policy: _policy, ...common } = context.attributes;
  const shape = concreteShape(input(0).shape, 'the input of Resize');
  const constant = (index: number): readonly number[] | undefined => {
    const value = inputs[index];
    return value && heldNumbers(builder.constantOf(value));
  };
  const [roi, scales, sizes] = [constant(1), constant(2), constant(3)];
  const plan = resizePlan({
    shape,
    attributes: context.attributes,
    scales,
    // Sizes that the graph computes are those of the result.
    sizes: scales === undefined ? (sizes ?? givenAxes(context, (outputs[0] as Value).shape)) : undefined,
    roi,
  });
  const flatRoi = plan.roi && [...plan.roi.map(([start]) => start), ...plan.roi.map(([, end]) => end)];
  return [
    builder.op('ResizeGradient', [dy], {
      ...common,
      input_shape: shape,
      scales: plan.scales,
      ...(flatRoi === undefined ? {} : { roi: flatRoi }),
    }),
  ];
}

function givenAxes({ attributes }: GradientContext<ResizeAttributes>, shape: Shape): readonly number[] {
  const extents = concreteShape(shape, 'the result of Resize');
  return attributes.axes?.map((axis) => extents.at(axis) as number) ?? extents;
}

function inferResizeGradient(context: InferContext<ResizeGradientAttributes>): readonly ValueType[] {
  requireFloat(context, 0);
  const { dtype, shape } = context.input(0);
  const { input_shape, scales } = context.attributes;
  if (shape.length !== input_shape.length || scales.length !== shape.length) {
    context.fail(
      `gradient ${formatShape(shape)}, input ${formatShape(input_shape)} and scales [${scales}] differ in rank`,
    );
  }
  return [{ dtype, shape: input_shape }];
}

function gradientAxes(attributes: ResizeGradientAttributes, shape: readonly number[]): readonly ResampledAxis[] {
  const { input_shape, scales, roi } = attributes;
  const pairs = roi && shape.map((_, axis) => [roi[axis], roi[axis + shape.length]] as [number, number]);
  return axesOf({ shape, scales, ...(pairs === undefined ? {} : { roi: pairs }) }, input_shape, attributes);
}

function evaluateResizeGradient(context: EvaluateContext<ResizeGradientAttributes>): readonly Tensor[] {
  const dy = context.input(0);
  const shape = [...dy.shape];
  let values = toNumbers(dy);
  gradientAxes(context.attributes, dy.shape).forEach((map, axis) => {
    if (!isIdentity(map)) values = applyTapsTransposed(values, shape, axis, map);
    shape[axis] = map.from;
  });
  return [fromNumbers(dy.dtype, shape, values)];
}

function decomposeResizeGradient(context: DecomposeContext<ResizeGradientAttributes>): readonly Value[] {
  const { builder, input, attributes } = context;
  const shape = concreteShape(input(0).shape, 'the gradient of Resize');
  const maps = gradientAxes(attributes, shape);
  const blocks = maps.map(blockOf);
  if (blocks.every((block) => block !== undefined)) return [sumOfBlocks(context, blocks)];
  const dx = maps.reduce(
    (gradient, map, axis) => (isIdentity(map) ? gradient : buildTapsTransposed(builder, gradient, axis, map)),
    input(0),
  );
  return [dx];
}

/** How often each element is repeated, if that is all the map does. */
function blockOf({ from, to, taps, indices, weights }: ResampledAxis): number | undefined {
  const block = to / from;
  if (taps !== 1 || !Number.isInteger(block)) return undefined;
  return indices.every((index, at) => index === Math.floor(at / block) && weights[at] === 1) ? block : undefined;
}

// Repetition of whole elements: [.., n·k, ..] → [.., n, k, ..], summed over every k
function sumOfBlocks(
  { builder, input, attributes }: DecomposeContext<ResizeGradientAttributes>,
  blocks: readonly number[],
): Value {
  const split = attributes.input_shape.flatMap((extent, axis) =>
    blocks[axis] === 1 ? [extent] : [extent, blocks[axis] as number],
  );
  const axes: number[] = [];
  let at = 0;
  for (const block of blocks) {
    at += 1;
    if (block !== 1) axes.push(at++);
  }
  if (axes.length === 0) return builder.op('Identity', [input(0)]);
  const parts = builder.op('Reshape', [input(0), builder.integers(split)]);
  return builder.op('ReduceSum', [parts, builder.integers(axes)], { keepdims: 0 });
}

/** Pad, Resize and their kin. */
export const resizing: OpFamily<ResizingAttributes> = {
  ...padding,
  /** Resamples every axis: `y[o] = Σ_i kernel(i − source(o))·x[i]`. */
  Resize: {
    inputs: between(1, 4),
    outputs: exactly(1),
    attributes: {
      ...interpolation,
      axes: { kind: 'ints' },
      extrapolation_value: { kind: 'float', default: 0 },
      keep_aspect_ratio_policy: { kind: 'string', default: 'stretch' },
    },
    infer: inferResize,
    gradient: resizeGradient,
    evaluate: evaluateResize,
  },
  /** The transpose of `Resize`: `dx[i] = Σ_o kernel(i − source(o))·dy[o]`. */
  ResizeGradient: {
    domain: modelwrightDomain,
    inputs: exactly(1),
    outputs: exactly(1),
    attributes: {
      ...interpolation,
      input_shape: { kind: 'ints', required: true },
      scales: { kind: 'floats', required: true },
      roi: { kind: 'floats' },
    },
    infer: inferResizeGradient,
    gradient: 'not-differentiable',
    evaluate: evaluateResizeGradient,
    decompose: decomposeResizeGradient,
  },
};

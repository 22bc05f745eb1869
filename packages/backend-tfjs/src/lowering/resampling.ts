import { castTensor, evaluateNodeOn, type Node, type OpAttributes, Tensor } from '@modelwright/core';
import type { TensorInfo } from '../device/tfjs-core.js';
import { countOf, type KernelLowering, kernel, type NodeOf, type StepScope, takesAt } from './lowering.js';
import { fromFront } from './shapes.js';

type Interpolation = Pick<
  OpAttributes['Resize'],
  'antialias' | 'coordinate_transformation_mode' | 'cubic_coeff_a' | 'exclude_outside' | 'mode' | 'nearest_mode'
>;

/** Which elements of an axis make one of the resized axis: `y[i] = Σ weight·x[from]`. */
interface Taps {
  readonly extent: number;
  readonly from: Int32Array;
  readonly to: Int32Array;
  readonly weights: Float32Array;
}

/** One axis of a resampling; undefined where it stays. */
type AxisTaps = Taps | undefined;

// An axis this long has a matrix that is too large to find its taps in.
const longestAxis = 2048;

/** `Resize` of any mode but cropping: one axis after another, which is what interpolation is. */
export const resize: KernelLowering<'Resize'> = kernel((node) => {
  const { attributes } = node;
  const isCropped = attributes.coordinate_transformation_mode === 'tf_crop_and_resize';
  if (isCropped || attributes.keep_aspect_ratio_policy !== 'stretch' || !takesAt(node, 0, 'float32')) return undefined;
  const cache = new TapsCache(attributes);
  return (scope) => {
    const { shape } = scope.held(0);
    const axes = attributes.axes?.map((axis) => fromFront(axis, shape.length)) ?? shape.map((_, axis) => axis);
    const scales = given(scope, 2);
    const sizes = given(scope, 3);
    const plan = shape.map((extent, axis): AxisTaps => {
      const index = axes.indexOf(axis);
      if (index < 0) return undefined;
      return cache.get(extent, scales?.[index] ?? (sizes?.[index] as number) / extent);
    });
    if (shape.some((extent) => extent > longestAxis) || scope.memory === undefined) return slowly(node, scope);
    const resized = plan.reduce<TensorInfo>((x, taps, axis) => resampled(scope, x, { axis, taps }), scope.device(0));
    return resized === scope.device(0) ? scope.held(0) : resized;
  };
});

/** The transpose of {@link resize}: every tap the other way. */
export const resizeGradient: KernelLowering<'ResizeGradient'> = kernel((node) => {
  const { input_shape: shape, scales, coordinate_transformation_mode: transform } = node.attributes;
  const isLong = shape.some((extent) => extent > longestAxis);
  // Keeping the aspect ratio rounds extents otherwise than scales do.
  const fits = shape.every((extent, axis) => {
    return Math.floor(Math.fround(extent * (scales[axis] as number))) === node.inputs[0]?.shape[axis];
  });
  if (transform === 'tf_crop_and_resize' || isLong || !fits || !takesAt(node, 0, 'float32')) return undefined;
  const cache = new TapsCache(node.attributes);
  return (scope) => {
    if (scope.memory === undefined) return slowly(node, scope);
    const gradient = shape.reduce<TensorInfo>((dy, extent, axis) => {
      const taps = cache.get(extent, scales[axis] as number);
      const back = taps && { extent, from: taps.to, to: taps.from, weights: taps.weights };
      return resampled(scope, dy, { axis, taps: back });
    }, scope.device(0));
    return gradient === scope.device(0) ? scope.held(0) : gradient;
  };
});

/** Where tensors are out of reach, core's reference computes. */
function slowly(node: NodeOf<'Resize'> | NodeOf<'ResizeGradient'>, scope: StepScope): Tensor {
  const inputs = scope.inputs.map((input) => input?.host());
  const [result] = evaluateNodeOn(node as unknown as Node, inputs);
  return castTensor(result as Tensor, 'float32');
}

function given(scope: StepScope, index: number): readonly number[] | undefined {
  const numbers = scope.inputs[index]?.numbers();
  return numbers === undefined || numbers.length === 0 ? undefined : numbers;
}

/** Taps of axes by extent and scale. */
class TapsCache {
  readonly #attributes: Interpolation;
  readonly #known = new Map<string, AxisTaps>();

  constructor(attributes: Interpolation) {
    this.#attributes = attributes;
  }

  get(extent: number, scale: number): AxisTaps {
    if (scale === 1 || extent === 0) return undefined;
    const key = `${extent}:${scale}`;
    if (!this.#known.has(key)) this.#known.set(key, tapsOf(this.#attributes, extent, scale));
    return this.#known.get(key);
  }
}

// The rows of the identity, resized by core's reference, are the columns of the axis's matrix.
function tapsOf(attributes: Interpolation, extent: number, scale: number): Taps {
  const identity = new Float64Array(extent * extent);
  for (let at = 0; at < extent; at++) identity[at * (extent + 1)] = 1;
  const { antialias, coordinate_transformation_mode, cubic_coeff_a, exclude_outside, mode, nearest_mode } = attributes;
  const interpolation = {
    antialias,
    coordinate_transformation_mode,
    cubic_coeff_a,
    exclude_outside,
    mode,
    nearest_mode,
  };
  const node = {
    op: 'Resize',
    domain: '',
    name: 'taps',
    attributes: { ...interpolation, extrapolation_value: 0, keep_aspect_ratio_policy: 'stretch' },
    inputs: [],
    outputs: [{ name: 'taps', dtype: 'float64', shape: [extent, '?'] }],
  } as const;
  const scales = new Tensor('float64', [2], Float64Array.of(1, scale));
  const [resized] = evaluateNodeOn(node, [new Tensor('float64', [extent, extent], identity), undefined, scales]);
  const { data, shape } = resized as Tensor<'float64'>;
  const columns = shape[1] as number;
  const places = Array.from(data, (_, at) => at).filter((at) => data[at] !== 0);
  return {
    extent: columns,
    from: Int32Array.from(places, (at) => Math.floor(at / columns)),
    to: Int32Array.from(places, (at) => at % columns),
    weights: Float32Array.from(places, (at) => data[at] as number),
  };
}

function resampled(scope: StepScope, x: TensorInfo, { axis, taps }: { axis: number; taps: AxisTaps }): TensorInfo {
  if (taps === undefined || scope.memory === undefined) return x;
  const outer = countOf(x.shape.slice(0, axis));
  const inner = countOf(x.shape.slice(axis + 1));
  const extent = x.shape[axis] as number;
  const result = scope.memory.allocate(x.shape.with(axis, taps.extent));
  const [source, target] = [scope.memory.view(x), scope.memory.view(result)] as [Float32Array, Float32Array];
  target.fill(0);
  for (let part = 0; part < outer; part++) {
    addTaps(source, target, { taps, inner, from: part * extent * inner, to: part * taps.extent * inner });
  }
  return result;
}

function addTaps(
  source: Float32Array,
  target: Float32Array,
  place: { readonly taps: Taps; readonly inner: number; readonly from: number; readonly to: number },
): void {
  const { taps, inner, from, to } = place;
  for (let tap = 0; tap < taps.weights.length; tap++) {
    const weight = taps.weights[tap] as number;
    const [read, write] = [from + (taps.from[tap] as number) * inner, to + (taps.to[tap] as number) * inner];
    for (let at = 0; at < inner; at++) {
      target[write + at] = (target[write + at] as number) + weight * (source[read + at] as number);
    }
  }
}

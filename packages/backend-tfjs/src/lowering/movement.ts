import type { OpName } from '@modelwright/core';
import type { DeviceDType, TensorInfo } from '../device/tfjs-core.js';
import { copyBlock } from './copy-block.js';
import { expand } from './elementwise.js';
import {
  countOf,
  host,
  type KernelLowering,
  kernel,
  type LoweringFamily,
  type NodeOf,
  type StepScope,
  takesAt,
} from './lowering.js';
import { resize, resizeGradient } from './resampling.js';
import { fromFront, knownShape, optionalNumbers, reshapedShape, squeezedShape, unsqueezedShape } from './shapes.js';

const movable = ['float32', 'int32', 'bool'] as const;

/** Another shape for the same elements. */
function reshaping<N extends OpName>(
  shapeOf: (scope: StepScope, node: NodeOf<N>, from: readonly number[]) => readonly number[],
): KernelLowering<N> {
  return kernel<N>((node) => {
    if (!takesAt(node, 0, ...movable)) return undefined;
    const known = knownShape(node.outputs[0]?.shape ?? []);
    return (scope) => scope.reshape(scope.device(0), known ?? shapeOf(scope, node, scope.held(0).shape));
  });
}

interface SliceAxis {
  readonly axis: number;
  readonly start: number;
  readonly end: number;
  readonly step: number;
}

/** The ranges of a `Slice` with bounds clamped, as ONNX has it. */
export function sliceAxes(
  shape: readonly number[],
  given: {
    readonly starts: readonly number[];
    readonly ends: readonly number[];
    readonly axes: readonly number[] | undefined;
    readonly steps: readonly number[] | undefined;
  },
): readonly SliceAxis[] {
  return given.starts.map((from, index) => {
    const axis = fromFront(given.axes?.[index] ?? index, shape.length);
    const step = given.steps?.[index] ?? 1;
    const extent = shape[axis] as number;
    const clamp = (at: number): number => {
      const counted = at < 0 ? at + extent : at;
      return step > 0 ? Math.min(Math.max(counted, 0), extent) : Math.min(Math.max(counted, -1), extent - 1);
    };
    return { axis, start: clamp(from), end: clamp(given.ends[index] as number), step };
  });
}

// Backward ranges are turned round first, strided ones taken by the strided kernel, which knows float32 only.
function sliceTensor(scope: StepScope, x: TensorInfo, ranges: readonly SliceAxis[]): TensorInfo {
  const backward = ranges.filter(({ step }) => step < 0);
  const turned = backward.length === 0 ? x : scope.run('Reverse', { x }, { dims: backward.map(({ axis }) => axis) });
  const begin = x.shape.map(() => 0);
  const end = [...x.shape];
  const strides = x.shape.map(() => 1);
  for (const { axis, start, end: stop, step } of ranges) {
    const extent = x.shape[axis] as number;
    begin[axis] = step < 0 ? extent - 1 - start : start;
    end[axis] = Math.max(begin[axis] as number, step < 0 ? extent - 1 - stop : stop);
    strides[axis] = Math.abs(step);
  }
  const size = begin.map((at, axis) => Math.ceil(((end[axis] as number) - at) / (strides[axis] as number)));
  if (size.includes(0)) return scope.run('Fill', {}, { shape: size, value: 0, dtype: x.dtype });
  if (size.every((extent, axis) => extent === turned.shape[axis])) return turned;
  if (strides.every((step) => step === 1)) return blockOf(scope, turned, begin, size);
  const masks = { beginMask: 0, endMask: 0, ellipsisMask: 0, newAxisMask: 0, shrinkAxisMask: 0 };
  return scope.run('StridedSlice', { x: turned }, { begin, end, strides, ...masks });
}

/** A part of a tensor. The kernel of wasm would copy the whole of it first. */
function blockOf(scope: StepScope, x: TensorInfo, begin: readonly number[], size: readonly number[]): TensorInfo {
  if (scope.memory === undefined) return scope.run('Slice', { x }, { begin: [...begin], size: [...size] });
  const part = scope.memory.allocate(size, x.dtype as DeviceDType);
  copyBlock(scope.memory.view(x), scope.memory.view(part), { shape: x.shape, begin, size });
  return part;
}

const slice: KernelLowering<'Slice'> = kernel((node) => {
  if (!takesAt(node, 0, 'float32')) return undefined;
  const rank = node.inputs[0]?.shape.length ?? 0;
  if (rank > 4) return undefined;
  return (scope) => {
    const x = scope.device(0);
    const ranges = sliceAxes(x.shape, {
      starts: scope.held(1).numbers(),
      ends: scope.held(2).numbers(),
      axes: optionalNumbers(scope, 3),
      steps: optionalNumbers(scope, 4),
    });
    const result = sliceTensor(scope, x, ranges);
    return result === x ? scope.held(0) : result;
  };
});

const split: KernelLowering<'Split'> = kernel((node) => {
  if (!takesAt(node, 0, 'float32', 'int32')) return undefined;
  return (scope) => {
    const x = scope.device(0);
    const axis = fromFront(node.attributes.axis, x.shape.length);
    const sizes = optionalNumbers(scope, 1) ?? evenParts(x.shape[axis] as number, node.outputs.length);
    if (sizes.length === 1) return scope.held(0);
    if (sizes.includes(0) || scope.memory !== undefined)
      return sizes.map((size, index) => partOf(scope, { x, axis, sizes, index, size }));
    return scope.runAll('SplitV', { x }, { numOrSizeSplits: [...sizes], axis });
  };
});

function partOf(
  scope: StepScope,
  part: {
    readonly x: TensorInfo;
    readonly axis: number;
    readonly sizes: readonly number[];
    readonly index: number;
    readonly size: number;
  },
): TensorInfo {
  const { x, axis, sizes, index, size } = part;
  const shape = x.shape.with(axis, size);
  if (size === 0) return scope.run('Fill', {}, { shape, value: 0, dtype: x.dtype });
  const begin = x.shape.map((_, at) => (at === axis ? countBefore(sizes, index) : 0));
  return blockOf(scope, x, begin, shape);
}

function countBefore(sizes: readonly number[], index: number): number {
  return sizes.slice(0, index).reduce((sum, size) => sum + size, 0);
}

function evenParts(extent: number, parts: number): readonly number[] {
  const size = Math.ceil(extent / parts);
  return Array.from({ length: parts }, (_, index) => Math.max(0, Math.min(size, extent - index * size)));
}

const pad: KernelLowering<'Pad'> = kernel((node) => {
  const { mode } = node.attributes;
  const rank = node.inputs[0]?.shape.length ?? 0;
  if (!takesAt(node, 0, 'float32') || rank === 0 || rank > 4 || (mode !== 'constant' && mode !== 'reflect'))
    return undefined;
  return (scope) => {
    const x = scope.device(0);
    const pads = scope.held(1).numbers();
    const axes = optionalNumbers(scope, 3) ?? x.shape.map((_, axis) => axis);
    const paddings = x.shape.map((): [number, number] => [0, 0]);
    axes.forEach((axis, index) => {
      paddings[fromFront(axis, rank)] = [pads[index] as number, pads[index + axes.length] as number];
    });
    const cut = cropped(scope, x, paddings);
    const added = paddings.map(([before, after]): [number, number] => [Math.max(before, 0), Math.max(after, 0)]);
    if (mode === 'reflect') return scope.run('MirrorPad', { x: cut }, { paddings: added, mode: 'reflect' });
    return scope.run('PadV2', { x: cut }, { paddings: added, constantValue: scope.inputs[2]?.numbers()[0] ?? 0 });
  };
});

/** Negative padding cuts. */
function cropped(scope: StepScope, x: TensorInfo, paddings: readonly (readonly [number, number])[]): TensorInfo {
  if (paddings.every(([before, after]) => before >= 0 && after >= 0)) return x;
  const begin = paddings.map(([before]) => Math.max(-before, 0));
  const size = x.shape.map(
    (extent, axis) => extent - (begin[axis] as number) - Math.max(-(paddings[axis]?.[1] as number), 0),
  );
  return blockOf(scope, x, begin, size);
}

/** Movement of elements. */
export const movementLowerings: LoweringFamily<
  | 'Reshape'
  | 'Flatten'
  | 'Squeeze'
  | 'Unsqueeze'
  | 'Transpose'
  | 'Concat'
  | 'Split'
  | 'Slice'
  | 'Expand'
  | 'Tile'
  | 'DepthToSpace'
  | 'SpaceToDepth'
  | 'ReverseSequence'
  | 'Pad'
  | 'Resize'
  | 'ResizeGradient'
> = {
  Reshape: reshaping((scope, { attributes }, from) =>
    reshapedShape(from, scope.held(1).numbers(), attributes.allowzero === 1),
  ),
  Flatten: reshaping((_, { attributes }, from) => {
    const axis = attributes.axis < 0 ? attributes.axis + from.length : attributes.axis;
    return [countOf(from.slice(0, axis)), countOf(from.slice(axis))];
  }),
  Squeeze: reshaping((scope, _, from) => squeezedShape(from, optionalNumbers(scope, 1))),
  Unsqueeze: reshaping((scope, _, from) => unsqueezedShape(from, scope.held(1).numbers())),
  Transpose: kernel((node) => {
    if (!takesAt(node, 0, ...movable)) return undefined;
    return (scope) => {
      const x = scope.device(0);
      const perm = node.attributes.perm ?? x.shape.map((_, axis) => x.shape.length - 1 - axis);
      return scope.run('Transpose', { x }, { perm: [...perm] });
    };
  }),
  Concat: kernel((node) => {
    if (!takesAt(node, 0, ...movable)) return undefined;
    return (scope) => {
      const parts = node.inputs.map((_, index) => scope.device(index));
      if (parts.length === 1) return scope.held(0);
      return scope.run('Concat', parts, { axis: fromFront(node.attributes.axis, parts[0]?.shape.length ?? 0) });
    };
  }),
  Split: split,
  Slice: slice,
  Expand: kernel((node) => {
    if (!takesAt(node, 0, 'float32', 'int32')) return undefined;
    return (scope) => {
      const x = scope.device(0);
      const wanted = scope.held(1).numbers();
      const rank = Math.max(wanted.length, x.shape.length);
      const [from, to] = [x.shape, wanted].map((shape) => [
        ...new Array<number>(rank - shape.length).fill(1),
        ...shape,
      ]);
      const shape = (from as number[]).map((extent, axis) => (extent === 1 ? (to?.[axis] as number) : extent));
      const expanded = expand(scope, x, shape);
      return expanded === x ? scope.held(0) : expanded;
    };
  }),
  Tile: kernel((node) => {
    if (!takesAt(node, 0, 'float32', 'int32') || node.inputs[0]?.shape.length === 0) return undefined;
    return (scope) => {
      const reps = scope.held(1).numbers();
      const x = scope.device(0);
      if (reps.includes(0)) {
        const shape = x.shape.map((extent, axis) => extent * (reps[axis] as number));
        return scope.run('Fill', {}, { shape, value: 0, dtype: x.dtype });
      }
      return scope.run('Tile', { x }, { reps });
    };
  }),
  DepthToSpace: 'decompose',
  SpaceToDepth: 'decompose',
  ReverseSequence: host('tfjs has no such kernel'),
  Pad: pad,
  Resize: resize,
  ResizeGradient: resizeGradient,
};

import type { ResizeAttributes } from '../ops/resizing.js';
import { type CaseInput, floats, given, type OpCase, random, scalar, vector } from './case.js';

const modes = ['constant', 'edge', 'reflect', 'wrap'] as const;

interface PadCase {
  readonly name: string;
  readonly shape: readonly number[];
  readonly pads: readonly number[];
  readonly axes?: readonly number[];
}

const pads: readonly PadCase[] = [
  { name: '1d', shape: [5], pads: [2, 3] },
  { name: '2d', shape: [3, 4], pads: [1, 0, 2, 3] },
  { name: '2d cut', shape: [4, 5], pads: [-1, 2, 0, -2] },
  { name: 'both at one axis', shape: [2, 6], pads: [0, -2, 0, 3] },
  { name: '4d axes', shape: [2, 1, 3, 3], pads: [1, 2, 1, 0], axes: [2, -1] },
  { name: 'nothing', shape: [2, 3], pads: [0, 0, 0, 0] },
];

const padCases: readonly OpCase[] = pads.flatMap(({ name, shape, pads: given, axes }) =>
  modes.map(
    (mode): OpCase => ({
      id: `resizing/Pad/${name} ${mode}`,
      op: 'Pad',
      inputs: [floats(shape), vector(given), undefined, axes && vector(axes)],
      attributes: { mode },
      differentiable: [0],
      accumulation: 4,
    }),
  ),
);

const otherPads: readonly OpCase[] = [
  {
    id: 'resizing/Pad/value',
    op: 'Pad',
    inputs: [floats([2, 3]), vector([1, -1, 0, 2]), floats([])],
    differentiable: [0, 2],
  },
  { id: 'resizing/Pad/fed pads', op: 'Pad', inputs: [floats([2, 3]), given('int64', [1, 0, 0, 2])] },
  { id: 'resizing/Pad/empty to full', op: 'Pad', inputs: [floats([0, 2]), vector([1, 0, 1, 0]), scalar('float32', 3)] },
  { id: 'resizing/Pad/scalar', op: 'Pad', inputs: [floats([]), vector([])] },
  {
    id: 'resizing/Pad/int64',
    op: 'Pad',
    inputs: [random('int64', [2, 3]), vector([1, 1, 0, 2]), scalar('int64', 7)],
  },
  {
    id: 'resizing/Pad/int32 reflect',
    op: 'Pad',
    inputs: [random('int32', [4]), vector([2, 3])],
    attributes: { mode: 'reflect' },
  },
  { id: 'resizing/Pad/bool', op: 'Pad', inputs: [random('bool', [2, 2]), vector([1, 0, 0, 1]), scalar('bool', true)] },
  { id: 'resizing/Pad/float16', op: 'Pad', inputs: [random('float16', [2, 2]), vector([0, 1, 1, 0])] },
  { id: 'resizing/Pad/large', op: 'Pad', inputs: [floats([4, 3, 28, 28]), vector([0, 0, 2, 2, 0, 0, 2, 2])] },
];

interface ResizeCase {
  readonly name: string;
  readonly shape: readonly number[];
  readonly scales?: readonly number[];
  readonly sizes?: readonly number[];
  readonly attributes?: Partial<ResizeAttributes>;
}

const coordinateModes = [
  'half_pixel',
  'half_pixel_symmetric',
  'pytorch_half_pixel',
  'align_corners',
  'asymmetric',
] as const;

const byCoordinates: readonly ResizeCase[] = coordinateModes.flatMap((coordinate_transformation_mode) =>
  (['nearest', 'linear', 'cubic'] as const).flatMap((mode): readonly ResizeCase[] => [
    {
      name: `${mode} ${coordinate_transformation_mode} up`,
      shape: [1, 1, 3, 4],
      scales: [1, 1, 2, 1.5],
      attributes: { mode, coordinate_transformation_mode },
    },
    {
      name: `${mode} ${coordinate_transformation_mode} down`,
      shape: [1, 2, 5, 4],
      scales: [1, 1, 0.625, 0.5],
      attributes: { mode, coordinate_transformation_mode },
    },
  ]),
);

const resizes: readonly ResizeCase[] = [
  ...byCoordinates,
  ...(['round_prefer_floor', 'round_prefer_ceil', 'floor', 'ceil'] as const).map(
    (nearest_mode): ResizeCase => ({
      name: `nearest ${nearest_mode}`,
      shape: [1, 1, 4, 3],
      sizes: [1, 1, 7, 5],
      attributes: { nearest_mode },
    }),
  ),
  {
    name: 'nearest doubled as UpSampling does',
    shape: [1, 2, 3, 2],
    scales: [1, 1, 2, 3],
    attributes: { coordinate_transformation_mode: 'asymmetric', nearest_mode: 'floor' },
  },
  { name: 'linear sizes', shape: [1, 1, 4, 5], sizes: [1, 1, 3, 8], attributes: { mode: 'linear' } },
  { name: 'linear 1d', shape: [6], scales: [2], attributes: { mode: 'linear' } },
  { name: 'linear 3d', shape: [1, 1, 2, 3, 2], scales: [1, 1, 2, 1, 1.5], attributes: { mode: 'linear' } },
  {
    name: 'linear to one place',
    shape: [1, 1, 3, 3],
    sizes: [1, 1, 1, 1],
    attributes: { mode: 'linear', coordinate_transformation_mode: 'align_corners' },
  },
  { name: 'axes', shape: [1, 4, 3, 2], sizes: [6, 5], attributes: { mode: 'linear', axes: [2, 1] } },
  {
    name: 'cubic without what is outside',
    shape: [1, 1, 4, 4],
    scales: [1, 1, 0.8, 1.5],
    attributes: { mode: 'cubic', exclude_outside: 1, cubic_coeff_a: -0.5 },
  },
  {
    name: 'linear antialiased',
    shape: [1, 1, 6, 5],
    scales: [1, 1, 0.5, 0.4],
    attributes: { mode: 'linear', antialias: 1 },
  },
  { name: 'cubic antialiased', shape: [1, 1, 6, 5], sizes: [1, 1, 3, 2], attributes: { mode: 'cubic', antialias: 1 } },
  {
    name: 'not larger',
    shape: [4, 6],
    sizes: [6, 6],
    attributes: { mode: 'linear', keep_aspect_ratio_policy: 'not_larger' },
  },
  { name: 'not smaller', shape: [3, 4], sizes: [5, 5], attributes: { keep_aspect_ratio_policy: 'not_smaller' } },
];

const constantFloats = (values: readonly number[]): CaseInput => ({ ...given('float32', values), constant: true });

const resizeCases: readonly OpCase[] = resizes.map(({ name, shape, scales, sizes, attributes = {} }) => ({
  id: `resizing/Resize/${name}`,
  op: 'Resize',
  inputs: [floats(shape), undefined, scales && constantFloats(scales), sizes && vector(sizes)],
  attributes,
  differentiable: [0],
  accumulation: 16,
}));

const otherResizes: readonly OpCase[] = [
  {
    id: 'resizing/Resize/crop',
    op: 'Resize',
    inputs: [floats([1, 1, 4, 4]), constantFloats([0, 0, 0.2, 0.3, 1, 1, 0.8, 0.9]), undefined, vector([1, 1, 3, 5])],
    attributes: { mode: 'linear', coordinate_transformation_mode: 'tf_crop_and_resize' },
    differentiable: [0],
    accumulation: 16,
  },
  {
    id: 'resizing/Resize/crop to the same extent',
    op: 'Resize',
    inputs: [floats([1, 1, 4, 4]), constantFloats([0, 0, 0.2, 0.3, 1, 1, 0.8, 0.9]), undefined, vector([1, 1, 3, 4])],
    attributes: { mode: 'linear', coordinate_transformation_mode: 'tf_crop_and_resize' },
    accumulation: 16,
  },
  {
    id: 'resizing/Resize/crop beyond the edges',
    op: 'Resize',
    inputs: [floats([1, 1, 4, 4]), constantFloats([0, 0, 0.2, -0.3, 1, 1, 0.8, 1.1]), undefined, vector([1, 1, 3, 5])],
    attributes: { mode: 'linear', coordinate_transformation_mode: 'tf_crop_and_resize', extrapolation_value: 9 },
    differentiable: [0],
    accumulation: 16,
  },
  {
    id: 'resizing/Resize/uint8',
    op: 'Resize',
    inputs: [random('uint8', [1, 1, 3, 3]), undefined, constantFloats([1, 1, 2, 2])],
  },
  {
    id: 'resizing/Resize/float16',
    op: 'Resize',
    inputs: [random('float16', [1, 1, 3, 3]), undefined, constantFloats([1, 1, 2, 2])],
  },
];

const gradientCases: readonly OpCase[] = resizes
  .filter(({ scales, attributes }) => scales !== undefined && attributes?.axes === undefined)
  .map(({ name, shape, scales = [], attributes = {} }) => ({
    id: `resizing/ResizeGradient/${name}`,
    op: 'ResizeGradient',
    inputs: [floats(shape.map((extent, axis) => Math.floor(extent * (scales[axis] as number))))],
    attributes: { ...attributes, input_shape: shape, scales },
    accumulation: 32,
  }));

/** Padding and resampling. */
export const resizingCases: readonly OpCase[] = [
  ...padCases,
  ...otherPads,
  ...resizeCases,
  ...otherResizes,
  ...gradientCases,
  {
    id: 'resizing/ResizeGradient/long axis',
    op: 'ResizeGradient',
    inputs: [floats([2, 1200])],
    attributes: { mode: 'linear', input_shape: [2, 600], scales: [1, 2] },
    accumulation: 4,
  },
];

import { floats, given, type OpCase, random } from './case.js';

const shapes: readonly { readonly shape: readonly number[]; readonly axis: number }[] = [
  { shape: [3, 5], axis: -1 },
  { shape: [2, 3, 4], axis: 1 },
  { shape: [4, 2, 2], axis: 0 },
  { shape: [7], axis: -1 },
  { shape: [2, 1, 3], axis: -2 },
];

const alongAxis: readonly OpCase[] = shapes.flatMap(({ shape, axis }): readonly OpCase[] => {
  const name = `[${shape}] axis ${axis}`;
  const accumulation = 7;
  return [
    {
      id: `normalization/Softmax/${name}`,
      op: 'Softmax',
      inputs: [floats(shape)],
      attributes: { axis },
      differentiable: [0],
      accumulation,
    },
    {
      id: `normalization/LogSoftmax/${name}`,
      op: 'LogSoftmax',
      inputs: [floats(shape)],
      attributes: { axis },
      differentiable: [0],
      accumulation,
    },
    {
      id: `normalization/Hardmax/${name}`,
      op: 'Hardmax',
      inputs: [floats(shape, { distinct: true })],
      attributes: { axis },
    },
    {
      id: `normalization/LpNormalization/${name}`,
      op: 'LpNormalization',
      inputs: [floats(shape)],
      attributes: { axis, p: 2 },
      differentiable: [0],
      accumulation,
    },
    {
      id: `normalization/LpNormalization/${name} p 1`,
      op: 'LpNormalization',
      inputs: [floats(shape, { avoid: [0] })],
      attributes: { axis, p: 1 },
      differentiable: [0],
      accumulation,
    },
  ];
});

const batchShapes: readonly (readonly number[])[] = [
  [5, 3],
  [3, 2, 4],
  [2, 3, 2, 3],
  [2, 2, 2, 1, 3],
];

const batch: readonly OpCase[] = batchShapes.flatMap((shape): readonly OpCase[] => {
  const channels = [shape[1] as number];
  const name = `[${shape}]`;
  const perChannel = floats(channels);
  const variance = floats(channels, { low: 0.5, high: 2 });
  const accumulation = 12;
  return [
    {
      id: `normalization/BatchNormalization/${name}`,
      op: 'BatchNormalization',
      inputs: [floats(shape), perChannel, perChannel, perChannel, variance],
      attributes: { epsilon: 1e-3 },
      differentiable: [0, 1, 2, 3, 4],
    },
    {
      id: `normalization/BatchNormalization/training ${name}`,
      op: 'BatchNormalization',
      inputs: [floats(shape), perChannel, perChannel, perChannel, variance],
      attributes: { training_mode: 1, momentum: 0.7 },
      outputs: 3,
      differentiable: [0, 1, 2, 3, 4],
      accumulation,
    },
    {
      id: `normalization/BatchNormalizationTraining/${name}`,
      op: 'BatchNormalizationTraining',
      inputs: [floats(shape), perChannel, perChannel],
      attributes: { epsilon: 1e-3 },
      differentiable: [0, 1, 2],
      accumulation,
    },
    {
      id: `normalization/BatchNormalizationGradient/${name}`,
      op: 'BatchNormalizationGradient',
      inputs: [floats(shape), floats(shape), perChannel, perChannel, variance],
      accumulation,
    },
  ];
});

const layers: readonly {
  readonly shape: readonly number[];
  readonly axis: number;
  readonly scale: readonly number[];
}[] = [
  { shape: [3, 5], axis: -1, scale: [5] },
  { shape: [2, 3, 4], axis: -1, scale: [4] },
  { shape: [2, 3, 4], axis: 1, scale: [3, 4] },
  { shape: [2, 3, 4], axis: -2, scale: [3, 1] },
  { shape: [2, 2, 2, 3], axis: 2, scale: [2, 3] },
  { shape: [6], axis: 0, scale: [6] },
];

const layer: readonly OpCase[] = layers.flatMap(({ shape, axis, scale }): readonly OpCase[] => {
  const name = `[${shape}] axis ${axis} scale [${scale}]`;
  const accumulation = 12;
  return [
    {
      id: `normalization/LayerNormalization/${name}`,
      op: 'LayerNormalization',
      inputs: [floats(shape), floats(scale), floats(scale)],
      attributes: { axis },
      differentiable: [0, 1, 2],
      accumulation,
    },
    {
      id: `normalization/LayerNormalization/${name}, no bias`,
      op: 'LayerNormalization',
      inputs: [floats(shape), floats(scale)],
      attributes: { axis, epsilon: 0.01 },
      differentiable: [0, 1],
      accumulation,
    },
    {
      id: `normalization/LayerNormalization/${name}, all outputs`,
      op: 'LayerNormalization',
      inputs: [floats(shape), floats(scale), floats(scale)],
      attributes: { axis },
      outputs: 3,
      differentiable: [0, 1, 2],
      accumulation,
    },
    {
      id: `normalization/RMSNormalization/${name}`,
      op: 'RMSNormalization',
      inputs: [floats(shape), floats(scale)],
      attributes: { axis },
      differentiable: [0, 1],
      accumulation,
    },
  ];
});

const groups: readonly { readonly shape: readonly number[]; readonly groups: number }[] = [
  { shape: [2, 4, 3], groups: 2 },
  { shape: [1, 6, 2, 2], groups: 3 },
  { shape: [2, 3, 2, 3], groups: 1 },
  { shape: [2, 2, 2, 1, 3], groups: 2 },
];

const grouped: readonly OpCase[] = groups.flatMap(({ shape, groups: num_groups }): readonly OpCase[] => {
  const channels = [shape[1] as number];
  const accumulation = 18;
  return [
    {
      id: `normalization/GroupNormalization/[${shape}] in ${num_groups}`,
      op: 'GroupNormalization',
      inputs: [floats(shape), floats(channels), floats(channels)],
      attributes: { num_groups },
      differentiable: [0, 1, 2],
      accumulation,
    },
    {
      id: `normalization/InstanceNormalization/[${shape}]`,
      op: 'InstanceNormalization',
      inputs: [floats(shape), floats(channels), floats(channels)],
      attributes: { epsilon: 1e-3 },
      differentiable: [0, 1, 2],
      accumulation,
    },
  ];
});

const across: readonly OpCase[] = [
  ...[
    { shape: [2, 3, 2, 2], axes: [0, 2, 3] },
    { shape: [2, 3, 4], axes: [-1] },
    { shape: [3, 4], axes: [0] },
  ].map(
    ({ shape, axes }): OpCase => ({
      id: `normalization/MeanVarianceNormalization/[${shape}] over [${axes}]`,
      op: 'MeanVarianceNormalization',
      inputs: [floats(shape)],
      attributes: { axes },
      differentiable: [0],
      accumulation: 8,
    }),
  ),
  ...[
    { shape: [2, 5, 2, 2], size: 3 },
    { shape: [1, 6, 3], size: 4 },
    { shape: [2, 3], size: 5 },
    { shape: [1, 4, 2, 1, 2], size: 1 },
  ].map(
    ({ shape, size }): OpCase => ({
      id: `normalization/LRN/[${shape}] size ${size}`,
      op: 'LRN',
      inputs: [floats(shape)],
      attributes: { size, alpha: 0.3, beta: 0.6, bias: 1.5 },
      differentiable: [0],
      accumulation: size,
    }),
  ),
];

const others: readonly OpCase[] = [
  {
    id: 'normalization/Softmax/large',
    op: 'Softmax',
    inputs: [floats([40, 250], { low: -20, high: 20 })],
    accumulation: 250,
  },
  { id: 'normalization/Softmax/huge', op: 'Softmax', inputs: [given('float32', [1000, 1001, -1000, 0], [2, 2])] },
  {
    id: 'normalization/Softmax/masked by −∞',
    op: 'Softmax',
    inputs: [given('float32', [Number.NEGATIVE_INFINITY, 1, 2, Number.NEGATIVE_INFINITY], [2, 2])],
  },
  { id: 'normalization/Softmax/empty', op: 'Softmax', inputs: [floats([0, 3])] },
  { id: 'normalization/Softmax/float16', op: 'Softmax', inputs: [random('float16', [3, 5])], accumulation: 5 },
  { id: 'normalization/LogSoftmax/huge', op: 'LogSoftmax', inputs: [given('float32', [1000, 1001, -1000, 0], [2, 2])] },
  { id: 'normalization/LogSoftmax/float16', op: 'LogSoftmax', inputs: [random('float16', [3, 5])], accumulation: 5 },
  { id: 'normalization/Hardmax/ties', op: 'Hardmax', inputs: [given('float32', [1, 3, 3, 2, 2, 2], [2, 3])] },
  {
    id: 'normalization/LpNormalization/zeros',
    op: 'LpNormalization',
    inputs: [given('float32', [0, 0, 3, 4], [2, 2])],
  },
  {
    id: 'normalization/LayerNormalization/large',
    op: 'LayerNormalization',
    inputs: [floats([30, 320]), floats([320]), floats([320])],
    outputs: 3,
    accumulation: 320,
  },
  {
    id: 'normalization/LayerNormalization/float16',
    op: 'LayerNormalization',
    inputs: [random('float16', [2, 6]), random('float16', [6]), random('float16', [6])],
    accumulation: 6,
  },
  {
    id: 'normalization/BatchNormalizationTraining/large, far from zero',
    op: 'BatchNormalizationTraining',
    inputs: [floats([8, 4, 17, 17], { low: 9, high: 11 }), floats([4]), floats([4])],
    accumulation: 2312,
    tolerance: { relative: 1e-4, absolute: 1e-4, reason: 'the mean is ten times the deviation' },
  },
];

/** Normalizations. */
export const normalizationCases: readonly OpCase[] = [
  ...alongAxis,
  ...batch,
  ...layer,
  ...grouped,
  ...across,
  ...others,
];

import { GraphBuilder } from '../graph/graph-builder.js';
import type { PoolAttributes } from '../ops/pooling.js';
import { evaluateGraph } from '../reference/evaluate.js';
import { type Tensor, toNumbers } from '../tensor/tensor.js';
import { floats, given, type OpCase, random } from './case.js';
import { caseTensor } from './case-data.js';

interface Pool {
  readonly name: string;
  readonly x: readonly number[];
  readonly attributes: Partial<PoolAttributes> & Pick<PoolAttributes, 'kernel_shape'>;
}

/** Windows that meet, overlap, leave gaps, are padded, dilated and rounded up, over 1 to 3 axes. */
const pools: readonly Pool[] = [
  { name: '1d', x: [2, 2, 6], attributes: { kernel_shape: [2], strides: [2] } },
  { name: '1d overlapping', x: [1, 2, 7], attributes: { kernel_shape: [3], strides: [1] } },
  { name: '1d dilated', x: [1, 1, 9], attributes: { kernel_shape: [3], dilations: [2], pads: [1, 2] } },
  { name: '2d', x: [2, 2, 4, 4], attributes: { kernel_shape: [2, 2], strides: [2, 2] } },
  { name: '2d stride 1', x: [1, 1, 4, 5], attributes: { kernel_shape: [2, 3] } },
  {
    name: '2d overlapping padded',
    x: [1, 2, 5, 6],
    attributes: { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] },
  },
  {
    name: '2d unequal pads',
    x: [1, 1, 5, 4],
    attributes: { kernel_shape: [3, 2], strides: [2, 1], pads: [0, 1, 2, 0] },
  },
  { name: '2d gaps', x: [1, 1, 7, 8], attributes: { kernel_shape: [2, 2], strides: [3, 3] } },
  { name: '2d ceil', x: [1, 2, 5, 6], attributes: { kernel_shape: [2, 2], strides: [2, 2], ceil_mode: 1 } },
  {
    name: '2d ceil, a window would start in the end padding',
    x: [1, 1, 5, 3],
    attributes: { kernel_shape: [2, 2], strides: [2, 3], pads: [1, 0, 1, 1], ceil_mode: 1 },
  },
  {
    name: '2d ceil padded dilated',
    x: [1, 1, 6, 7],
    attributes: { kernel_shape: [2, 3], strides: [2, 2], dilations: [2, 2], pads: [1, 0, 1, 2], ceil_mode: 1 },
  },
  {
    name: '2d SAME_UPPER',
    x: [1, 1, 5, 6],
    attributes: { kernel_shape: [2, 3], strides: [2, 2], auto_pad: 'SAME_UPPER' },
  },
  {
    name: '2d SAME_LOWER',
    x: [1, 1, 5, 6],
    attributes: { kernel_shape: [2, 3], strides: [2, 2], auto_pad: 'SAME_LOWER' },
  },
  { name: '2d VALID', x: [1, 1, 5, 6], attributes: { kernel_shape: [2, 3], strides: [2, 2], auto_pad: 'VALID' } },
  {
    name: '3d',
    x: [1, 1, 4, 3, 4],
    attributes: { kernel_shape: [2, 2, 2], strides: [2, 1, 2], pads: [0, 1, 0, 0, 0, 1] },
  },
];

function poolCases({ name, x, attributes }: Pool): readonly OpCase[] {
  const accumulation = attributes.kernel_shape.reduce((a, b) => a * b, 1);
  return [
    {
      id: `pooling/MaxPool/${name}`,
      op: 'MaxPool',
      inputs: [floats(x, { distinct: true })],
      attributes,
      differentiable: [0],
    },
    {
      id: `pooling/MaxPool/${name} with indices`,
      op: 'MaxPool',
      inputs: [floats(x, { distinct: true })],
      attributes,
      outputs: 2,
    },
    {
      id: `pooling/AveragePool/${name}`,
      op: 'AveragePool',
      inputs: [floats(x)],
      attributes,
      differentiable: [0],
      accumulation,
    },
    {
      id: `pooling/AveragePool/${name}, padding counts`,
      op: 'AveragePool',
      inputs: [floats(x)],
      attributes: { ...attributes, count_include_pad: 1 },
      differentiable: [0],
      accumulation,
    },
    {
      id: `pooling/LpPool/${name}`,
      op: 'LpPool',
      inputs: [floats(x, { avoid: [0] })],
      attributes,
      differentiable: [0],
      accumulation,
    },
  ];
}

function pooled(op: 'MaxPool' | 'AveragePool', { x, attributes }: Pool, held: Tensor): Tensor {
  const builder = new GraphBuilder();
  builder.output('y', builder.op(op, [builder.input('x', 'float32', x)], attributes));
  return evaluateGraph(builder.build(), { x: held })['y'] as Tensor;
}

function poolGradientCase(pool: Pool): readonly OpCase[] {
  const { name, attributes } = pool;
  const id = `pooling/MaxPoolGradient/${name}`;
  const x = floats(pool.x, { distinct: true });
  // What was pooled must be what this input gives.
  const y = pooled('MaxPool', pool, caseTensor(x, `${id}#0`));
  return [
    {
      id,
      op: 'MaxPoolGradient',
      inputs: [x, given('float32', [...toNumbers(y)], y.shape), floats(y.shape)],
      attributes,
      differentiable: [2],
      accumulation: attributes.kernel_shape.length ** 2,
    },
    ...[0, 1].map(
      (count_include_pad): OpCase => ({
        id: `pooling/AveragePoolGradient/${name}${count_include_pad ? ', padding counts' : ''}`,
        op: 'AveragePoolGradient',
        inputs: [floats(y.shape)],
        attributes: { ...attributes, count_include_pad, input_shape: pool.x },
        differentiable: [0],
        accumulation: attributes.kernel_shape.reduce((a, b) => a * b, 1),
      }),
    ),
  ];
}

// Of equal maxima the first takes the gradient: rectified pictures are full of them.
const ties = [0, 0, 1, 1, 0, 0, 1, 1, 2, 2, 2, 0, 2, 2, 0, 0];

const others: readonly OpCase[] = [
  {
    id: 'pooling/MaxPool/ties',
    op: 'MaxPool',
    inputs: [given('float32', ties, [1, 1, 4, 4])],
    attributes: { kernel_shape: [3, 3], strides: [1, 1], pads: [1, 1, 1, 1] },
    outputs: 2,
  },
  {
    id: 'pooling/MaxPoolGradient/ties',
    op: 'MaxPoolGradient',
    inputs: [given('float32', ties, [1, 1, 4, 4]), given('float32', [0, 1, 2, 2], [1, 1, 2, 2]), floats([1, 1, 2, 2])],
    attributes: { kernel_shape: [2, 2], strides: [2, 2] },
  },
  {
    id: 'pooling/MaxPool/negative infinity',
    op: 'MaxPool',
    inputs: [
      given('float32', [Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY, -3, Number.NEGATIVE_INFINITY], [1, 1, 4]),
    ],
    attributes: { kernel_shape: [2], strides: [2] },
  },
  {
    id: 'pooling/MaxPool/int8',
    op: 'MaxPool',
    inputs: [random('int8', [1, 2, 5, 5])],
    attributes: { kernel_shape: [2, 2], strides: [2, 2] },
  },
  {
    id: 'pooling/MaxPool/uint8',
    op: 'MaxPool',
    inputs: [random('uint8', [1, 2, 5, 5])],
    attributes: { kernel_shape: [3, 3], pads: [1, 1, 1, 1] },
  },
  {
    id: 'pooling/MaxPool/column-major indices',
    op: 'MaxPool',
    inputs: [floats([2, 2, 4, 6], { distinct: true })],
    attributes: { kernel_shape: [2, 2], strides: [2, 2], storage_order: 1 },
    outputs: 2,
  },
  {
    id: 'pooling/MaxPool/float16',
    op: 'MaxPool',
    inputs: [random('float16', [1, 2, 4, 4])],
    attributes: { kernel_shape: [2, 2], strides: [2, 2] },
  },
  {
    id: 'pooling/AveragePool/float16',
    op: 'AveragePool',
    inputs: [random('float16', [1, 2, 4, 4])],
    attributes: { kernel_shape: [2, 2], strides: [2, 2] },
    accumulation: 4,
  },
  {
    id: 'pooling/MaxPool/large',
    op: 'MaxPool',
    inputs: [floats([2, 8, 28, 28], { distinct: true })],
    attributes: { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] },
  },
  ...([1, 3] as const).map(
    (p): OpCase => ({
      id: `pooling/LpPool/p = ${p}`,
      op: 'LpPool',
      inputs: [floats([1, 2, 4, 5], { avoid: [0] })],
      attributes: { kernel_shape: [2, 2], strides: [2, 1], p },
      differentiable: [0],
      accumulation: 4,
    }),
  ),
  ...([1, 2, 3] as const).map(
    (p): OpCase => ({
      id: `pooling/GlobalLpPool/p = ${p}`,
      op: 'GlobalLpPool',
      inputs: [floats([2, 3, 3, 2], { avoid: [0] })],
      attributes: { p },
      differentiable: [0],
      accumulation: 6,
    }),
  ),
  ...[
    [2, 3, 5],
    [2, 2, 3, 4],
    [1, 2, 2, 3, 2],
    [1, 2, 1, 1],
  ].flatMap((shape): readonly OpCase[] => [
    {
      id: `pooling/GlobalAveragePool/[${shape}]`,
      op: 'GlobalAveragePool',
      inputs: [floats(shape)],
      differentiable: [0],
      accumulation: 12,
    },
    {
      id: `pooling/GlobalMaxPool/[${shape}]`,
      op: 'GlobalMaxPool',
      inputs: [floats(shape, { distinct: true })],
      differentiable: [0],
    },
  ]),
  {
    id: 'pooling/MaxUnpool/2d',
    op: 'MaxUnpool',
    inputs: [floats([1, 2, 2, 2]), given('int64', [5, 7, 8, 15, 16, 19, 24, 30], [1, 2, 2, 2])],
    attributes: { kernel_shape: [2, 2], strides: [2, 2] },
    differentiable: [0],
  },
  {
    id: 'pooling/MaxUnpool/1d overlapping',
    op: 'MaxUnpool',
    inputs: [floats([1, 1, 3]), given('int64', [1, 2, 4], [1, 1, 3])],
    attributes: { kernel_shape: [3], strides: [1] },
    differentiable: [0],
  },
  {
    id: 'pooling/MaxUnpool/output shape',
    op: 'MaxUnpool',
    inputs: [
      floats([1, 1, 2, 2]),
      given('int64', [5, 7, 13, 15], [1, 1, 2, 2]),
      { ...given('int64', [1, 1, 5, 5]), constant: true },
    ],
    attributes: { kernel_shape: [2, 2], strides: [2, 2] },
    differentiable: [0],
  },
];

/** Pooling and its gradients. */
export const poolingCases: readonly OpCase[] = [
  ...pools.flatMap(poolCases),
  ...pools.flatMap(poolGradientCase),
  ...others,
];

import { readFileSync } from 'node:fs';
import { GraphBuilder, Model, tensor, type Value } from '@modelwright/core';
import {
  activation,
  add,
  batchNormalization,
  bidirectional,
  concatenate,
  conv2d,
  conv2dTranspose,
  customLayer,
  dense,
  depthwiseConv2d,
  einsumDense,
  flatten,
  globalAveragePooling2d,
  groupedQueryAttention,
  groupNormalization,
  gru,
  input,
  lambda,
  layerNormalization,
  lstm,
  maxPooling2d,
  model,
  multiHeadAttention,
  multiply,
  prelu,
  reshape,
  type SymbolicTensor,
  upSampling2d,
  zeroPadding2d,
} from '@modelwright/models';
import { readOnnx } from '@modelwright/onnx';
import { describe, expect, test } from 'vitest';
import { comparePruned, shakeWeights } from './channels.cases.js';
import type { SelectChannelsOptions } from './select-channels.js';

interface Coupling {
  readonly name: string;
  /** Without the batch. */
  readonly shape: readonly number[];
  readonly build: (x: SymbolicTensor) => SymbolicTensor;
  readonly options?: SelectChannelsOptions;
  /** Shapes of some weights afterwards. */
  readonly shapes: { readonly [weight: string]: readonly number[] };
}

const image = [8, 8, 2];
const conv = (name: string, filters: number, more: object = {}) =>
  conv2d({ name, filters, kernelSize: 3, padding: 'same', ...more });
const head = (x: SymbolicTensor): SymbolicTensor => dense({ name: 'head', units: 3 })(globalAveragePooling2d()(x));

const couplings: readonly Coupling[] = [
  {
    name: 'flatten spreads a channel over pixels',
    shape: image,
    build: (x) => dense({ name: 'head', units: 3 })(flatten()(maxPooling2d({ poolSize: 2 })(conv('a', 6)(x)))),
    shapes: { 'a.kernel': [3, 2, 3, 3], 'a.bias': [3], 'head.kernel': [48, 3] },
  },
  {
    name: 'flatten of channels first',
    shape: [2, 8, 8],
    build: (x) =>
      dense({ name: 'head', units: 3 })(
        lambda((b, y) => b.op('Flatten', [y], { axis: 1 }))(conv('a', 6, { dataFormat: 'channelsFirst' })(x)),
      ),
    shapes: { 'a.kernel': [3, 2, 3, 3], 'head.kernel': [192, 3] },
  },
  {
    name: 'residual sums, normalization and slopes',
    shape: image,
    build: (x) => {
      const stem = prelu({ name: 'slope', sharedAxes: [1, 2] })(batchNormalization({ name: 'norm' })(conv('a', 8)(x)));
      return head(add()([stem, conv('b', 8)(activation('relu')(stem))]));
    },
    shapes: {
      'a.kernel': [4, 2, 3, 3],
      'b.kernel': [4, 4, 3, 3],
      'norm.movingVariance': [4],
      'slope.alpha': [1, 1, 4],
    },
  },
  {
    name: 'depthwise convolution with two filters a channel',
    shape: image,
    build: (x) => head(depthwiseConv2d({ name: 'depth', kernelSize: 3, depthMultiplier: 2 })(conv('a', 6)(x))),
    shapes: { 'a.kernel': [3, 2, 3, 3], 'depth.depthwiseKernel': [6, 1, 3, 3], 'head.kernel': [6, 3] },
  },
  {
    name: 'few large groups give as many channels each',
    shape: image,
    build: (x) => head(conv('b', 12, { groups: 2 })(conv('a', 8)(x))),
    shapes: { 'a.kernel': [4, 2, 3, 3], 'b.kernel': [6, 2, 3, 3] },
  },
  {
    name: 'many small groups go as a whole',
    shape: image,
    build: (x) => head(conv('b', 16, { groups: 4 })(conv('a', 8)(x))),
    shapes: { 'a.kernel': [4, 2, 3, 3], 'b.kernel': [8, 2, 3, 3] },
  },
  {
    name: 'transposed convolution, resizing and padding',
    shape: image,
    build: (x) => {
      const large = conv2dTranspose({ name: 'up', filters: 6, kernelSize: 2, strides: 2 })(conv('a', 4)(x));
      return head(conv('b', 4)(zeroPadding2d({ padding: 1 })(upSampling2d()(large))));
    },
    shapes: { 'a.kernel': [2, 2, 3, 3], 'up.kernel': [2, 3, 2, 2], 'b.kernel': [2, 3, 3, 3] },
  },
  {
    name: 'concatenation keeps count of whose channels are whose',
    shape: image,
    build: (x) => {
      const [a, b] = [conv('a', 4)(x), conv('b', 6)(x)];
      return head(conv('c', 4)(concatenate()([a, b, x, a])));
    },
    shapes: { 'a.kernel': [2, 2, 3, 3], 'b.kernel': [3, 2, 3, 3], 'c.kernel': [2, 9, 3, 3] },
  },
  {
    name: 'halves of a split that gate each other',
    shape: image,
    build: (x) => {
      const halves = lambda((b, y) => {
        const [one, other] = b.node('Split', [y], { axis: 3, num_outputs: 2 }, { outputs: 2 }) as [Value, Value];
        return b.op('Mul', [one, b.op('Sigmoid', [other])]);
      });
      return head(halves(conv('a', 12)(x)));
    },
    shapes: { 'a.kernel': [6, 2, 3, 3], 'head.kernel': [3, 3] },
  },
  {
    name: 'a slice of the channels',
    shape: image,
    build: (x) => {
      const part = lambda((b, y) => b.op('Slice', [y, b.integers([3]), b.integers([100]), b.integers([-1])]));
      const a = conv('a', 8)(x);
      return head(concatenate()([part(a), a]));
    },
    shapes: { 'a.kernel': [4, 2, 3, 3] },
  },
  ...(['DCR', 'CRD'] as const).map((mode) => ({
    name: `blocks of pixels from channels and back: ${mode}`,
    shape: [2, 8, 8],
    build: (x: SymbolicTensor) => {
      const first = { dataFormat: 'channelsFirst' } as const;
      const spread = lambda((b, y) => b.op('DepthToSpace', [y], { blocksize: 2, mode }))(conv('a', 16, first)(x));
      const folded = lambda((b, y) => b.op('SpaceToDepth', [y], { blocksize: 2 }))(conv('b', 4, first)(spread));
      return dense({ name: 'head', units: 3 })(globalAveragePooling2d(first)(folded));
    },
    shapes: { 'a.kernel': [8, 2, 3, 3], 'b.kernel': [2, 2, 3, 3], 'head.kernel': [8, 3] },
  })),
  {
    name: 'integers of weights, with a scale for each channel',
    shape: [2, 8, 8],
    build: (x) => {
      const product = customLayer(({ builder }, y) => {
        const bytes = Array.from({ length: 8 * 2 * 9 }, (_, at) => ((at * 37) % 200) - 100);
        const scales = Array.from({ length: 8 }, (_, at) => 0.01 + 0.001 * at);
        const weight = builder.constant(tensor(bytes, { shape: [8, 2, 3, 3], dtype: 'int8' }), { name: 'bytes' });
        const scale = builder.constant(tensor(scales), { name: 'scales' });
        return builder.op('Conv', [y, builder.op('DequantizeLinear', [weight, scale], { axis: 0 })]);
      });
      return dense({ name: 'head', units: 3 })(globalAveragePooling2d({ dataFormat: 'channelsFirst' })(product(x)));
    },
    shapes: { 'head.kernel': [4, 3] },
  },
  {
    name: 'squeeze and excitation',
    shape: image,
    build: (x) => {
      const a = conv('a', 8)(x);
      const squeezed = dense({ name: 'up', units: 8, activation: 'sigmoid' })(
        dense({ name: 'down', units: 4, activation: 'relu' })(globalAveragePooling2d()(a)),
      );
      return head(multiply()([a, reshape({ targetShape: [1, 1, 8] })(squeezed)]));
    },
    shapes: { 'a.kernel': [4, 2, 3, 3], 'down.kernel': [4, 2], 'up.kernel': [2, 4] },
  },
  {
    name: 'groups that are normalized together go together',
    shape: image,
    build: (x) => head(groupNormalization({ name: 'norm', groups: 4 })(conv('a', 8)(x))),
    shapes: { 'a.kernel': [4, 2, 3, 3], 'norm.gamma': [4] },
  },
  {
    name: 'few groups that are normalized together, each narrower',
    shape: image,
    build: (x) => head(groupNormalization({ name: 'norm', groups: 2 })(conv('a', 12)(x))),
    options: { width: true },
    shapes: { 'a.kernel': [6, 2, 3, 3], 'norm.gamma': [6] },
  },
  {
    name: 'features of a sequence, with layer normalization',
    shape: [5, 4],
    build: (x) =>
      dense({ name: 'out', units: 2 })(layerNormalization({ name: 'norm' })(dense({ name: 'a', units: 8 })(x))),
    options: { width: true },
    shapes: { 'a.kernel': [4, 4], 'norm.gamma': [4], 'out.kernel': [4, 2] },
  },
  {
    name: 'heads of attention with projections',
    shape: [5, 8],
    build: (x) => multiHeadAttention({ name: 'mix', numHeads: 4, keyDim: 3, valueDim: 2 })(x),
    shapes: { 'mix.query.kernel': [8, 6], 'mix.value.kernel': [8, 4], 'mix.attentionOutput.kernel': [4, 8] },
  },
  {
    name: 'many heads of keys go with those that share them',
    shape: [5, 8],
    build: (x) => groupedQueryAttention({ name: 'mix', numQueryHeads: 8, numKeyValueHeads: 4, headDim: 3 })(x),
    shapes: { 'mix.query.kernel': [8, 12], 'mix.key.kernel': [8, 6], 'mix.attentionOutput.kernel': [12, 8] },
  },
  {
    name: 'one head of keys stays',
    shape: [5, 8],
    build: (x) => groupedQueryAttention({ name: 'mix', numQueryHeads: 4, numKeyValueHeads: 1, headDim: 3 })(x),
    shapes: { 'mix.query.kernel': [8, 6], 'mix.key.kernel': [8, 3], 'mix.attentionOutput.kernel': [6, 8] },
  },
  {
    name: 'attention taken apart, with queries, keys and values from one projection',
    shape: [5, 8],
    build: (x) => {
      const apart = lambda((b, y) => {
        const split = b.op('Transpose', [b.op('Reshape', [y, b.integers([0, 5, 3, 4, 2])])], { perm: [2, 0, 3, 1, 4] });
        const [q, k, v] = [0, 1, 2].map((at) => b.op('Gather', [split, b.scalar(at, 'int64')], { axis: 0 })) as [
          Value,
          Value,
          Value,
        ];
        const scores = b.op('MatMul', [q, b.op('Transpose', [k], { perm: [0, 1, 3, 2] })]);
        const mixed = b.op('MatMul', [b.op('Softmax', [scores]), v]);
        return b.op('Reshape', [b.op('Transpose', [mixed], { perm: [0, 2, 1, 3] }), b.integers([0, 0, -1])]);
      });
      return dense({ name: 'out', units: 3 })(apart(dense({ name: 'qkv', units: 24 })(x)));
    },
    shapes: { 'qkv.kernel': [8, 12], 'out.kernel': [4, 3] },
  },
  {
    name: 'units of recurrent layers',
    shape: [5, 4],
    build: (x) =>
      dense({ name: 'out', units: 2 })(
        gru({ name: 'second', units: 4 })(
          bidirectional({ name: 'first', layer: lstm({ units: 6, returnSequences: true }) })(x),
        ),
      ),
    shapes: { 'second.recurrentKernel': [1, 6, 2], 'out.kernel': [2, 2] },
  },
  {
    name: 'a sum over letters',
    shape: [5, 4],
    build: (x) =>
      einsumDense({ name: 'b', equation: 'btf,fg->btg', outputShape: [5, 3] })(
        einsumDense({ name: 'a', equation: 'btf,fg->btg', outputShape: [5, 8], biasAxes: 'g' })(x),
      ),
    shapes: { 'a.kernel': [4, 4], 'a.bias': [4], 'b.kernel': [4, 3] },
  },
];

describe('what is coupled goes together, and the rest computes the same', () => {
  for (const { name, shape, build, options, shapes } of couplings) {
    test(name, async () => {
      const x = input({ name: 'x', shape: [...shape] });
      const network = model({ inputs: x, outputs: { y: build(x) } });
      shakeWeights(network);
      const { pruned, difference, largest } = await comparePruned(
        network,
        { ratio: 0.5, ...options },
        { x: [2, ...shape] },
      );
      const weights = pruned.getWeights();
      for (const [weight, expected] of Object.entries(shapes))
        expect([weight, weights[weight]?.shape]).toEqual([weight, expected]);
      expect(largest).toBeGreaterThan(0.01);
      expect(difference / Math.max(1, largest)).toBeLessThan(1e-5);
    });
  }
});

/** Shapes computed while the graph runs, as exporters write them: `Reshape(y, Concat(Shape(y)[0], −1))`. */
test('reshapes to computed shapes', async () => {
  const builder = new GraphBuilder('computed');
  const x = builder.input('x', 'float32', ['batch', 2, 4, 4]);
  const weight = (name: string, shape: number[]) => {
    const count = shape.reduce((product, extent) => product * extent, 1);
    return builder.constant(
      tensor(
        Array.from({ length: count }, (_, at) => Math.sin(at * 3.7)),
        { shape },
      ),
      { name },
    );
  };
  const [kernel, matrix] = [weight('kernel', [6, 2, 3, 3]), weight('matrix', [24, 3])];
  const y = builder.op('Conv', [x, kernel]);
  const batch = builder.op('Unsqueeze', [
    builder.op('Gather', [builder.op('Shape', [y]), builder.scalar(0, 'int64')], { axis: 0 }),
    builder.integers([0]),
  ]);
  const flat = builder.op('Reshape', [y, builder.op('Concat', [batch, builder.integers([24])], { axis: 0 })]);
  builder.output('y', builder.op('MatMul', [flat, matrix]));
  const parameters = [kernel, matrix].map((value) => ({
    name: value.name,
    value,
    trainable: true,
    role: 'weight' as const,
  }));
  const network = new Model({ name: 'computed', graph: builder.build(), parameters });
  const { pruned, difference } = await comparePruned(network, { ratio: 0.5 }, { x: [2, 2, 4, 4] });
  expect(pruned.getWeights()['matrix']?.shape).toEqual([12, 3]);
  expect(difference).toBeLessThan(1e-5);
});

test('a file of another framework', async () => {
  const file = readFileSync(new URL('../../../fixtures/channels-torch.onnx', import.meta.url));
  const network = readOnnx(file);
  const { pruned, difference } = await comparePruned(network, { ratio: 0.5 }, { x: [2, 3, 8, 8] });
  const weights = pruned.getWeights();
  const shapes = [
    'left.0',
    'right',
    'squeeze.0',
    'gate',
    'up',
    'tokens',
    'attention.qkv',
    'attention.proj',
    'head',
  ].map((layer) => [layer, weights[`${layer}.weight`]?.shape]);
  expect(shapes).toEqual([
    ['left.0', [4, 1, 3, 3]],
    ['right', [6, 4, 3, 3]],
    ['squeeze.0', [2, 4, 1, 1]],
    ['gate', [8, 10, 1, 1]],
    ['up', [4, 3, 2, 2]],
    // What goes into a residual sum that is normalized keeps its width.
    ['tokens', [8, 3, 4, 4]],
    ['attention.qkv', [12, 8]],
    ['attention.proj', [8, 4]],
    ['head', [5, 32]],
  ]);
  expect(difference).toBeLessThan(1e-5);
});

import type { Node } from '@modelwright/core';
import type { TensorInfo } from '../device/tfjs-core.js';
import { imageWindow, type WindowAttributes } from './image-window.js';
import { matrixProduct } from './linear-algebra.js';
import type { Step, StepScope } from './lowering.js';
import { type PoolImages, scatterToMaxima } from './scatter-to-maxima.js';

type Compile = (node: Node) => Step;

interface FusedAttributes extends WindowAttributes {
  readonly activation?: 'relu';
}

function conv2d(node: Node): Step {
  const attributes = node.attributes as unknown as FusedAttributes;
  return (scope) => {
    const x = scope.device(0);
    const filter = scope.device(1);
    const { strides, dilations, pad } = imageWindow(attributes, x.shape, filter.shape);
    const common = { strides, dilations, pad, dataFormat: 'NHWC', dimRoundingMode: 'floor' };
    const bias = scope.inputs[2]?.device();
    if (bias === undefined && attributes.activation === undefined) return scope.run('Conv2D', { x, filter }, common);
    return scope.run(
      'FusedConv2D',
      { x, filter, bias },
      { ...common, activation: attributes.activation ?? 'linear', leakyreluAlpha: 0 },
    );
  };
}

function depthwise(node: Node): Step {
  const attributes = node.attributes as unknown as FusedAttributes;
  return (scope) => {
    const x = scope.device(0);
    const filter = scope.device(1);
    const { strides, dilations, pad } = imageWindow(attributes, x.shape, filter.shape);
    return scope.run('DepthwiseConv2dNative', { x, filter }, { strides, dilations, pad, dimRoundingMode: 'floor' });
  };
}

// The gradient kernel of a convolution, which is a transposed convolution: its "input" is the result here.
function convTranspose(node: Node): Step {
  const attributes = node.attributes as unknown as WindowAttributes & { readonly image: readonly number[] };
  return (scope) => {
    const dy = scope.device(0);
    const filter = scope.device(1);
    const inputShape = [dy.shape[0] as number, ...attributes.image, filter.shape[2] as number];
    const { strides, pad } = imageWindow(attributes, inputShape, filter.shape);
    return scope.run(
      'Conv2DBackpropInput',
      { dy, filter },
      { strides, pad, dataFormat: 'NHWC', dimRoundingMode: 'floor', inputShape },
    );
  };
}

function conv3d(node: Node): Step {
  const { strides, dilations, pads } = node.attributes as unknown as {
    readonly strides: readonly number[];
    readonly dilations: readonly number[];
    readonly pads: readonly number[];
  };
  return (scope) => {
    const x = scope.device(0);
    const paddings = [[0, 0], ...[0, 1, 2].map((axis) => [pads[axis] as number, pads[axis + 3] as number]), [0, 0]];
    const padded = pads.every((each) => each === 0) ? x : scope.run('PadV2', { x }, { paddings, constantValue: 0 });
    return scope.run(
      'Conv3D',
      { x: padded, filter: scope.device(1) },
      { strides, dilations, pad: 'valid', dataFormat: 'NDHWC' },
    );
  };
}

interface PoolAttributes extends WindowAttributes {
  readonly kernel_shape: readonly number[];
}

function poolAttributes(node: Node, image: readonly number[]): { [name: string]: unknown } {
  const attributes = node.attributes as unknown as PoolAttributes;
  const { strides, pad } = imageWindow(attributes, image, attributes.kernel_shape);
  return { filterSize: attributes.kernel_shape, strides, pad, dimRoundingMode: 'floor' };
}

const maxPool: Compile = (node) => (scope) => {
  const x = scope.device(0);
  return scope.run('MaxPool', { x }, poolAttributes(node, x.shape));
};

const averagePool: Compile = (node) => (scope) => {
  const x = scope.device(0);
  return scope.run('AvgPool', { x }, poolAttributes(node, x.shape));
};

const maxPoolGradient: Compile = (node) => (scope) => {
  const [x, y, dy] = [scope.device(0), scope.device(1), scope.device(2)];
  if (scope.memory === undefined)
    return scope.run('MaxPoolGrad', { dy, input: x, output: y }, poolAttributes(node, x.shape));
  // The kernel of wasm finds positive maxima only, and of equal ones the last; so it is computed here, in place.
  const attributes = node.attributes as unknown as PoolAttributes;
  const { strides, pad } = imageWindow(attributes, x.shape, attributes.kernel_shape);
  const dx = scope.memory.allocate(x.shape);
  const [input, output, gradient, result] = [x, y, dy, dx].map((each) => scope.memory?.view(each) as Float32Array);
  scatterToMaxima({ x: input, y: output, dy: gradient, dx: result } as PoolImages, {
    image: x.shape,
    places: y.shape,
    kernel: attributes.kernel_shape,
    strides,
    begins: [pad[1]?.[0] as number, pad[2]?.[0] as number],
  });
  return dx;
};

const averagePoolGradient: Compile = (node) => (scope) => {
  const shape = (node.attributes as unknown as { readonly image: readonly number[] }).image;
  // Only its shape is read.
  const input = scope.run('Fill', {}, { shape: [...shape], value: 0, dtype: 'float32' });
  return scope.run('AvgPoolGrad', { dy: scope.device(0), input }, poolAttributes(node, shape));
};

function fusedMatMul(node: Node): Step {
  const { activation = 'linear' } = node.attributes as { readonly activation?: string };
  return (scope) => {
    const [a, b, bias] = [scope.device(0), scope.device(1), scope.device(2)];
    if (scope.backendName === 'wasm' || scope.backendName === 'cpu') return fused(scope, { a, b, bias, activation });
    const sum = scope.run('Add', { a: matrixProduct(scope, a, b), b: bias });
    return activation === 'relu' ? scope.run('Relu', { x: sum }) : sum;
  };
}

function fused(
  scope: StepScope,
  { a, b, bias, activation }: { a: TensorInfo; b: TensorInfo; bias: TensorInfo; activation: string },
): TensorInfo {
  const [inner, columns] = b.shape as [number, number];
  const rows = a.shape.reduce((product, extent) => product * extent, 1) / inner;
  const product = scope.run(
    '_FusedMatMul',
    {
      a: scope.reshape(a, [1, rows, inner]),
      b: scope.reshape(b, [1, inner, columns]),
      bias: scope.reshape(bias, [columns]),
    },
    { transposeA: false, transposeB: false, activation, leakyreluAlpha: 0 },
  );
  return scope.reshape(product, [...a.shape.slice(0, -1), columns]);
}

/** Kernels by the name of the node that stands for them. */
export const imageKernels: { readonly [op: string]: Compile } = {
  Conv2d: conv2d,
  DepthwiseConv2d: depthwise,
  ConvTranspose2d: convTranspose,
  Conv3d: conv3d,
  MaxPool2d: maxPool,
  AveragePool2d: averagePool,
  MaxPool2dGradient: maxPoolGradient,
  AveragePool2dGradient: averagePoolGradient,
  FusedMatMul: fusedMatMul,
};

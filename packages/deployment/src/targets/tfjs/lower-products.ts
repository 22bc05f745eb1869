import type { Node, Value } from '@modelwright/core';
import { type Emission, range, toLast, unsupported } from './emission.js';
import type { Emit } from './emit.js';
import { turned } from './lower-arrays.js';
import { attribute } from './tensorflow-graph.js';

const product: Emit = (emission, node) => {
  const [a, b] = node.inputs as [Value, Value];
  const { graph } = emission;
  const isVector = [a, b].map(({ shape }) => shape.length === 1);
  const left = isVector[0] ? graph.add('ExpandDims', [emission.read(a), emission.integer(0)]) : emission.read(a);
  const right = isVector[1] ? graph.add('ExpandDims', [emission.read(b), emission.integer(1)]) : emission.read(b);
  const isPlain = Math.max(a.shape.length, 2) === 2 && Math.max(b.shape.length, 2) === 2;
  const result = graph.add(isPlain ? 'MatMul' : 'BatchMatMulV2', [left, right], productAttributes(isPlain), node.name);
  const added = [...(isVector[0] ? [-2] : []), ...(isVector[1] ? [-1] : [])];
  const flat = added.length === 0 ? result : graph.add('Squeeze', [result], { squeeze_dims: attribute.ints(added) });
  emission.bind(node.outputs[0] as Value, flat);
};

function productAttributes(isPlain: boolean) {
  const no = attribute.bool(false);
  const type = { T: attribute.type('float32') };
  return isPlain ? { transpose_a: no, transpose_b: no, ...type } : { adj_x: no, adj_y: no, ...type };
}

// y = α·op(A)·op(B) + β·C. Weights are turned here and now, so that no kernel has to.
const affine: Emit = (emission, node) => {
  const [a, b, c] = node.inputs as [Value, Value, Value | undefined];
  const { alpha = 1, beta = 1, transA, transB } = node.attributes as { readonly [name: string]: number | undefined };
  const { graph } = emission;
  const weight = emission.constantOf(b);
  const right =
    transB !== 1
      ? emission.read(b)
      : weight === undefined
        ? emission.transpose(emission.read(b), [1, 0])
        : graph.constant(turned(weight), b.name);
  const left = transA === 1 ? emission.transpose(emission.read(a), [1, 0]) : emission.read(a);
  const scaled = (name: string, factor: number): string =>
    factor === 1 ? name : graph.add('Mul', [name, emission.float(factor)]);
  const result = scaled(graph.add('MatMul', [left, right], productAttributes(true), node.name), alpha);
  const sum =
    c === undefined ? result : graph.add('AddV2', [result, scaled(emission.read(c), beta)], {}, `${node.name}.bias`);
  emission.bind(node.outputs[0] as Value, sum);
};

const einsum: Emit = (emission, node) => {
  const inputs = node.inputs.map((input) => emission.read(input as Value));
  const attributes = {
    equation: attribute.string(String(node.attributes['equation']).replace(/\s/g, '')),
    N: attribute.int(inputs.length),
  };
  emission.bind(node.outputs[0] as Value, emission.graph.add('Einsum', inputs, attributes, node.name));
};

/** Reduces, in the layout the image has. */
const reduction =
  (op: string): Emit =>
  (emission, node) => {
    const x = node.inputs[0] as Value;
    const output = node.outputs[0] as Value;
    const rank = x.shape.length;
    const given = emission.numbersOf(node, 1);
    const isNone = given === undefined || given.length === 0;
    if (isNone && node.attributes['noop_with_empty_axes'] === 1) return emission.bind(output, emission.read(x));
    const axes = isNone ? range(rank) : given.map((axis) => (axis + rank) % rank);
    const keeps = (node.attributes['keepdims'] ?? 1) === 1;
    const isSpatial =
      rank > 2 && emission.isLast(x) && !axes.includes(0) && !axes.includes(1) && axes.length === rank - 2;
    const places = isSpatial ? axes.map((axis) => toLast(rank).indexOf(axis)) : axes;
    const inputs = [isSpatial ? emission.readLast(x) : emission.read(x), emission.integers(places)];
    const result = emission.graph.add(op, inputs, { keep_dims: attribute.bool(keeps) }, node.name);
    // All spatial axes of an image gone, what is left is the same in both layouts.
    if (isSpatial && keeps) emission.bindLast(output, result);
    else emission.bind(output, result);
  };

const extreme =
  (op: string): Emit =>
  (emission, node) => {
    const x = node.inputs[0] as Value;
    if (node.attributes['select_last_index'] === 1) throw unsupported(node, 'it takes the last of equals');
    const axis = (Number(node.attributes['axis'] ?? 0) + x.shape.length) % x.shape.length;
    const place = emission.integer(axis);
    const found = emission.graph.add(
      op,
      [emission.read(x), place],
      { output_type: attribute.type('int32') },
      node.name,
    );
    const keeps = (node.attributes['keepdims'] ?? 1) === 1;
    emission.bind(node.outputs[0] as Value, keeps ? emission.graph.add('ExpandDims', [found, place]) : found);
  };

const top: Emit = (emission, node) => {
  const x = node.inputs[0] as Value;
  const rank = x.shape.length;
  const axis = (Number(node.attributes['axis'] ?? -1) + rank) % rank;
  const count = emission.numbersOf(node, 1)?.[0] as number;
  if (axis !== rank - 1 || (node.attributes['largest'] ?? 1) !== 1)
    throw unsupported(node, 'it is not of the largest along the last axis');
  const inputs = [emission.read(x), emission.integer(count)];
  const name = emission.graph.add('TopKV2', inputs, { sorted: attribute.bool(true) }, node.name);
  node.outputs.forEach((output, index) => {
    emission.bind(output, index === 0 ? name : `${name}:${index}`);
  });
};

const cumulativeSum: Emit = (emission, node) => {
  const [x] = node.inputs as readonly Value[];
  const axis = emission.numbersOf(node, 1)?.[0] as number;
  const attributes = {
    exclusive: attribute.bool(node.attributes['exclusive'] === 1),
    reverse: attribute.bool(node.attributes['reverse'] === 1),
  };
  const inputs = [emission.read(x as Value), emission.integer(axis)];
  emission.bind(node.outputs[0] as Value, emission.graph.add('Cumsum', inputs, attributes, node.name));
};

/** Along the last axis there are kernels; otherwise the axis is brought there. */
const softmax =
  (op: string): Emit =>
  (emission: Emission, node: Node) => {
    const x = node.inputs[0] as Value;
    const rank = x.shape.length;
    const axis = (Number(node.attributes['axis'] ?? -1) + rank) % rank;
    const output = node.outputs[0] as Value;
    if (axis === rank - 1) return emission.bind(output, emission.graph.add(op, [emission.read(x)], {}, node.name));
    const swapped = range(rank).map((each) => (each === axis ? rank - 1 : each === rank - 1 ? axis : each));
    const inner = emission.graph.add(op, [emission.transpose(emission.read(x), swapped)], {}, node.name);
    emission.bind(output, emission.transpose(inner, swapped));
  };

/** Products and reductions. */
export const productEmits: { readonly [op: string]: Emit } = {
  MatMul: product,
  Gemm: affine,
  Einsum: einsum,
  ReduceSum: reduction('Sum'),
  ReduceMean: reduction('Mean'),
  ReduceMax: reduction('Max'),
  ReduceMin: reduction('Min'),
  ReduceProd: reduction('Prod'),
  ArgMax: extreme('ArgMax'),
  ArgMin: extreme('ArgMin'),
  TopK: top,
  CumSum: cumulativeSum,
  Softmax: softmax('Softmax'),
  LogSoftmax: softmax('LogSoftmax'),
};

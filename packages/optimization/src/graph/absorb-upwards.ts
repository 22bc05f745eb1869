import { isUnknownShape, type Node, normalizeAxis, sameShape, type Value } from '@modelwright/core';
import { affineOf } from './affine-node.js';
import { spreadsOverWindows } from './passed-ops.js';
import { become } from './rewrite.js';
import { fits, reshapeSpread, type Spread, sliceSpread, spreadAlong, transposeSpread, vectorAlong } from './spread.js';
import type { Edit, WeightEdits } from './weight-edits.js';

/** A constant on its way to the weights of the nodes above it. */
interface Rising {
  readonly weights: WeightEdits;
  readonly kind: 'Mul' | 'Add';
  readonly spread: Spread;
  /** The parameter that is added: a node that has no bias takes it for one. */
  readonly from?: Value;
}

/**
 * How `value · spread` or `value + spread` becomes part of what makes `value`: of the weights of a convolution or a dense layer, or of
 * a constant that is added or multiplied already, also beyond reshapes, transposes, pooling, sums and concatenations.
 *
 * @returns the changes to make, or undefined where it cannot be done or would change what others read.
 */
export function absorbUpwards(value: Value, rising: Rising): readonly Edit[] | undefined {
  const { editor } = rising.weights;
  if (editor.soleReaderOf(value) === undefined || isUnknownShape(value.shape)) return undefined;
  if (!fits(rising.spread, value.shape)) return undefined;
  const node = editor.producerOf(value);
  if (node === undefined || node.domain !== '') return undefined;
  return intoAffine(node, rising) ?? rules[node.op]?.(node, rising);
}

type Rule = (node: Node, rising: Rising) => readonly Edit[] | undefined;

const input = (node: Node, index = 0): Value => node.inputs[index] as Value;

function through(node: Node, rising: Rising, spread: Spread | undefined): readonly Edit[] | undefined {
  return spread === undefined ? undefined : absorbUpwards(input(node), { ...rising, spread });
}

const reshaped: Rule = (node, rising) =>
  through(node, rising, reshapeSpread(rising.spread, (node.outputs[0] as Value).shape, input(node).shape));

const rules: { readonly [op: string]: Rule | undefined } = {
  Conv: (node, rising) => intoConvolution(node, rising, { axis: 0 }),
  ConvTranspose: (node, rising) => intoConvolution(node, rising, { axis: 1 }),
  Gemm: intoGemm,
  MatMul: intoMatMul,
  Gather: intoTable,
  Identity: (node, rising) => through(node, rising, rising.spread),
  Reshape: reshaped,
  Flatten: reshaped,
  Squeeze: reshaped,
  Unsqueeze: reshaped,
  Transpose(node, rising) {
    const perm = node.attributes['perm'] as readonly number[] | undefined;
    const rank = input(node).shape.length;
    const order = perm ?? Array.from({ length: rank }, (_, axis) => rank - 1 - axis);
    const inverse = order.map((_, axis) => order.indexOf(axis));
    return through(node, rising, transposeSpread(rising.spread, inverse));
  },
  AveragePool: pooled,
  GlobalAveragePool: pooled,
  MaxPool: pooled,
  GlobalMaxPool: pooled,
  Add: intoSum,
  Concat: intoParts,
};

function pooled(node: Node, rising: Rising): readonly Edit[] | undefined {
  return through(node, rising, spreadsOverWindows(node, rising) ? rising.spread : undefined);
}

function intoAffine(node: Node, rising: Rising): readonly Edit[] | undefined {
  const { weights, kind, spread } = rising;
  const found = affineOf(weights.editor, node);
  if (found === undefined) return undefined;
  // A divisor cannot take a factor of zero.
  if (node.op === 'Div' && spread.data.includes(0)) return undefined;
  const merge = (): readonly Edit[] => [
    () => {
      const at = node.inputs.indexOf(found.constant);
      const change = found.asWritten(spread);
      const next =
        kind === 'Mul'
          ? weights.scaled(found.constant, found.kind === 'Add' ? spread : change)
          : weights.shifted(found.constant, change);
      weights.setInput(found.output, at, next);
    },
  ];
  if (found.kind === kind) return merge();
  // (x + c) · s = x · s + c · s; the other way round there would be a division.
  if (kind === 'Add') return undefined;
  const above = absorbUpwards(found.input, rising);
  return above === undefined ? undefined : [...above, ...merge()];
}

function intoConvolution(node: Node, rising: Rising, { axis }: { readonly axis: 0 | 1 }): readonly Edit[] | undefined {
  const { weights, kind, spread } = rising;
  const held = weights.weightOf(node);
  const output = node.outputs[0] as Value;
  const biasValue = node.inputs[2];
  if (held === undefined || (biasValue !== undefined && weights.editor.constantOf(biasValue) === undefined))
    return undefined;
  const { value: weight, tensor } = held;
  const group = axis === 0 ? 1 : ((node.attributes['group'] as number | undefined) ?? 1);
  const channels = (tensor.shape[axis] as number) * group;
  const vector = vectorAlong(spread, 1, channels);
  if (vector === undefined) return undefined;
  if (kind === 'Add') return [() => shiftBias(rising, output, vector)];
  return [
    () => {
      const scaled = axis === 0 ? spreadAlong(vector, 0, tensor.rank) : groupedSpread(vector, tensor.shape, group);
      weights.setInput(output, 1, weights.scaled(weight, scaled));
      if (biasValue !== undefined)
        weights.setInput(output, 2, weights.scaled(biasValue, { shape: [channels], data: vector }));
    },
  ];
}

// Weights of a transposed convolution: [in, out / groups, …], the groups one after the other along the first axis.
function groupedSpread(vector: Float64Array, shape: readonly number[], group: number): Spread {
  const [inputs, outputs] = shape as readonly [number, number];
  const data = new Float64Array(inputs * outputs);
  for (let from = 0; from < inputs; from++) {
    const first = Math.floor(from / (inputs / group)) * outputs;
    for (let to = 0; to < outputs; to++) data[from * outputs + to] = vector[first + to] as number;
  }
  return { shape: [inputs, outputs, ...shape.slice(2).map(() => 1)], data };
}

function shiftBias({ weights, from }: Rising, output: Value, vector: Float64Array): void {
  const node = weights.editor.producerOf(output) as Node;
  const [, weight, bias] = node.inputs as readonly [Value, Value, Value | undefined];
  const next =
    bias === undefined
      ? weights.bias(weight, vector, from)
      : weights.shifted(bias, { shape: [vector.length], data: vector });
  weights.setInput(output, 2, next);
}

/** `α·A·B + β·C`: a vector over the columns goes into B and C. */
function intoGemm(node: Node, rising: Rising): readonly Edit[] | undefined {
  const { weights, kind, spread } = rising;
  const held = weights.weightOf(node);
  const bias = node.inputs[2];
  const biasTensor = weights.editor.constantOf(bias);
  if (held === undefined || (bias !== undefined && biasTensor === undefined)) return undefined;
  const axis = node.attributes['transB'] === 1 ? 0 : 1;
  const columns = held.tensor.shape[axis] as number;
  const vector = vectorAlong(spread, 1, columns);
  if (vector === undefined) return undefined;
  const { beta = 1 } = node.attributes as { beta?: number };
  const output = node.outputs[0] as Value;
  const row: Spread = { shape: [columns], data: vector };
  if (kind === 'Mul') {
    return [
      () => {
        weights.setInput(output, 1, weights.scaled(held.value, spreadAlong(vector, axis, 2)));
        if (bias !== undefined) weights.setInput(output, 2, weights.scaled(bias, aligned(row, biasTensor?.rank ?? 1)));
      },
    ];
  }
  if (bias === undefined) return [() => shiftBias(rising, output, vector)];
  if (beta === 0) return undefined;
  return [
    () =>
      weights.setInput(
        output,
        2,
        weights.shifted(bias, aligned({ ...row, data: vector.map((each) => each / beta) }, biasTensor?.rank ?? 1)),
      ),
  ];
}

function aligned({ shape, data }: Spread, rank: number): Spread {
  return { shape: [...new Array<number>(Math.max(0, rank - shape.length)).fill(1), ...shape], data };
}

function intoMatMul(node: Node, rising: Rising): readonly Edit[] | undefined {
  const { weights, kind, spread } = rising;
  const held = weights.weightOf(node);
  if (held === undefined) return undefined;
  const { rank, shape } = held.tensor;
  const output = node.outputs[0] as Value;
  const vector = vectorAlong(spread, spread.shape.length - 1, shape[rank - 1] as number);
  if (vector === undefined) return undefined;
  if (kind === 'Add') return intoGemmOf(node, rising, vector);
  return [() => weights.setInput(output, 1, weights.scaled(held.value, spreadAlong(vector, rank - 1, rank)))];
}

// A product has no bias of its own; with the sum behind it, it is known to runtimes.
function intoGemmOf(node: Node, { weights, from }: Rising, vector: Float64Array): readonly Edit[] | undefined {
  const { editor } = weights;
  const [left, weight] = node.inputs as readonly [Value, Value];
  const output = node.outputs[0] as Value;
  const isBehind = affineOf(editor, editor.soleReaderOf(output)) !== undefined;
  if (left.shape.length !== 2 || weight.shape.length !== 2 || isBehind) return undefined;
  return [
    () => {
      const [a, b] = (editor.producerOf(output) as Node).inputs as readonly [Value, Value];
      become(editor, editor.producerOf(output) as Node, {
        op: 'Gemm',
        inputs: [a, b, weights.bias(b, vector, from)],
        attributes: { alpha: 1, beta: 1, transA: 0, transB: 0 },
      });
    },
  ];
}

/** Rows of a table that are all scaled or shifted alike are so in the table. */
function intoTable(node: Node, { weights, kind, spread }: Rising): readonly Edit[] | undefined {
  const [table] = node.inputs as readonly [Value];
  const tensor = weights.editor.constantOf(table);
  const output = node.outputs[0] as Value;
  const axis = (node.attributes['axis'] as number | undefined) ?? 0;
  if (tensor?.rank !== 2 || axis !== 0 || !weights.mayChange(table)) return undefined;
  const vector = vectorAlong(spread, spread.shape.length - 1, tensor.shape[1] as number);
  if (vector === undefined) return undefined;
  const row: Spread = { shape: [1, vector.length], data: vector };
  return [() => weights.setInput(output, 0, kind === 'Mul' ? weights.scaled(table, row) : weights.shifted(table, row))];
}

/** `(a + b) · s` scales both; `(a + b) + c` shifts either. */
function intoSum(node: Node, rising: Rising): readonly Edit[] | undefined {
  const [left, right] = node.inputs as readonly [Value, Value];
  const output = node.outputs[0] as Value;
  if (!sameShape(left.shape, output.shape) || !sameShape(right.shape, output.shape) || left === right) return undefined;
  const first = absorbUpwards(left, rising);
  if (rising.kind === 'Add') return first ?? absorbUpwards(right, rising);
  const second = first === undefined ? undefined : absorbUpwards(right, rising);
  return first === undefined || second === undefined ? undefined : [...first, ...second];
}

function intoParts(node: Node, rising: Rising): readonly Edit[] | undefined {
  const output = node.outputs[0] as Value;
  const axis = normalizeAxis(node.attributes['axis'] as number, output.shape.length);
  const edits: Edit[] = [];
  let start = 0;
  for (const part of node.inputs as readonly Value[]) {
    const extent = part.shape[axis];
    if (typeof extent !== 'number') return undefined;
    const spread = sliceSpread(rising.spread, axis, { start, end: start + extent });
    const above = absorbUpwards(part, { ...rising, spread });
    if (above === undefined) return undefined;
    edits.push(...above);
    start += extent;
  }
  return edits;
}

import { isUnknownShape, type Node, normalizeAxis, type Tensor, type Value } from '@modelwright/core';
import { isPadded, spreadsOverWindows } from './passed-ops.js';
import { fits, reshapeSpread, type Spread, spreadAlong, transposeSpread, vectorAlong } from './spread.js';
import { contract, type Edit, type WeightEdits } from './weight-edits.js';

/** `x · scale + shift` on its way to the weights of the nodes that read it. */
interface Sinking {
  readonly weights: WeightEdits;
  readonly scale: Spread;
  readonly shift: Spread;
}

/**
 * How all nodes that read `value` can take `value · scale + shift` instead of it: by other weights, also beyond reshapes, transposes,
 * pooling and concatenations. A convolution that pads takes no shift: its border is not shifted.
 *
 * @returns the changes to make, or undefined where one of the readers cannot.
 */
export function absorbDownwards(value: Value, sinking: Sinking): readonly Edit[] | undefined {
  const { editor } = sinking.weights;
  const readers = editor.readersOf(value);
  if (readers.length === 0 || editor.isOutput(value) || isUnknownShape(value.shape)) return undefined;
  if (!fits(sinking.scale, value.shape) || !fits(sinking.shift, value.shape)) return undefined;
  const edits: Edit[] = [];
  for (const reader of readers) {
    const places = reader.inputs.flatMap((input, index) => (input === value ? [index] : []));
    const rule = reader.domain === '' && places.length === 1 ? rules[reader.op] : undefined;
    const part = rule?.(reader, sinking, places[0] as number);
    if (part === undefined) return undefined;
    edits.push(...part);
  }
  return edits;
}

type Rule = (node: Node, sinking: Sinking, place: number) => readonly Edit[] | undefined;

const output = (node: Node): Value => node.outputs[0] as Value;
const isZero = ({ data }: Spread): boolean => data.every((element) => element === 0);

/** Goes on with both constants in the form that they have over the output. */
function through(
  node: Node,
  sinking: Sinking,
  map: (spread: Spread, neutral: number) => Spread | undefined,
): readonly Edit[] | undefined {
  const [scale, shift] = [map(sinking.scale, 1), map(sinking.shift, 0)];
  if (scale === undefined || shift === undefined) return undefined;
  return absorbDownwards(output(node), { ...sinking, scale, shift });
}

const reshaped: Rule = (node, sinking, place) =>
  place === 0
    ? through(node, sinking, (spread) => reshapeSpread(spread, (node.inputs[0] as Value).shape, output(node).shape))
    : undefined;

const pooled: Rule = (node, sinking) => {
  const { scale, shift } = sinking;
  if (!spreadsOverWindows(node, { kind: 'Mul', spread: scale })) return undefined;
  if (!isZero(shift) && !spreadsOverWindows(node, { kind: 'Add', spread: shift })) return undefined;
  return through(node, sinking, (spread) => spread);
};

const rules: { readonly [op: string]: Rule | undefined } = {
  Conv: intoConvolution,
  ConvTranspose: intoTransposedConvolution,
  Gemm: intoGemm,
  MatMul: intoMatMul,
  RNN: intoRecurrent,
  GRU: intoRecurrent,
  LSTM: intoRecurrent,
  Identity: (node, sinking) => through(node, sinking, (spread) => spread),
  Reshape: reshaped,
  Flatten: reshaped,
  Squeeze: reshaped,
  Unsqueeze: reshaped,
  Transpose(node, sinking) {
    const rank = output(node).shape.length;
    const perm = node.attributes['perm'] as readonly number[] | undefined;
    const order = perm ?? Array.from({ length: rank }, (_, axis) => rank - 1 - axis);
    return through(node, sinking, (spread) => transposeSpread(spread, order));
  },
  AveragePool: pooled,
  GlobalAveragePool: pooled,
  MaxPool: pooled,
  GlobalMaxPool: pooled,
  Concat: intoConcatenation,
};

function intoConcatenation(node: Node, sinking: Sinking, place: number): readonly Edit[] | undefined {
  const { shape } = output(node);
  const axis = normalizeAxis(node.attributes['axis'] as number, shape.length);
  const extents = node.inputs.map((part) => part?.shape[axis]);
  if (extents.some((extent) => typeof extent !== 'number')) return undefined;
  const known = extents as readonly number[];
  const start = known.slice(0, place).reduce((sum, extent) => sum + extent, 0);
  const total = known.reduce((sum, extent) => sum + extent, 0);
  return through(node, sinking, (spread, neutral) => {
    const vector = vectorAlong(spread, axis, known[place] as number);
    if (vector === undefined) return undefined;
    const data = new Float64Array(total).fill(neutral);
    data.set(vector, start);
    return spreadAlong(data, axis, shape.length);
  });
}

function intoConvolution(node: Node, sinking: Sinking, place: number): readonly Edit[] | undefined {
  const { weights, scale, shift } = sinking;
  const held = weights.weightOf(node);
  const bias = node.inputs[2];
  if (place !== 0 || held === undefined || (bias !== undefined && weights.editor.constantOf(bias) === undefined))
    return undefined;
  const { tensor, value: weight } = held;
  const group = (node.attributes['group'] as number | undefined) ?? 1;
  const [outputs, perGroup] = tensor.shape as readonly [number, number];
  const [scales, shifts] = [vectorAlong(scale, 1, perGroup * group), vectorAlong(shift, 1, perGroup * group)];
  if (scales === undefined || shifts === undefined) return undefined;
  const moves = !isZero(shift);
  if (moves && isPadded(node.attributes)) return undefined;
  const firstInput = (to: number): number => Math.floor(to / (outputs / group)) * perGroup;
  return [
    () => {
      if (moves) {
        const pick = ([to, from]: readonly number[]) => ({
          from: firstInput(to as number) + (from as number),
          to: to as number,
        });
        addBias(weights, output(node), contract(tensor, pick, { vector: shifts, length: outputs }));
      }
      const data = Float64Array.from({ length: outputs * perGroup }, (_, index) => {
        const to = Math.floor(index / perGroup);
        return scales[firstInput(to) + (index % perGroup)] as number;
      });
      const spread = { shape: tensor.shape.map((extent, axis) => (axis < 2 ? extent : 1)), data };
      weights.setInput(output(node), 1, weights.scaled(weight, spread));
    },
  ];
}

function addBias(weights: WeightEdits, of: Value, vector: Float64Array, rank = 1): void {
  const node = weights.editor.producerOf(of) as Node;
  const [, weight, bias] = node.inputs as readonly [Value, Value, Value | undefined];
  const shape = [...new Array<number>(Math.max(0, rank - 1)).fill(1), vector.length];
  weights.setInput(
    of,
    2,
    bias === undefined ? weights.bias(weight, vector) : weights.shifted(bias, { shape, data: vector }),
  );
}

// Outputs near the border sum over fewer inputs, so that a shift would not be the same everywhere.
function intoTransposedConvolution(node: Node, sinking: Sinking, place: number): readonly Edit[] | undefined {
  const { weights, scale, shift } = sinking;
  const held = weights.weightOf(node);
  if (place !== 0 || held === undefined || !isZero(shift)) return undefined;
  const scales = vectorAlong(scale, 1, held.tensor.shape[0] as number);
  if (scales === undefined) return undefined;
  return [
    () => weights.setInput(output(node), 1, weights.scaled(held.value, spreadAlong(scales, 0, held.tensor.rank))),
  ];
}

function intoGemm(node: Node, sinking: Sinking, place: number): readonly Edit[] | undefined {
  const { weights, scale, shift } = sinking;
  const held = weights.weightOf(node);
  const bias = node.inputs[2];
  const biasTensor = weights.editor.constantOf(bias);
  const { alpha = 1, beta = 1, transA = 0, transB = 0 } = node.attributes as { readonly [name: string]: number };
  if (place !== 0 || held === undefined || transA === 1 || (bias !== undefined && biasTensor === undefined))
    return undefined;
  const axis = transB === 1 ? 1 : 0;
  const rows = held.tensor.shape[axis] as number;
  const [scales, shifts] = [vectorAlong(scale, 1, rows), vectorAlong(shift, 1, rows)];
  if (scales === undefined || shifts === undefined || beta === 0) return undefined;
  return [
    () => {
      if (!isZero(shift)) {
        const added = shiftOfProduct(held.tensor, axis, shifts).map((each) => (each * alpha) / beta);
        addBias(weights, output(node), added, biasTensor?.rank ?? 1);
      }
      weights.setInput(output(node), 1, weights.scaled(held.value, spreadAlong(scales, axis, 2)));
    },
  ];
}

function shiftOfProduct(weight: Tensor, axis: number, vector: Float64Array): Float64Array {
  const pick = (place: readonly number[]) => ({ from: place[axis] as number, to: place[1 - axis] as number });
  return contract(weight, pick, { vector, length: weight.shape[1 - axis] as number });
}

function intoMatMul(node: Node, sinking: Sinking, place: number): readonly Edit[] | undefined {
  const { weights, scale, shift } = sinking;
  const { editor } = weights;
  const held = weights.weightOf(node);
  const rank = (node.inputs[0] as Value).shape.length;
  if (place !== 0 || held === undefined || held.tensor.rank !== 2 || rank < 2) return undefined;
  const rows = held.tensor.shape[0] as number;
  const [scales, shifts] = [vectorAlong(scale, rank - 1, rows), vectorAlong(shift, rank - 1, rows)];
  if (scales === undefined || shifts === undefined) return undefined;
  return [
    () => {
      weights.setInput(output(node), 1, weights.scaled(held.value, spreadAlong(scales, 0, 2)));
      if (isZero(shift)) return;
      const product = editor.producerOf(output(node)) as Node;
      const inner: Value = { ...output(node), name: editor.claim(`${output(node).name}/product`) };
      const bias = weights.bias(held.value, shiftOfProduct(held.tensor, 0, shifts));
      const sum: Node = {
        ...{ op: 'Add', domain: '', name: editor.claim(`${node.name}/Add`) },
        ...{ inputs: [inner, bias], outputs: [output(node)], attributes: {} },
      };
      editor.replace(product, [{ ...product, outputs: [inner] }, sum]);
    },
  ];
}

/** Gates read `W·x + b`: the weights of the input take the scale, the first half of the biases the shift. */
function intoRecurrent(node: Node, sinking: Sinking, place: number): readonly Edit[] | undefined {
  const { weights, scale, shift } = sinking;
  const held = weights.weightOf(node);
  const bias = node.inputs[3];
  const biasTensor = weights.editor.constantOf(bias);
  if (place !== 0 || held === undefined || (bias !== undefined && biasTensor === undefined)) return undefined;
  const [directions, gates, features] = held.tensor.shape as readonly [number, number, number];
  const [scales, shifts] = [vectorAlong(scale, 2, features), vectorAlong(shift, 2, features)];
  if (scales === undefined || shifts === undefined || (bias === undefined && !isZero(shift))) return undefined;
  return [
    () => {
      if (bias !== undefined && !isZero(shift)) {
        const pick = ([direction, gate, from]: readonly number[]) => ({
          from: from as number,
          to: (direction as number) * 2 * gates + (gate as number),
        });
        const data = contract(held.tensor, pick, { vector: shifts, length: directions * 2 * gates });
        weights.setInput(output(node), 3, weights.shifted(bias, { shape: [directions, 2 * gates], data }));
      }
      weights.setInput(output(node), 1, weights.scaled(held.value, spreadAlong(scales, 2, 3)));
    },
  ];
}

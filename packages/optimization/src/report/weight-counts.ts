import { type Attributes, dtypeFacts, type Graph, isFloat, subgraphsOf, type Tensor } from '@modelwright/core';
import { countCodedNonZero, countPackedNonZero, type PackedLayout } from './coded-weights.js';

/** How many weights a graph holds. */
export interface WeightCounts {
  readonly weights: number;
  /** Of quantized weights, those that stand for another number than zero. */
  readonly nonZeroWeights: number;
  /** Bytes that they take in memory as stored. */
  readonly weightBytes: number;
}

/**
 * Counts the weights of a graph: constants of floating numbers and quantized ones. Scales and zero points are stored
 * (they count as bytes), but they are no weights; nor are literals that only steer the graph.
 */
export function countWeights(graph: Graph): WeightCounts {
  const quantization = quantizationOf(graph);
  const names = new Set([...graph.constants.keys()].map(({ name }) => name));
  let [weights, nonZeroWeights, weightBytes] = [0, 0, 0];
  for (const [value, tensor] of graph.constants) {
    if (!isLearned(tensor) && !quantization.quantized.has(value.name)) continue;
    weightBytes += Math.ceil((tensor.elementCount * dtypeFacts[tensor.dtype].bits) / 8);
    if (quantization.scales.has(value.name) || belongsToCodes(value.name, names)) continue;
    const packed = quantization.packed.get(value.name);
    weights += packed === undefined ? tensor.elementCount : packed.rows * packed.columns;
    nonZeroWeights += nonZerosOf(value.name, tensor, quantization);
  }
  const inner = graph.nodes.flatMap((node) => subgraphsOf(node).map(({ graph: each }) => countWeights(each)));
  for (const each of inner) {
    weights += each.weights;
    nonZeroWeights += each.nonZeroWeights;
    weightBytes += each.weightBytes;
  }
  return { weights, nonZeroWeights, weightBytes };
}

function nonZerosOf(name: string, tensor: Tensor, { packed, coded, zeroPoints }: Quantization): number {
  const [layout, values] = [packed.get(name), coded.get(name)];
  if (layout !== undefined) return countPackedNonZero(tensor, layout);
  return values === undefined ? countNonZero(tensor, zeroPoints.get(name)) : countCodedNonZero(tensor, values);
}

function isLearned({ dtype, rank, elementCount }: Tensor): boolean {
  if (dtype === 'string' || dtype === 'bool') return false;
  if (isFloat(dtype)) return rank > 0 || elementCount > 1;
  return dtypeFacts[dtype].bits <= 8 || rank > 1;
}

/** Scales that stand in an op of their own behind a product of integers are found by their names. */
function belongsToCodes(name: string, names: ReadonlySet<string>): boolean {
  const [, codes] = /^(.+)\.(?:scale|zeroPoint)$/.exec(name) ?? [];
  return codes !== undefined && names.has(codes);
}

interface Quantization {
  /** Names of constants that hold quantized values. */
  readonly quantized: ReadonlySet<string>;
  /** Names of constants that are scales or zero points. */
  readonly scales: ReadonlySet<string>;
  /** Zero points by the name of the quantized constant. */
  readonly zeroPoints: ReadonlyMap<string, Tensor>;
  /** Weights that are packed several to a byte, by name. */
  readonly packed: ReadonlyMap<string, PackedLayout>;
  /** Of weights that are places among shared values, those values, by name. */
  readonly coded: ReadonlyMap<string, Tensor>;
}

/** Where a node takes quantized values, their scale and their zero point, as input numbers. */
const places: { readonly [op: string]: readonly (readonly [data: number, scale: number, zeroPoint: number])[] } = {
  DequantizeLinear: [[0, 1, 2]],
  QuantizeLinear: [[-1, 1, 2]],
  MatMulInteger: [
    [0, -1, 2],
    [1, -1, 3],
  ],
  ConvInteger: [
    [0, -1, 2],
    [1, -1, 3],
  ],
  DynamicQuantizeLSTM: [
    [1, 8, 9],
    [2, 10, 11],
  ],
  DynamicQuantizeMatMul: [[1, 2, 3]],
  MatMulIntegerToFloat: [
    [0, 2, 4],
    [1, 3, 5],
  ],
  MatMulNBits: [[1, 2, 3]],
  GatherBlockQuantized: [[0, 2, 3]],
};

function quantizationOf(graph: Graph): Quantization {
  const quantized = new Set<string>();
  const scales = new Set<string>();
  const zeroPoints = new Map<string, Tensor>();
  const packed = new Map<string, PackedLayout>();
  const coded = new Map<string, Tensor>();
  const makers = new Map(graph.nodes.map((node) => [node.outputs[0], node]));
  for (const { op, inputs, attributes } of graph.nodes) {
    for (const [data, scale, zeroPoint] of places[op] ?? []) {
      for (const input of [inputs[scale], inputs[zeroPoint]]) if (input !== undefined) scales.add(input.name);
      const [held, zero] = [inputs[data], inputs[zeroPoint]];
      const tensor = zero === undefined ? undefined : graph.constants.get(zero);
      if (held !== undefined) quantized.add(held.name);
      if (held !== undefined && tensor !== undefined) zeroPoints.set(held.name, tensor);
      const codes = held === undefined ? undefined : graph.constants.get(held);
      const layout = codes === undefined ? undefined : layoutOf(op, attributes, codes);
      if (held !== undefined && layout !== undefined) packed.set(held.name, { ...layout, zeroPoints: tensor });
    }
    // Shared values with a place in them for each weight.
    const [values, indices] = op === 'Gather' || op === 'GatherElements' ? inputs : [];
    const cast = indices === undefined ? undefined : makers.get(indices);
    const [codes] = cast?.op === 'Cast' ? cast.inputs : [];
    const [table, held] = [values, codes].map((each) => (each === undefined ? undefined : graph.constants.get(each)));
    if (values === undefined || codes === undefined || table === undefined || held === undefined) continue;
    if (dtypeFacts[held.dtype].bits > 8 || !isFloat(table.dtype)) continue;
    quantized.add(codes.name);
    scales.add(values.name);
    coded.set(codes.name, table);
  }
  return { quantized, scales, zeroPoints, packed, coded };
}

function layoutOf(
  op: string,
  { K, N, bits = 4, block_size: blockSize = 128 }: Attributes,
  { shape }: Tensor,
): Omit<PackedLayout, 'zeroPoints'> | undefined {
  const common = { bits: Number(bits), blockSize: Number(blockSize) };
  if (op === 'MatMulNBits') return { ...common, rows: Number(N), columns: Number(K) };
  const [rows = 0, width = 0] = shape;
  return op === 'GatherBlockQuantized' ? { ...common, rows, columns: (width * 8) / common.bits } : undefined;
}

/** Elements that are not the zero point; one of a channel or block is matched on its axis. */
function countNonZero({ data, shape }: Tensor, zeroPoint: Tensor | undefined): number {
  const values = data as ArrayLike<number | bigint>;
  let found = 0;
  if (zeroPoint === undefined || zeroPoint.elementCount === 1) {
    const zero = Number(zeroPoint?.data[0] ?? 0);
    for (let at = 0; at < values.length; at++) if (Number(values[at]) !== zero) found++;
    return found;
  }
  const axis = shape.indexOf(zeroPoint.elementCount);
  const inner = shape.slice(axis + 1).reduce((total, each) => total * each, 1);
  for (let at = 0; at < values.length; at++) {
    const channel = axis < 0 ? 0 : Math.floor(at / inner) % zeroPoint.elementCount;
    if (Number(values[at]) !== Number(zeroPoint.data[channel])) found++;
  }
  return found;
}

import {
  type Bindings,
  castTensor,
  type Graph,
  GraphBuilder,
  inlineGraph,
  type Node,
  removeDeadNodes,
  reshapeTensor,
  type Shape,
  type Tensor,
  type Value,
} from '@modelwright/core';
import { type BlockedWeight, blockCount } from './blocks.js';
import { type PackedWeight, packForRuntime, toLinear } from './encode-blocks.js';
import type { UsedWeight } from './weight-uses.js';

/** Ops that a quantized weight is written with: those of ONNX Runtime, or ONNX's `DequantizeLinear` before the op as it was. */
export type WeightTarget = 'MatMulNBits' | 'dequantize';

/** A weight with its codes and the form it takes. */
export interface Replacement {
  readonly used: UsedWeight;
  readonly blocked: BlockedWeight;
  readonly target: WeightTarget;
  /** Precision of `MatMulNBits`: 0 as the inputs are, 4 with activations in int8. */
  readonly accuracyLevel: number;
}

/** Whether ONNX Runtime's own ops can do all that a weight is used for. */
export function fitsRuntimeOps({ uses, isReadElsewhere, weight }: UsedWeight): boolean {
  if (isReadElsewhere || weight.dtype !== 'float32') return false;
  return uses.every(({ node, axis }) => {
    const { alpha = 1, beta = 1, transA = 0 } = node.attributes;
    const isPlain = node.op !== 'Gemm' || (alpha === 1 && beta === 1 && transA === 0);
    return isPlain && axis === uses[0]?.axis;
  });
}

/** The graph with quantized weights. Codes keep the name of the weight; beside them stand `<weight>.scale` and `<weight>.zeroPoint`. */
export function replaceWeights(graph: Graph, replacements: readonly Replacement[]): Graph {
  const builder = new GraphBuilder(graph.name);
  const bindings: Bindings = new Map();
  for (const input of graph.inputs) bindings.set(input, builder.input(input.name, input.dtype, input.shape));
  const writers = new Map<Node, RuntimeWriter>();
  for (const replacement of replacements) {
    const { used, target } = replacement;
    if (target === 'dequantize') {
      bindings.set(used.value, dequantized(builder, replacement));
      continue;
    }
    const writer = new RuntimeWriter(builder, replacement);
    for (const { node } of used.uses) writers.set(node, writer);
  }
  const outputs = inlineGraph(builder, graph, bindings, {
    rewrite: (node, inputs) => writers.get(node)?.write(node, inputs),
  });
  graph.outputs.forEach(({ name }, at) => {
    builder.output(name, outputs[at] as Value);
  });
  return removeDeadNodes.run(builder.build());
}

function dequantized(builder: GraphBuilder, { used, blocked }: Replacement): Value {
  const { codes, scales, zeroPoints, axis } = toLinear(blocked, used.uses[0]?.axis ?? 0);
  const { name } = used.value;
  const inputs = [
    builder.constant(codes, { name: nameOf(name, 'codes') }),
    builder.constant(castTensor(scales, used.weight.dtype), { name: nameOf(name, 'scales') }),
    zeroPoints === undefined ? undefined : builder.constant(zeroPoints, { name: nameOf(name, 'zeroPoints') }),
  ];
  return builder.op(
    'DequantizeLinear',
    inputs,
    { axis, block_size: blocked.blockSize },
    { nodeName: `${name}/DequantizeLinear` },
  );
}

const suffixes: { readonly [part in keyof PackedWeight]-?: string } = {
  codes: '',
  scales: '.scale',
  zeroPoints: '.zeroPoint',
};
const nameOf = (weight: string, part: keyof PackedWeight): string => `${weight}${suffixes[part]}`;

const microsoft = 'com.microsoft';
const integer = 'int';

/** Writes all uses of one weight; they share its constants. */
class RuntimeWriter {
  readonly #builder: GraphBuilder;
  readonly #replacement: Replacement;
  readonly #codes: Value;
  /** Scales and zero points. */
  readonly #scaling: readonly (Value | undefined)[];
  #rows: Value | undefined;

  constructor(builder: GraphBuilder, replacement: Replacement) {
    this.#builder = builder;
    this.#replacement = replacement;
    const { blocked, used } = replacement;
    const { codes, scales, zeroPoints } = packForRuntime(blocked);
    const constant = (part: keyof PackedWeight, tensor: Tensor): Value =>
      builder.constant(tensor, { name: nameOf(used.value.name, part) });
    // A lookup has its codes in rows, a product in blocks: the same bytes. Where a weight is used for both, a `Reshape` makes one of the other.
    const isTable = used.uses.every(({ kind }) => kind === 'lookup');
    this.#codes = constant('codes', isTable ? inRows(codes) : codes);
    this.#scaling = [
      constant('scales', scales),
      zeroPoints === undefined ? undefined : constant('zeroPoints', zeroPoints),
    ];
  }

  write(node: Node, inputs: readonly (Value | undefined)[]): readonly Value[] {
    return node.op === 'Gather' ? this.#lookup(node, inputs) : this.#product(node, inputs);
  }

  #product(node: Node, inputs: readonly (Value | undefined)[]): readonly Value[] {
    const { blocked, accuracyLevel } = this.#replacement;
    const { rows, columns, bits, blockSize } = blocked;
    const bias = node.op === 'Gemm' ? inputs[2] : undefined;
    const isVector = bias !== undefined && bias.shape.length === 1 && bias.shape[0] === rows;
    const [output] = node.outputs as readonly [Value];
    const isAdded = bias !== undefined && !isVector;
    const product = this.#builder.foreign({
      op: 'MatMulNBits',
      domain: microsoft,
      inputs: trimmed([inputs[0], this.#codes, ...this.#scaling, undefined, isVector ? bias : undefined]),
      attributes: { K: columns, N: rows, bits, block_size: blockSize, accuracy_level: accuracyLevel },
      attributeKinds: { K: integer, N: integer, bits: integer, block_size: integer, accuracy_level: integer },
      outputs: [{ dtype: output.dtype, shape: productShape(inputs[0], output) }],
      nodeName: node.name,
      ...(isAdded ? {} : { outputNames: [output.name] }),
    });
    return isAdded ? [this.#builder.op('Add', [product[0] as Value, bias], {}, { name: output.name })] : product;
  }

  #lookup(node: Node, inputs: readonly (Value | undefined)[]): readonly Value[] {
    const { columns, bits, blockSize } = this.#replacement.blocked;
    const [output] = node.outputs as readonly [Value];
    const blocks = blockCount(this.#replacement.blocked);
    const rows = this.#builder.foreign({
      op: 'GatherBlockQuantized',
      domain: microsoft,
      inputs: trimmed([this.#table(), inputs[1], ...this.#scaling]),
      attributes: { gather_axis: 0, quantize_axis: 1, bits, block_size: blockSize },
      attributeKinds: { gather_axis: integer, quantize_axis: integer, bits: integer, block_size: integer },
      outputs: [{ dtype: output.dtype, shape: [...output.shape.slice(0, -1), blocks * blockSize] }],
      nodeName: node.name,
      ...(columns === blocks * blockSize ? { outputNames: [output.name] } : {}),
    });
    if (columns === blocks * blockSize) return rows;
    // Rows are padded to whole blocks.
    const ends = [[0], [columns], [-1]].map((each) => this.#builder.integers(each));
    return [this.#builder.op('Slice', [rows[0] as Value, ...ends], {}, { name: output.name })];
  }

  #table(): Value {
    const { shape } = this.#codes;
    if (shape.length === 2) return this.#codes;
    const [rows, blocks, width] = shape as readonly [number, number, number];
    this.#rows ??= this.#builder.op('Reshape', [this.#codes, this.#builder.integers([rows, blocks * width])]);
    return this.#rows;
  }
}

function inRows(codes: Tensor): Tensor {
  const [rows = 0, blocks = 0, width = 0] = codes.shape;
  return reshapeTensor(codes, [rows, blocks * width]);
}

function productShape(input: Value | undefined, output: Value): Shape {
  const shape = input?.shape ?? [];
  return shape.length === 0 ? output.shape : [...shape.slice(0, -1), ...output.shape.slice(-1)];
}

function trimmed(inputs: readonly (Value | undefined)[]): readonly (Value | undefined)[] {
  const last = inputs.findLastIndex((input) => input !== undefined);
  return inputs.slice(0, last + 1);
}

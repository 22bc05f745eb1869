import {
  definitionOf,
  type Graph,
  type GraphBuilder,
  inversePermutation,
  isConcrete,
  type Node,
  type Pass,
  rebuildGraph,
  removeDeadNodes,
  reshapeTo,
  type Value,
} from '@modelwright/core';
import type { NodeOf } from '../lowering/lowering.js';
import { imageBuilder, loweringOf } from './lower-nodes.js';

interface Turned {
  readonly source: Value;
  readonly perm: readonly number[];
}

const reductions: ReadonlySet<string> = new Set(['ReduceSum', 'ReduceMean', 'ReduceMax', 'ReduceMin', 'ReduceProd']);

/**
 * Gives images their layout: convolutions and pools become channels-last nodes, and what stands between them follows, so
 * that transposes are left only where images enter, leave or meet values that are laid out otherwise.
 */
export const assignLayouts: Pass = {
  name: 'assignLayouts',
  description: 'makes images channels-last from one convolution or pool to the next',
  run: (graph: Graph): Graph => removeDeadNodes.run(new LayoutAssignment(graph).run()),
};

class LayoutAssignment {
  readonly #graph: Graph;
  /** Values of the new graph that are a transpose of another one. */
  readonly #turned = new Map<Value, Turned>();
  /** Inputs, and what is computed from them element by element: state that should keep its layout. */
  readonly #anchored = new Set<Value>();

  constructor(graph: Graph) {
    this.#graph = graph;
  }

  run(): Graph {
    const rewrite = (
      node: Node,
      inputs: readonly (Value | undefined)[],
      builder: GraphBuilder,
    ): readonly Value[] | undefined => {
      const result = this.#rewrite(node, inputs, builder);
      return result === undefined ? undefined : [result];
    };
    return rebuildGraph(this.#graph, { rewrite }).graph;
  }

  #rewrite(node: Node, inputs: readonly (Value | undefined)[], builder: GraphBuilder): Value | undefined {
    if (node.op === 'Transpose' && node.domain === '') return this.#composed(node, inputs[0] as Value, builder);
    if (node.op === 'Gemm' && node.domain === '')
      return this.#product(node as unknown as NodeOf<'Gemm'>, inputs, builder);
    const lowering = loweringOf(node);
    if (lowering !== undefined && lowering !== 'decompose' && lowering.kind === 'image') {
      const transpose = (value: Value, perm: readonly number[]): Value => this.#transpose(builder, value, perm);
      return lowering.lower(node as NodeOf<never>, imageBuilder(builder, inputs, transpose));
    }
    if (node.outputs.length !== 1) return undefined;
    if (reductions.has(node.op)) return this.#reduced(node, inputs, builder);
    const slides = definitionOf(node)?.elementwise === true || node.op === 'Concat' || isPlainPad(node);
    return slides ? this.#slid(node, inputs, builder) : undefined;
  }

  #composed(node: Node, input: Value, builder: GraphBuilder): Value {
    const { perm } = node.attributes as { readonly perm?: readonly number[] };
    return this.#transpose(builder, input, perm ?? input.shape.map((_, axis) => input.shape.length - 1 - axis));
  }

  #transpose(builder: GraphBuilder, value: Value, outer: readonly number[]): Value {
    const inner = this.#turned.get(value);
    const perm = inner === undefined ? outer : outer.map((axis) => inner.perm[axis] as number);
    const source = inner?.source ?? value;
    if (perm.every((axis, index) => axis === index)) return source;
    const result = builder.op('Transpose', [source], { perm });
    this.#turned.set(result, { source, perm });
    if (this.#isAnchored(source)) this.#anchored.add(result);
    return result;
  }

  // y = α·op(A)·op(B) + β·C, its transposes written out so that equal ones are made once.
  #product(node: NodeOf<'Gemm'>, inputs: readonly (Value | undefined)[], builder: GraphBuilder): Value | undefined {
    const [a, b, c] = inputs as [Value, Value, Value | undefined];
    const { alpha, beta, transA, transB } = node.attributes;
    if (a.dtype !== 'float32') return undefined;
    const turned = (value: Value, turns: number): Value =>
      turns === 0 ? value : this.#transpose(builder, value, [1, 0]);
    const scaled = (value: Value, factor: number): Value =>
      factor === 1 ? value : builder.op('Mul', [value, builder.scalar(factor, 'float32')]);
    const product = scaled(builder.op('MatMul', [turned(a, transA), turned(b, transB)]), alpha);
    return c === undefined ? product : builder.op('Add', [product, scaled(c, beta)]);
  }

  #reduced(node: Node, inputs: readonly (Value | undefined)[], builder: GraphBuilder): Value | undefined {
    const [x, axesInput] = inputs as [Value, Value | undefined];
    const turned = this.#turned.get(x);
    const held = axesInput === undefined ? undefined : builder.constantOf(axesInput);
    if (turned === undefined || held === undefined || held.elementCount === 0) return undefined;
    const rank = turned.perm.length;
    const axes = Array.from(held.data as ArrayLike<bigint>, (axis) => (Number(axis) + rank) % rank);
    const mapped = axes.map((axis) => turned.perm[axis] as number).sort((a, b) => a - b);
    const [result] = builder.anyNode({ ...node, inputs: [turned.source, builder.integers(mapped)] }, node.outputs);
    const keeps = (node.attributes as { readonly keepdims?: number }).keepdims !== 0;
    if (keeps) return this.#transpose(builder, result as Value, turned.perm);
    const left = turned.perm.filter((_, axis) => !axes.includes(axis));
    const ranks = [...left].sort((a, b) => a - b);
    return this.#transpose(
      builder,
      result as Value,
      left.map((axis) => ranks.indexOf(axis)),
    );
  }

  /** Elementwise work in the layout that most of its large operands have. */
  #slid(node: Node, inputs: readonly (Value | undefined)[], builder: GraphBuilder): Value | undefined {
    const large = inputs.filter((input): input is Value => input !== undefined && isLarge(input, node));
    const turned = large.filter((input) => this.#turned.has(input));
    const perm = this.#turned.get(turned[0] as Value)?.perm;
    const others = large.filter((input) => !this.#turned.has(input));
    const stays = others.some((input) => this.#isAnchored(input)) && others.length >= turned.length;
    if (perm === undefined || stays || others.length > turned.length) {
      return this.#kept(node, inputs, builder, large);
    }
    if (turned.some((input) => this.#turned.get(input)?.perm.length !== perm.length)) return undefined;
    const sources = inputs.map((input, index) => {
      if (input === undefined || (node.op === 'Pad' && index > 0)) return input;
      return this.#beneath(builder, input, perm);
    });
    if (sources.some((source, index) => source === undefined && inputs[index] !== undefined)) return undefined;
    const adapted = withMappedAxes(node, sources, { perm, builder });
    const [result] = builder.anyNode({ ...node, ...adapted }, node.outputs, { nodeName: node.name });
    return this.#transpose(builder, result as Value, perm);
  }

  /** The node as it is; remembers whether its result belongs to state. */
  #kept(
    node: Node,
    inputs: readonly (Value | undefined)[],
    builder: GraphBuilder,
    large: readonly Value[],
  ): Value | undefined {
    if (!large.some((input) => this.#isAnchored(input))) return undefined;
    const [result] = builder.anyNode({ ...node, inputs }, node.outputs, { nodeName: node.name });
    this.#anchored.add(result as Value);
    return result;
  }

  #isAnchored(value: Value): boolean {
    return this.#anchored.has(value) || this.#graph.inputs.some(({ name }) => name === value.name);
  }

  /** What `value` is before the transpose `perm`. */
  #beneath(builder: GraphBuilder, value: Value, perm: readonly number[]): Value | undefined {
    const known = this.#turned.get(value);
    const rank = perm.length;
    if (known?.perm.every((axis, index) => axis === perm[index])) return known.source;
    if (value.shape.length === 0) return value;
    if (value.shape.length > rank) return undefined;
    const padded = [...new Array<number>(rank - value.shape.length).fill(1), ...value.shape];
    const inverse = inversePermutation(perm);
    if (value.shape.length === rank && padded.filter((extent) => extent !== 1).length > 1) {
      return this.#transpose(builder, value, inverse);
    }
    if (!isConcrete(padded)) return value.shape.length === rank ? this.#transpose(builder, value, inverse) : undefined;
    const wide = reshapeTo(builder, value, padded as readonly number[]);
    if (padded.filter((extent) => extent !== 1).length > 1) return this.#transpose(builder, wide, inverse);
    return reshapeTo(
      builder,
      wide,
      inverse.map((axis) => padded[axis] as number),
    );
  }
}

function isPlainPad(node: Node): boolean {
  return node.op === 'Pad' && node.inputs[3] === undefined;
}

/** Whether an operand is an array of its own rather than a scalar or one number a channel. */
function isLarge(input: Value, node: Node): boolean {
  if (node.op === 'Pad') return input === node.inputs[0] || input.dtype === 'float32';
  return input.shape.filter((extent) => extent !== 1).length > 1;
}

function withMappedAxes(
  node: Node,
  inputs: readonly (Value | undefined)[],
  { perm, builder }: { readonly perm: readonly number[]; readonly builder: GraphBuilder },
): Pick<Node, 'inputs' | 'attributes'> {
  if (node.op === 'Concat') {
    const { axis } = node.attributes as { readonly axis: number };
    return { inputs, attributes: { axis: perm[axis < 0 ? axis + perm.length : axis] as number } };
  }
  const pads = node.op === 'Pad' && inputs[1] !== undefined ? builder.constantOf(inputs[1]) : undefined;
  if (pads === undefined) return { inputs, attributes: node.attributes };
  const given = Array.from(pads.data as ArrayLike<bigint>, Number);
  const inverse = inversePermutation(perm);
  const mapped = [0, perm.length].flatMap((offset) => inverse.map((axis) => given[axis + offset] as number));
  return { inputs: inputs.with(1, builder.integers(mapped)), attributes: node.attributes };
}

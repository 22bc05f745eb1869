import {
  cancelTransposes,
  decompose,
  eliminateCommonSubexpressions,
  foldConstants,
  type Graph,
  inferenceProgram,
  isConcrete,
  type Model,
  removeDeadNodes,
  runPasses,
  specialize,
  unrollScans,
  type ValueType,
} from '@modelwright/core';
import { Emission, unsupported } from './emission.js';
import { emitOf, needsDecomposition } from './lowering-table.js';
import { attribute, type TensorflowNode, typeOf, type WeightEntry } from './tensorflow-graph.js';

/** Longest sequence that a recurrent layer is written out for. */
const mostSteps = 512;

/** One input or output as TensorFlow.js signatures have it. */
interface SignatureEntry {
  readonly name: string;
  readonly dtype: string;
  readonly tensorShape: unknown;
}

/** A model as TensorFlow.js reads it: `model.json`, and its weights. */
export interface TensorflowModel {
  readonly nodes: readonly TensorflowNode[];
  readonly signature: {
    readonly inputs: { readonly [name: string]: SignatureEntry };
    readonly outputs: { readonly [name: string]: SignatureEntry };
  };
  readonly weights: readonly WeightEntry[];
  readonly weightData: Uint8Array;
}

/**
 * Writes a model as a graph of TensorFlow's ops, of those that TensorFlow.js runs.
 *
 * @param dimensions - What open extents are to be, by their symbols: recurrent layers need the number of their steps.
 * @throws {@link ModelwrightError} `unsupported-op`, `unsupported-dtype` naming the layer that cannot be expressed.
 */
export function toTensorflow(model: Model, dimensions: { readonly [symbol: string]: number } = {}): TensorflowModel {
  const graph = prepared(model, dimensions);
  const emission = new Emission(graph);
  // Their names are what users feed and fetch: they come first, so that no node takes them.
  const inputs = graph.inputs.map((input) => {
    const attributes = { dtype: attribute.type(input.dtype), shape: attribute.shape(input.shape) };
    const name = emission.graph.add('Placeholder', [], attributes, input.name);
    emission.bind(input, name);
    return [input.name, entryOf(name, input)] as const;
  });
  const outputNames = graph.outputs.map(({ name }) => emission.graph.uniqueName(name));
  for (const node of graph.nodes) {
    const emit = emitOf(node);
    if (emit === undefined) throw unsupported(node, reasonAgainst(node.op));
    emit(emission, node);
  }
  const outputs = graph.outputs.map(({ name, value }, index) => {
    const made = outputNames[index] as string;
    emission.graph.nodes.push({
      name: made,
      op: 'Identity',
      input: [emission.read(value)],
      attr: { T: attribute.type(value.dtype) },
    });
    return [name, entryOf(made, value)] as const;
  });
  return {
    nodes: emission.graph.nodes,
    signature: { inputs: Object.fromEntries(inputs), outputs: Object.fromEntries(outputs) },
    weights: emission.graph.weights,
    weightData: emission.graph.weightData(),
  };
}

function prepared(model: Model, dimensions: { readonly [symbol: string]: number }): Graph {
  const { graph } = inferenceProgram(model);
  const shaped = Object.keys(dimensions).length === 0 ? graph : specialize(graph, { dimensions });
  const simpler = decompose(needsDecomposition);
  return runPasses(shaped, [
    foldConstants,
    simpler,
    unrollScans(mostSteps),
    simpler,
    foldConstants,
    cancelTransposes,
    eliminateCommonSubexpressions,
    removeDeadNodes,
  ]);
}

function reasonAgainst(op: string): string {
  if (op === 'Scan') return "the number of its steps is not known, or too large; give it with the option 'dimensions'";
  return 'TensorFlow.js has no such operation';
}

function entryOf(name: string, { dtype, shape }: ValueType): SignatureEntry {
  const { shape: tensorShape } = attribute.shape(shape);
  return { name: `${name}:0`, dtype: typeOf(dtype), tensorShape };
}

/** Symbols of a model's inputs, for messages. */
export function symbolsOf(model: Model): readonly string[] {
  const open = model.graph.inputs.filter(({ shape }) => !isConcrete(shape));
  return [...new Set(open.flatMap(({ shape }) => shape.filter((extent) => typeof extent === 'string')))];
}

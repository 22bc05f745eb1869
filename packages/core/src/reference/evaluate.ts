import { type ErrorCode, type ErrorDetails, ModelwrightError } from '../errors.js';
import type { Graph, Node, Value } from '../graph/graph.js';
import { GraphBuilder } from '../graph/graph-builder.js';
import type { EvaluateContext } from '../ops/definition.js';
import { definitionOf } from '../ops/registry.js';
import { expandBlockQuantized, isBlockQuantized } from '../passes/block-quantized.js';
import { isFloat } from '../tensor/dtype.js';
import { compatibleShape, formatShape } from '../tensor/shape.js';
import { castTensor, type Tensor, type TensorMap } from '../tensor/tensor.js';

/** Finds the tensor of a value computed elsewhere. */
export type Environment = (value: Value) => Tensor | undefined;

/**
 * Runs a graph op by op on the plain reference kernels. Every floating value is held in float64 on the way, whatever the
 * graph declares: that makes this the oracle that backends are compared with.
 *
 * @param inputs - By input name; dtypes and shapes must be those of the graph.
 * @param options.keepFloat64 - Leave floating outputs in float64 instead of rounding them to their declared dtype.
 * @returns outputs by name.
 * @throws {@link ModelwrightError} `invalid-argument` for a missing input, `shape-mismatch`, `dtype-mismatch`, `unsupported-op`.
 */
export function evaluateGraph(
  graph: Graph,
  inputs: TensorMap,
  options: { readonly keepFloat64?: boolean } = {},
): TensorMap {
  const tensors = graph.inputs.map((input) => checkedInput(graph, input, inputs[input.name]));
  const results = evaluateNodes(graph, tensors, () => undefined);
  const entries = graph.outputs.map(({ name, value }, index): [string, Tensor] => {
    const result = results[index] as Tensor;
    return [name, options.keepFloat64 && isFloat(value.dtype) ? result : castTensor(result, value.dtype)];
  });
  return Object.fromEntries(entries);
}

/** Checks a fed tensor against the declared input. */
export function checkedInput(graph: Graph, input: Value, given: Tensor | undefined): Tensor {
  if (given === undefined) {
    const allowed = graph.inputs.map(({ name }) => name);
    throw new ModelwrightError(
      'invalid-argument',
      `'${graph.name}' needs the input '${input.name}' (${input.dtype} ${formatShape(input.shape)}); inputs are: ${allowed.join(', ')}`,
      { input: input.name, allowed },
    );
  }
  if (given.dtype !== input.dtype) {
    throw new ModelwrightError(
      'dtype-mismatch',
      `input '${input.name}' of '${graph.name}' is ${input.dtype}, but ${given.dtype} was given`,
      { input: input.name, given: given.dtype, allowed: input.dtype },
    );
  }
  if (!compatibleShape(given.shape, input.shape)) {
    throw new ModelwrightError(
      'shape-mismatch',
      `input '${input.name}' of '${graph.name}' has shape ${formatShape(input.shape)}, but ${formatShape(given.shape)} was given`,
      { input: input.name, given: given.shape, allowed: input.shape },
    );
  }
  return given;
}

function evaluateNodes(graph: Graph, inputs: readonly Tensor[], outer: Environment): readonly Tensor[] {
  const values = new Map<Value, Tensor>();
  graph.inputs.forEach((input, index) => {
    values.set(input, widen(inputs[index] as Tensor));
  });
  const lookup: Environment = (value) => {
    const known = values.get(value);
    if (known !== undefined) return known;
    const held = graph.constants.get(value);
    if (held === undefined) return outer(value);
    const widened = widen(held);
    values.set(value, widened);
    return widened;
  };
  for (const node of graph.nodes) {
    const results = evaluateNode(node, lookup);
    node.outputs.forEach((output, index) => {
      if (results[index] !== undefined) values.set(output, widen(results[index] as Tensor));
    });
  }
  return graph.outputs.map(({ value }) => requireValue(lookup(value), value.name, graph.name));
}

function evaluateNode(node: Node, lookup: Environment): readonly Tensor[] {
  const inputs = node.inputs.map((input) =>
    input === undefined ? undefined : requireValue(lookup(input), input.name, node.name),
  );
  return evaluateNodeOn(node, inputs, lookup);
}

/**
 * Runs one node on its inputs; floating ones are widened to float64 first.
 *
 * @throws {@link ModelwrightError} `unsupported-op` for a foreign node.
 */
export function evaluateNodeOn(
  node: Node,
  inputs: readonly (Tensor | undefined)[],
  lookup: Environment = () => undefined,
): readonly Tensor[] {
  const definition = definitionOf(node);
  if (definition === undefined) {
    const simpler = expandedGraph(node);
    if (simpler !== undefined) return evaluateNodes(simpler, presentOf(inputs), lookup);
    const name = `${node.domain || 'ai.onnx'}:${node.op}`;
    const message = `the reference evaluator has no op '${name}' (node '${node.name}')`;
    throw new ModelwrightError('unsupported-op', message, { op: node.op, layer: node.name });
  }
  const wide = inputs.map((tensor) => (tensor === undefined ? undefined : widen(tensor)));
  const fail = (message: string, details: ErrorDetails = {}, code: ErrorCode = 'shape-mismatch'): never => {
    const where = { op: node.op, layer: node.name };
    throw new ModelwrightError(code, `${node.op} '${node.name}': ${message}`, { ...where, ...details });
  };
  const context: EvaluateContext<object> = {
    op: node.op,
    inputs: wide,
    attributes: node.attributes,
    outputCount: node.outputs.length,
    outputTypes: node.outputs,
    input: (index) => wide[index] ?? fail(`input ${index} is missing`, {}, 'invalid-graph'),
    evaluateGraph: (graph, tensors) => evaluateNodes(graph, tensors, lookup),
    fail,
  };
  try {
    return definition.evaluate(context);
  } catch (error) {
    // What JavaScript throws for an array beyond all memory.
    if (error instanceof RangeError) return fail(error.message, { cause: error }, 'limit-exceeded');
    throw error;
  }
}

function requireValue(tensor: Tensor | undefined, name: string, where: string): Tensor {
  if (tensor !== undefined) return tensor;
  throw new ModelwrightError('invalid-graph', `value '${name}' is used in '${where}' but never computed`, {
    input: name,
  });
}

function widen(tensor: Tensor): Tensor {
  return isFloat(tensor.dtype) ? castTensor(tensor, 'float64') : tensor;
}

/** A foreign node that has a form in ONNX's own ops, as a graph of its inputs. */
function expandedGraph(node: Node): Graph | undefined {
  if (!isBlockQuantized(node)) return undefined;
  const builder = new GraphBuilder(node.name);
  const inputs = node.inputs.map((input) =>
    input === undefined ? undefined : builder.input(input.name, input.dtype, input.shape),
  );
  const outputs = expandBlockQuantized(node, inputs, builder);
  if (outputs === undefined) return undefined;
  for (const [index, output] of outputs.entries()) builder.output(`${index}`, output);
  return builder.build();
}

const presentOf = (tensors: readonly (Tensor | undefined)[]): readonly Tensor[] =>
  tensors.filter((tensor) => tensor !== undefined);

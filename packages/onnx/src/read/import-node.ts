import {
  type AttributeSpecification,
  type AttributeValue,
  definitionOf,
  isModelwrightError,
  isOpName,
  isUnknownShape,
  type Node,
  type OpDefinition,
  type Tensor,
  tensor,
  unknownShape,
  type Value,
  type ValueType,
} from '@modelwright/core';
import type { UpConversionContext } from '../upconvert/rule.js';
import { upConvert } from '../upconvert/up-convert.js';
import { coreAttributes } from './core-attributes.js';
import { invalidModel } from './file-context.js';
import type { GraphImporter } from './import-graph.js';
import { likelyDType } from './likely-dtype.js';
import { isSourceGraph, type SourceAttribute, type SourceGraph, type SourceNode } from './source-node.js';
import { subgraphInputTypes } from './subgraph-inputs.js';
import { importTrainingBranch, isTrainingBranch } from './training-branch.js';

/** Brings a node to its canonical form and adds what comes of it to the importer's graph. */
export function importNode(importer: GraphImporter, node: SourceNode, opset: number): void {
  if (node.op === '') throw invalidModel('the node has no operator');
  importer.builder.scoped({ name: node.name, kind: node.op }, () => {
    upConvert(node, opset, conversionContext(importer, node), (converted) => addNode(importer, converted));
  });
}

function conversionContext(importer: GraphImporter, node: SourceNode): UpConversionContext {
  const { builder, values } = importer;
  const added = (value: Value): string => {
    values.define(value.name, value);
    return value.name;
  };
  let count = 0;
  return {
    typeOf: (name) => values.get(name),
    constantOf: (name) => builder.constantOf(values.get(name)),
    isUsed: (name) => importer.isUsed(name),
    constant: (value) => added(builder.constant(value)),
    integers: (numbers) => added(builder.constant(tensor(numbers, { dtype: 'int64', shape: [numbers.length] }))),
    fresh: (hint) => `${node.name}/${hint}${count++}`,
    fail: (message) => {
      throw invalidModel(`${node.op} '${node.name}': ${message}`, { op: node.op, layer: node.name });
    },
  };
}

function addNode(importer: GraphImporter, node: SourceNode): void {
  const { values, builder, file } = importer;
  if (isTrainingBranch(node)) {
    importTrainingBranch(importer, node);
    return;
  }
  const inputs = node.inputs.map((name) => (name === '' ? undefined : values.get(name)));
  for (const name of node.outputs) {
    if (name === '') file.budget.addCharacters(node.name.length);
    else if (values.hasOwn(name)) throw invalidModel(`the value '${name}' is defined twice`, { input: name });
  }
  if (node.op === 'Constant' && node.domain === '') {
    const output = node.outputs[0] ?? '';
    values.define(output, builder.constant(constantValue(node), output === '' ? {} : { name: output }));
    return;
  }
  const outputs = buildNode(importer, node, inputs);
  node.outputs.forEach((name, index) => {
    const value = outputs[index];
    if (value === undefined)
      throw invalidModel(`${node.op} has ${outputs.length} outputs, ${node.outputs.length} are named`);
    file.budget.addShape(value.shape);
    if (name !== '') values.define(name, value);
  });
}

/** The one attribute of a `Constant` as a tensor. */
function constantValue(node: SourceNode): Tensor {
  const { value, value_int, value_ints, value_float, value_floats, value_string, value_strings } = node.attributes;
  if (typeof value === 'object' && 'dtype' in value) return value;
  if (typeof value_int === 'number') return tensor(value_int, { dtype: 'int64' });
  if (typeof value_float === 'number') return tensor(value_float, { dtype: 'float32' });
  if (typeof value_string === 'string') return tensor(value_string, { dtype: 'string', shape: [] });
  const listed: readonly [SourceAttribute | undefined, 'int64' | 'float32' | 'string'][] = [
    [value_ints, 'int64'],
    [value_floats, 'float32'],
    [value_strings, 'string'],
  ];
  for (const [list, dtype] of listed) {
    if (Array.isArray(list)) return tensor(list as readonly number[], { dtype, shape: [list.length] });
  }
  throw invalidModel('a Constant needs exactly one value');
}

function buildNode(
  importer: GraphImporter,
  node: SourceNode,
  inputs: readonly (Value | undefined)[],
): readonly Value[] {
  const taken = takenBranch(importer, node, inputs);
  if (taken !== undefined) return importer.importInPlace(taken);
  const attributes = withSubgraphs(importer, node, inputs);
  const definition = definitionOf(node);
  if (definition === undefined || !isOpName(node.op, node.domain))
    return addUnchecked(importer, node, inputs, attributes);
  const checked = coreAttributes(node, attributes, definition as OpDefinition);
  // Shapes cannot be inferred from a value that has none.
  if (inputs.some((input) => input !== undefined && isUnknownShape(input.shape))) {
    return addUnchecked(importer, node, inputs, { ...defaultsOf(definition as OpDefinition), ...checked });
  }
  try {
    const names = { nodeName: node.name, outputNames: node.outputs, outputs: node.outputs.length };
    return importer.builder.node(node.op, inputs, checked as never, names);
  } catch (error) {
    // The number of axes depends on what is computed: whoever runs the node will see.
    if (!isModelwrightError(error, 'unsupported-shape')) throw error;
    return addUnchecked(importer, node, inputs, { ...defaultsOf(definition as OpDefinition), ...checked });
  }
}

/**
 * The branch of an `If` whose condition is known. Exporters write such nodes where a shape decides, and their branches
 * may not even agree on the number of axes.
 */
function takenBranch(
  importer: GraphImporter,
  node: SourceNode,
  [condition]: readonly (Value | undefined)[],
): SourceGraph | undefined {
  if (node.op !== 'If' || node.domain !== '' || condition === undefined) return undefined;
  const known = importer.builder.known.of(condition)?.[0];
  if (typeof known !== 'number') return undefined;
  const branch = node.attributes[known === 0 ? 'else_branch' : 'then_branch'];
  return isSourceGraph(branch) ? branch : undefined;
}

function defaultsOf(definition: OpDefinition): Node['attributes'] {
  const specifications = Object.entries(definition.attributes) as [string, AttributeSpecification][];
  return Object.fromEntries(specifications.map(([name, specification]) => [name, specification.default]));
}

/** Keeps a node whose output types cannot be inferred; the file's own declarations tell them, if it has any. */
function addUnchecked(
  importer: GraphImporter,
  node: SourceNode,
  inputs: readonly (Value | undefined)[],
  attributes: Node['attributes'],
): readonly Value[] {
  const outputs = node.outputs.map((name, index): ValueType => {
    const declared = name === '' ? undefined : importer.declaredTypeOf(name);
    const dtype = declared?.dtype ?? likelyDType(node, index, inputs, attributes);
    return { dtype, shape: declared?.shape ?? unknownShape };
  });
  const { op, domain, attributeKinds, name: nodeName, outputs: outputNames } = node;
  return importer.builder.foreign({ op, domain, inputs, attributes, attributeKinds, outputs, nodeName, outputNames });
}

function withSubgraphs(
  importer: GraphImporter,
  node: SourceNode,
  inputs: readonly (Value | undefined)[],
): { readonly [name: string]: AttributeValue } {
  const types = subgraphInputTypes(node, inputs);
  const read = (graph: SourceGraph): AttributeValue => importer.importSubgraph(graph, types);
  const entries = Object.entries(node.attributes).map(([name, value]): [string, AttributeValue] => {
    if (isSourceGraph(value)) return [name, read(value)];
    if (Array.isArray(value) && value.some(isSourceGraph)) {
      return [name, (value as unknown as readonly SourceGraph[]).map(read) as unknown as AttributeValue];
    }
    return [name, value as AttributeValue];
  });
  return Object.fromEntries(entries);
}

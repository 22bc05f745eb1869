import {
  type Graph,
  type GraphBuilder,
  isUnknownShape,
  ModelwrightError,
  type Shape,
  type Value,
  type ValueType,
} from '@modelwright/core';
import type { GraphProto, ValueInfoProto } from '../generated/onnx.generated.js';
import { trainingCondition } from '../own-names.js';
import { decodeTensor } from '../tensor/decode-tensor.js';
import { decodeSparseTensor } from '../tensor/sparse-tensor.js';
import { type FileContext, invalidModel, located } from './file-context.js';
import { importNode } from './import-node.js';
import type { NameScope } from './name-scope.js';
import { namesReadBy, sortNodes } from './sort-nodes.js';
import type { SourceGraph } from './source-node.js';
import { sourceNodes } from './source-nodes.js';
import { ValueScope } from './value-scope.js';
import { type DeclarationContext, type DeclaredType, declaredType } from './value-types.js';

/** Types of inputs that the file itself leaves open. */
export interface InputTypes {
  /** By name, as the caller gave them for the whole model. */
  readonly shapes?: { readonly [name: string]: Shape };
  /** By position, as a node knows them of its subgraph. */
  readonly types?: readonly (ValueType | undefined)[];
}

/** Reads one graph of a file into a builder; its subgraphs are read by further importers over the same file. */
export class GraphImporter {
  readonly file: FileContext;
  readonly builder: GraphBuilder;
  readonly values: ValueScope;
  readonly #proto: GraphProto;
  readonly #names: NameScope;
  readonly #declared: ReadonlyMap<string, ValueInfoProto>;
  readonly #isSubgraph: boolean;
  #usedNames: ReadonlySet<string> | undefined;

  constructor(file: FileContext, builder: GraphBuilder, source: SourceGraph, outer?: ValueScope) {
    this.file = file;
    this.builder = builder;
    this.values = new ValueScope(outer);
    this.#isSubgraph = outer !== undefined;
    this.#proto = source.proto;
    this.#names = source.names;
    const infos = [...source.proto.valueInfo, ...source.proto.output];
    this.#declared = new Map(infos.map((info) => [source.names.valueName(info.name), info]));
  }

  /** Reads everything: constants, inputs, nodes, outputs, in that order. */
  import(inputTypes: InputTypes = {}): void {
    this.#importInitializers();
    this.#importInputs(inputTypes);
    this.#importNodes();
    this.#importOutputs();
  }

  /** Reads a subgraph without inputs as if its nodes stood in this graph; gives the values of its outputs. */
  importInPlace({ proto, names }: SourceGraph): readonly Value[] {
    // A subgraph has to hand outer values on through nodes; here they stand for themselves.
    const handedOn = handingNodes(proto);
    const node = proto.node.filter((each) => !handedOn.has(each.output[0] ?? ''));
    const inner = new GraphImporter(this.file, this.builder, { proto: { ...proto, node }, names }, this.values);
    inner.#importInitializers();
    inner.#importNodes();
    return proto.output.map(({ name }) => inner.values.get(names.valueName(handedOn.get(name) ?? name)));
  }

  #importNodes(): void {
    const given = new Set([...this.#proto.input, ...this.#proto.initializer].map(({ name }) => name));
    for (const proto of sortNodes(this.#proto.node, given)) {
      const where = `node '${proto.name || proto.output[0] || ''}' (${proto.opType})`;
      located(where, { layer: proto.name, op: proto.opType }, () => {
        for (const { node, opset } of sourceNodes(proto, this.#names, this.file)) importNode(this, node, opset);
      });
    }
  }

  /** Reads a subgraph of a node, which may capture values of this graph. */
  importSubgraph(source: SourceGraph, types: readonly (ValueType | undefined)[]): Graph {
    return this.builder.subgraph(source.proto.name || 'body', (inner) => {
      new GraphImporter(this.file, inner, source, this.values).import({ types });
    });
  }

  /** What the file declares of a value, if it does. */
  declaredTypeOf(name: string): DeclaredType | undefined {
    const info = this.#declared.get(name);
    return info === undefined ? undefined : declaredType(info, `value '${name}'`, this.#declarations());
  }

  /** Whether a node of this graph, or the graph itself as an output, reads the value. */
  isUsed(name: string): boolean {
    this.#usedNames ??= new Set(
      [
        ...this.#proto.node.flatMap((node) => [...namesReadBy(node)]),
        ...this.#proto.output.map((info) => info.name),
      ].map((each) => this.#names.valueName(each)),
    );
    return this.#usedNames.has(name);
  }

  #importInitializers(): void {
    for (const proto of this.#proto.initializer) {
      const what = `initializer '${proto.name}'`;
      if (proto.name === '') throw invalidModel('an initializer has no name');
      if (proto.name === trainingCondition) continue;
      this.#define(proto.name, (name) => this.builder.constant(decodeTensor(proto, what, this.file), { name }));
    }
    for (const proto of this.#proto.sparseInitializer) {
      const name = proto.values?.name ?? '';
      if (name === '') throw invalidModel('a sparse initializer has no name');
      this.#define(name, (own) => this.builder.constant(decodeSparseTensor(proto, name, this.file), { name: own }));
    }
  }

  #importInputs(inputTypes: InputTypes): void {
    // Until IR 4 every initializer had to be listed as an input too; what has a value is a constant here.
    const constants = new Set(this.builder.build().constants.keys());
    this.#proto.input.forEach((info, index) => {
      const existing = this.values.find(this.#names.valueName(info.name));
      if (existing !== undefined && constants.has(existing)) return;
      if (info.name === '') throw invalidModel(`input ${index} of graph '${this.#proto.name}' has no name`);
      const { dtype, shape } = this.#inputType(info, inputTypes.shapes?.[info.name], inputTypes.types?.[index]);
      this.#define(info.name, (name) => this.builder.input(name, dtype, shape));
    });
  }

  #inputType(info: ValueInfoProto, given: Shape | undefined, known: ValueType | undefined): ValueType {
    const what = `input '${info.name}'`;
    const declared = declaredType(info, what, this.#declarations(info.name));
    const dtype = declared?.dtype ?? known?.dtype;
    const shape = given ?? declared?.shape ?? known?.shape;
    if (dtype === undefined)
      throw invalidModel(`${what} of graph '${this.#proto.name}' has no type`, { input: info.name });
    if (shape !== undefined) return { dtype, shape };
    throw new ModelwrightError('unsupported-shape', `${what} does not say how many axes it has`, {
      input: info.name,
      hint: `pass inputShapes: { '${info.name}': [...] }`,
    });
  }

  /** @param input - Name of the input of the whole model that is declared: its open extents are named after it. */
  #declarations(input?: string): DeclarationContext {
    const { limits } = this.file;
    const isNamed = input !== undefined && !this.#isSubgraph;
    return { limits, openExtent: (axis) => (isNamed ? `${input}.${axis}` : this.builder.known.fresh('n')) };
  }

  #importOutputs(): void {
    for (const info of this.#proto.output) {
      const value = this.values.get(this.#names.valueName(info.name));
      const declared = declaredType(info, `output '${info.name}'`, this.#declarations());
      if (declared !== undefined && declared.dtype !== value.dtype && !isUnknownShape(value.shape)) {
        throw invalidModel(`output '${info.name}' is declared ${declared.dtype}, but its node gives ${value.dtype}`, {
          given: value.dtype,
          allowed: declared.dtype,
        });
      }
      this.builder.output(info.name, value);
    }
  }

  #define(name: string, make: (name: string) => Value): void {
    const own = this.#names.valueName(name);
    if (this.values.hasOwn(own)) throw invalidModel(`the value '${name}' is defined twice`, { input: name });
    this.values.define(own, make(own));
  }
}

/** Names of outputs that a graph's nodes only hand on for it, with what they hand on. */
function handingNodes({ node, output }: GraphProto): ReadonlyMap<string, string> {
  const results = new Set(output.map(({ name }) => name));
  const read = new Set(node.flatMap((each) => [...namesReadBy(each)]));
  const pairs = node
    .filter(({ opType, domain }) => opType === 'Identity' && domain === '')
    .map(({ input, output }): [string, string] => [output[0] ?? '', input[0] ?? '']);
  return new Map(pairs.filter(([to, from]) => results.has(to) && !read.has(to) && !results.has(from)));
}

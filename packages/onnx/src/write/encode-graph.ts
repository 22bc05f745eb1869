import { create, type MessageInitShape } from '@bufbuild/protobuf';
import {
  type AttributeKind,
  type AttributeValue,
  capturesOf,
  type Graph,
  isForeign,
  isUnknownShape,
  modelwrightDomain,
  type Node,
  type Tensor,
  type Value,
  valuesReadBy,
} from '@modelwright/core';
import {
  type AttributeProto,
  AttributeProtoSchema,
  type GraphProto,
  GraphProtoSchema,
  type NodeProto,
  NodeProtoSchema,
  AttributeProto_AttributeType as Type,
} from '../generated/onnx.generated.js';
import { constantNode } from './constant-node.js';
import { downConvert } from './down-convert.js';
import { rawBytesOf, tensorProto } from './encode-tensor.js';
import { isKept, isWritable, refuseNode } from './op-support.js';
import { valueInfo } from './value-info.js';
import { ValueNames } from './value-names.js';
import { type WrittenAttribute, type WrittenNode, writtenNode } from './written-node.js';

export interface GraphEncoding {
  readonly opset: number;
  readonly valueInfo: boolean;
  /** Gives the name of the function that a node is written as a call of; without it all nodes stand as they are. */
  readonly functions?: { nameFor(node: Node): string };
}

/** A graph without its constants, and the constants it needs by the name the file gives them. */
export interface EncodedGraph {
  readonly proto: GraphProto;
  readonly constants: ReadonlyMap<string, Tensor>;
  readonly names: ValueNames;
}

/**
 * Encodes a graph whose nodes all exist in the opset (see `isWritable`), possibly with other attributes there.
 *
 * @param wanted - Names for constants: those of weights.
 */
export function encodeGraph(graph: Graph, encoding: GraphEncoding, wanted: ReadonlyMap<Value, string>): EncodedGraph {
  return new GraphEncoder(graph, encoding).encode(wanted);
}

class GraphEncoder {
  readonly #graph: Graph;
  readonly #encoding: GraphEncoding;
  readonly #outer: GraphEncoder | undefined;
  readonly #names: ValueNames;
  /** Constants that down-conversion adds. */
  readonly #added: Map<Value, Tensor> = new Map();

  constructor(graph: Graph, encoding: GraphEncoding, outer?: GraphEncoder) {
    this.#graph = graph;
    this.#encoding = encoding;
    this.#outer = outer;
    this.#names = new ValueNames(outer === undefined ? undefined : outer.#names);
  }

  encode(wanted: ReadonlyMap<Value, string>): EncodedGraph {
    const graph = this.#graph;
    this.#names.reserve(graph, wanted);
    const written = graph.nodes.map((node) => this.#written(node));
    const node = [...this.#constantNodes(), ...written.map((each) => this.#node(each))];
    const output = graph.outputs.map((result) => valueInfo(this.#outputName(result, node), result.value));
    const proto = create(GraphProtoSchema, {
      name: graph.name || 'graph',
      node,
      input: graph.inputs.map((input) => valueInfo(this.#names.of(input), input)),
      output,
      valueInfo: this.#innerTypes(new Set(output.map(({ name }) => name ?? ''))),
    });
    return { proto, constants: this.#constants(written), names: this.#names };
  }

  #written(node: Graph['nodes'][number]): WrittenNode {
    const { opset, functions } = this.#encoding;
    if (functions !== undefined && isKept(node, opset))
      return { ...writtenNode(node), op: functions.nameFor(node), domain: modelwrightDomain };
    if (!isWritable(node, opset)) refuseNode(node, opset);
    return downConvert(writtenNode(node), {
      opset,
      constantOf: (value) => this.#constantOf(value),
      constant: (held) => {
        const value: Value = { name: `${node.name}/constant`, dtype: held.dtype, shape: held.shape };
        this.#added.set(value, held);
        return value;
      },
    });
  }

  #constantOf(value: Value): Tensor | undefined {
    return this.#graph.constants.get(value) ?? (this.#outer === undefined ? undefined : this.#outer.#constantOf(value));
  }

  #node(node: WrittenNode): NodeProto {
    return create(NodeProtoSchema, {
      name: node.name,
      opType: node.op,
      domain: node.domain,
      input: node.inputs.map((input) => (input === undefined ? '' : this.#names.of(input))),
      output: node.outputs.map((output) => this.#names.of(output)),
      attribute: Object.entries(node.attributes).map(([name, attribute]) => this.#attribute(name, attribute)),
    });
  }

  #attribute(name: string, { kind, value }: WrittenAttribute): AttributeProto {
    return create(AttributeProtoSchema, { name, type: attributeTypes[kind], ...this.#attributeValue(kind, value) });
  }

  #attributeValue(kind: AttributeKind, value: AttributeValue): MessageInitShape<typeof AttributeProtoSchema> {
    switch (kind) {
      case 'int':
        return { i: BigInt(value as number) };
      case 'float':
        return { f: value as number };
      case 'string':
        return { s: textBytes(value as string | Tensor) };
      case 'tensor':
        return { t: tensorProto(value as Tensor) };
      case 'graph':
        return { g: this.#subgraph(value as Graph) };
      case 'ints':
        return { ints: (value as readonly number[]).map(BigInt) };
      case 'floats':
        return { floats: [...(value as readonly number[])] };
      case 'strings':
        return { strings: (value as readonly (string | Tensor)[]).map(textBytes) };
      case 'tensors':
        return { tensors: (value as readonly Tensor[]).map((tensor) => tensorProto(tensor)) };
      case 'graphs':
        return { graphs: (value as readonly Graph[]).map((graph) => this.#subgraph(graph)) };
    }
  }

  #subgraph(graph: Graph): GraphProto {
    const { proto, constants } = new GraphEncoder(graph, this.#encoding, this).encode(new Map());
    proto.initializer = [...constants].map(([name, tensor]) => tensorProto(tensor, name));
    return proto;
  }

  /** The name of a result; a node that copies is added where the value cannot bear that name itself. */
  #outputName({ name, value }: Graph['outputs'][number], nodes: NodeProto[]): string {
    const inFile = this.#names.of(value);
    if (inFile === name && !this.#outlives(value)) return name;
    const free = this.#names.claim(this.#names.fresh(name));
    nodes.push(
      create(NodeProtoSchema, { name: `${free}/Identity`, opType: 'Identity', input: [inFile], output: [free] }),
    );
    return free;
  }

  /** Whether the value belongs to a graph around this one. */
  #outlives(value: Value): boolean {
    const { nodes, inputs, constants } = this.#graph;
    return !constants.has(value) && !inputs.includes(value) && !nodes.some((node) => node.outputs.includes(value));
  }

  /** Results that are constants come from nodes: an initializer is no result everywhere. */
  #constantNodes(): NodeProto[] {
    return this.#constantResults().map(([value, tensor]) => constantNode(this.#names.of(value), tensor));
  }

  #constantResults(): readonly (readonly [Value, Tensor])[] {
    const results = this.#graph.outputs.filter(({ name, value }) => this.#names.of(value) === name);
    const values = new Set(results.map(({ value }) => value));
    return [...this.#graph.constants].filter(([value]) => values.has(value));
  }

  #innerTypes(outputs: ReadonlySet<string>): ReturnType<typeof valueInfo>[] {
    // A reader cannot infer what an op it does not know gives, so those types are always written.
    const nodes = this.#encoding.valueInfo ? this.#graph.nodes : this.#graph.nodes.filter(isForeign);
    const values = nodes.flatMap((node) => node.outputs).filter((value) => !isUnknownShape(value.shape));
    return values
      .map((value) => valueInfo(this.#names.of(value), value))
      .filter(({ name }) => !outputs.has(name ?? ''));
  }

  /** All constants but those that only the canonical form of a node needed. */
  #constants(written: readonly WrittenNode[]): ReadonlyMap<string, Tensor> {
    const before = new Set(this.#graph.nodes.flatMap((node) => valuesReadBy(node)));
    const after = new Set<Value | undefined>(written.flatMap((node) => node.inputs));
    for (const node of written) {
      for (const { value } of Object.values(node.attributes))
        for (const captured of capturedBy(value)) after.add(captured);
    }
    for (const { value } of this.#graph.outputs) after.add(value);
    const results = new Set(this.#constantResults().map(([value]) => value));
    const kept = [...this.#graph.constants].filter(
      ([value]) => (after.has(value) || !before.has(value)) && !results.has(value),
    );
    return new Map([...kept, ...this.#added].map(([value, tensor]) => [this.#names.of(value), tensor]));
  }
}

const encoder = new TextEncoder();

/** Bytes that were no text were read as a tensor. */
function textBytes(value: string | Tensor): Uint8Array {
  return typeof value === 'string' ? encoder.encode(value) : rawBytesOf(value);
}

function capturedBy(value: AttributeValue): readonly Value[] {
  const items: readonly unknown[] = Array.isArray(value) ? value : [value];
  return items.flatMap((item) =>
    typeof item === 'object' && item !== null && 'nodes' in item ? [...capturesOf(item as Graph)] : [],
  );
}

const attributeTypes: { readonly [K in AttributeKind]: (typeof Type)[keyof typeof Type] } = {
  int: Type.INT,
  float: Type.FLOAT,
  string: Type.STRING,
  tensor: Type.TENSOR,
  graph: Type.GRAPH,
  ints: Type.INTS,
  floats: Type.FLOATS,
  strings: Type.STRINGS,
  tensors: Type.TENSORS,
  graphs: Type.GRAPHS,
};

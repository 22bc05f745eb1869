import { create, toBinary } from '@bufbuild/protobuf';
import { decomposeNode, GraphBuilder, modelwrightDomain, type Node, type Value } from '@modelwright/core';
import { type FunctionProto, FunctionProtoSchema } from '../generated/onnx.generated.js';
import { functionName } from '../own-names.js';
import { constantNode } from './constant-node.js';
import { encodeGraph } from './encode-graph.js';
import { lowerGraph } from './lower-graph.js';

/** The functions of a file. Each op has as many as its nodes have different bodies. */
export class FunctionTable {
  readonly #opset: number;
  readonly #names: Map<string, string> = new Map();
  readonly #counts: Map<string, number> = new Map();
  readonly #functions: FunctionProto[] = [];

  constructor(opset: number) {
    this.#opset = opset;
  }

  get functions(): readonly FunctionProto[] {
    return this.#functions;
  }

  /** @returns the name of the function that computes the node. */
  nameFor(node: Node): string {
    const definition = functionOf(node, this.#opset);
    const key = `${node.op} ${toBinary(FunctionProtoSchema, definition).join()}`;
    const known = this.#names.get(key);
    if (known !== undefined) return known;
    const count = this.#counts.get(node.op) ?? 0;
    this.#counts.set(node.op, count + 1);
    const name = functionName(node.op, count);
    this.#names.set(key, name);
    this.#functions.push({ ...definition, name });
    return name;
  }
}

// Everything that is fixed for the node is fixed in the body; its attributes are there for whoever knows the op.
function functionOf(node: Node, opset: number): FunctionProto {
  const builder = new GraphBuilder(node.op);
  const inputs = node.inputs.map((input, index): Value | undefined =>
    input === undefined ? undefined : builder.input(`input${index}`, input.dtype, input.shape),
  );
  // Without its name, which would make equal bodies different.
  const outputs = decomposeNode({ ...node, name: node.op }, inputs, builder) ?? [];
  outputs.slice(0, node.outputs.length).forEach((value, index) => {
    builder.output(`output${index}`, value);
  });
  const { graph } = lowerGraph(builder.build(), { opset });
  const { proto, constants } = encodeGraph(graph, { opset, valueInfo: false }, new Map());
  const held = [...constants].map(([name, tensor]) => constantNode(name, tensor));
  return create(FunctionProtoSchema, {
    domain: modelwrightDomain,
    input: node.inputs.map((_, index) => `input${index}`),
    output: node.outputs.map((_, index) => `output${index}`),
    attribute: Object.keys(node.attributes),
    node: [...held, ...proto.node],
    opsetImport: [{ domain: '', version: BigInt(opset) }],
  });
}

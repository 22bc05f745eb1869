import {
  type Bindings,
  castTo,
  copyNode,
  type Graph,
  GraphBuilder,
  inlineGraph,
  type Model,
  type Node,
  type Parameter,
  reshapeTo,
  type Tensor,
  tensor,
  transposed,
  type Value,
} from '@modelwright/core';
import { type AdaptedWeight, type AdapterRecord, factorNames, scaleName } from './adapter-record.js';
import type { Factors } from './factors.js';

/** A model's graph with an adapter, and the constants that are the adapter. */
export interface Grafted {
  readonly graph: Graph;
  /** By parameter name. */
  readonly added: ReadonlyMap<string, Value>;
}

interface Graft {
  readonly builder: GraphBuilder;
  readonly target: AdaptedWeight;
  readonly weight: Value;
  readonly a: Value;
  readonly b: Value;
  readonly scale: Value;
  readonly dropout: number;
}

/** Adds the branches of an adapter to a model's graph. */
export function graftAdapter(model: Model, adapter: AdapterRecord, factors: ReadonlyMap<string, Factors>): Grafted {
  const { graph } = model;
  const builder = new GraphBuilder(graph.name);
  const added = new Map<string, Value>();
  const hold = (name: string, held: Tensor): Value => {
    const value = builder.constant(held, { name });
    added.set(name, value);
    return value;
  };
  const bindings: Bindings = new Map();
  for (const input of graph.inputs) bindings.set(input, builder.input(input.name, input.dtype, input.shape));
  const scale = hold(scaleName(adapter.name), tensor(adapter.alpha / adapter.rank, { dtype: 'float32', shape: [] }));
  const grafts = adapter.weights.map((target): Graft => {
    const { value } = model.parameters.find(({ name }) => name === target.weight) as Parameter;
    const names = factorNames(target.weight, adapter.name);
    const { a, b } = factors.get(target.weight) as Factors;
    const weight = builder.constant(model.graph.constants.get(value) as Tensor, { name: value.name });
    bindings.set(value, weight);
    const made = { builder, target, weight, a: hold(names.a, a), b: hold(names.b, b), dropout: adapter.dropout };
    return { ...made, scale: castTo(builder, scale, weight.dtype) };
  });
  const beside = new Map<Value, Graft>();
  for (const graft of grafts) {
    if (graft.target.beside) beside.set(graft.weight, graft);
    else {
      const { value } = model.parameters.find(({ name }) => name === graft.target.weight) as Parameter;
      bindings.set(
        value,
        scoped(graft, adapter.name, () => changedWeight(graft)),
      );
    }
  }
  const outputs = inlineGraph(builder, graph, bindings, {
    rewrite(node, inputs, _, resolve) {
      const graft = graftAt(node, inputs, beside);
      return graft === undefined ? undefined : [withBranch(node, inputs, { graft, resolve, adapter: adapter.name })];
    },
  });
  graph.outputs.forEach(({ name }, index) => {
    builder.output(name, outputs[index] as Value);
  });
  return { graph: builder.build(), added };
}

function scoped<T>({ builder, target }: Graft, adapter: string, build: () => T): T {
  return builder.scoped({ name: `${target.weight}.lora.${adapter}`, kind: 'lora' }, build);
}

/** The weight itself, changed: `W + scale · A·B`. */
function changedWeight({ builder, target, weight, a, b, scale }: Graft): Value {
  const shape = weight.shape.map(Number);
  let change: Value;
  if (target.kind === 'conv') {
    const [out, rank] = b.shape.map(Number) as [number, number];
    change = builder.op('MatMul', [reshapeTo(builder, b, [out, rank]), reshapeTo(builder, a, [rank, -1])]);
  } else {
    change = builder.op('MatMul', [a, b]);
    if (target.transposed) change = transposed(builder, change, [1, 0]);
  }
  return builder.op('Add', [weight, builder.op('Mul', [reshapeTo(builder, change, shape), scale])]);
}

function graftAt(
  { op, domain }: Node,
  inputs: readonly (Value | undefined)[],
  beside: ReadonlyMap<Value, Graft>,
): Graft | undefined {
  if (domain !== '') return undefined;
  const weight = inputs[op === 'Gather' ? 0 : 1];
  return weight === undefined ? undefined : beside.get(weight);
}

interface Branch {
  readonly graft: Graft;
  readonly adapter: string;
  readonly resolve: (value: Value) => Value;
}

/** `node(x) + scale · B(A(dropout(x)))`, under the name that the node's output had. */
function withBranch(node: Node, inputs: readonly (Value | undefined)[], { graft, adapter, resolve }: Branch): Value {
  const { builder, scale } = graft;
  const output = node.outputs[0] as Value;
  const plain = { ...node, outputs: [{ ...output, name: `${output.name}.base` }] };
  const [base] = copyNode(builder, plain, inputs, resolve) as [Value];
  return scoped(graft, adapter, () => {
    const change = builder.op('Mul', [branchOf(node, inputs, graft), scale]);
    return builder.op('Add', [base, change], {}, { name: output.name });
  });
}

function branchOf({ op, attributes }: Node, inputs: readonly (Value | undefined)[], graft: Graft): Value {
  const { builder, target, a, b, dropout } = graft;
  if (op === 'Gather') return builder.op('MatMul', [builder.op('Gather', [a, inputs[1]], { axis: 0 }), b]);
  const input = inputs[0] as Value;
  const x = dropout === 0 ? input : builder.op('Dropout', [input, builder.scalar(dropout, 'float32')]);
  if (target.kind === 'conv') return builder.op('Conv', [builder.op('Conv', [x, a], attributes), b]);
  return builder.op('MatMul', [builder.op('MatMul', [x, a]), b]);
}

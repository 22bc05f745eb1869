import { ModelwrightError } from '../errors.js';
import type { Node, Value } from '../graph/graph.js';
import { valuesReadBy } from '../graph/graph.js';
import type { GraphBuilder } from '../graph/graph-builder.js';
import type { GradientContext } from '../ops/definition.js';
import { definitionOf } from '../ops/registry.js';
import { isFloat } from '../tensor/dtype.js';
import { concreteShape } from '../tensor/shape.js';
import { fullTensor, zeros } from '../tensor/tensor.js';
import { sumToShape } from './sum-to-shape.js';

export interface BackpropagateOptions {
  /** Nodes of the graph being differentiated, in topological order: those already in `builder` (default all). */
  readonly nodes?: readonly Node[];
  /** Values whose gradient counts as zero: nothing flows past them. */
  readonly stopAt?: ReadonlySet<Value>;
}

/** A value to differentiate and the cotangent to start from; default ones. */
export interface Seed {
  readonly value: Value;
  readonly gradient?: Value;
}

/**
 * Reverse-mode differentiation, graph → graph: adds to `builder` the nodes that compute `Σ_s ⟨seed_s, ∂value_s/∂target⟩`.
 *
 * @param seeds - What is differentiated; several losses add up.
 * @param targets - What it is differentiated by.
 * @returns one gradient a target, of its shape and dtype; zeros where it has no influence.
 * @throws {@link ModelwrightError} `not-differentiable` naming the node when a gradient has to pass an op that has none,
 *   `unsupported-shape` when a shape is symbolic.
 */
export function backpropagate(
  builder: GraphBuilder,
  seeds: readonly Seed[],
  targets: readonly Value[],
  options: BackpropagateOptions = {},
): readonly Value[] {
  const nodes = options.nodes ?? builder.build().nodes;
  const stopAt = options.stopAt ?? new Set<Value>();
  const influenced = valuesInfluencedBy(targets, nodes, stopAt);
  const gradients = new Map<Value, Value>();
  for (const { value, gradient } of seeds) {
    accumulate(builder, gradients, value, gradient ?? onesLike(builder, value));
  }
  for (const node of [...nodes].reverse()) {
    if (node.outputs.some((output) => gradients.has(output))) differentiateNode(builder, node, gradients, influenced);
  }
  return targets.map((target) => gradients.get(target) ?? zerosLike(builder, target));
}

function valuesInfluencedBy(
  targets: readonly Value[],
  nodes: readonly Node[],
  stopAt: ReadonlySet<Value>,
): ReadonlySet<Value> {
  const influenced = new Set(targets.filter((target) => !stopAt.has(target)));
  for (const node of nodes) {
    if (!valuesReadBy(node).some((value) => influenced.has(value))) continue;
    for (const output of node.outputs) if (!stopAt.has(output) && isFloat(output.dtype)) influenced.add(output);
  }
  return influenced;
}

function differentiateNode(
  builder: GraphBuilder,
  node: Node,
  gradients: Map<Value, Value>,
  influenced: ReadonlySet<Value>,
): void {
  if (!valuesReadBy(node).some((value) => influenced.has(value))) return;
  const rule = definitionOf(node)?.gradient;
  if (rule === undefined || rule === 'not-differentiable') {
    throw new ModelwrightError(
      'not-differentiable',
      `no gradient passes ${node.op} '${node.name}', but a trainable weight lies before it`,
      { op: node.op, layer: node.name },
    );
  }
  const outputGradients = node.outputs.map((output) => gradients.get(output));
  const results = builder.scoped({ name: `gradient/${node.name}` }, () =>
    rule(gradientContext({ builder, node, outputGradients, influenced })),
  );
  node.inputs.forEach((input, index) => {
    const gradient = results[index];
    if (input === undefined || gradient === undefined || !influenced.has(input)) return;
    accumulate(builder, gradients, input, sumToShape(builder, gradient, concreteShape(input.shape, `'${input.name}'`)));
  });
  // Values that subgraphs capture follow the inputs, in the order of `valuesReadBy`.
  valuesReadBy(node)
    .slice(node.inputs.filter((input) => input !== undefined).length)
    .forEach((captured, index) => {
      const gradient = results[node.inputs.length + index];
      if (gradient !== undefined && influenced.has(captured)) accumulate(builder, gradients, captured, gradient);
    });
}

interface GradientRequest {
  readonly builder: GraphBuilder;
  readonly node: Node;
  readonly outputGradients: readonly (Value | undefined)[];
  readonly influenced: ReadonlySet<Value>;
}

function gradientContext({ builder, node, outputGradients, influenced }: GradientRequest): GradientContext<object> {
  const captured = valuesReadBy(node).slice(node.inputs.filter((input) => input !== undefined).length);
  return {
    builder,
    inputs: node.inputs,
    outputs: node.outputs,
    attributes: node.attributes,
    outputGradients,
    get outputGradient(): Value {
      return outputGradients[0] ?? zerosLike(builder, node.outputs[0] as Value);
    },
    input(index: number): Value {
      const value = node.inputs[index];
      if (value !== undefined) return value;
      throw new ModelwrightError('invalid-graph', `${node.op} '${node.name}' lacks input ${index}`, {
        op: node.op,
        layer: node.name,
      });
    },
    needs(index: number): boolean {
      const value = index < node.inputs.length ? node.inputs[index] : captured[index - node.inputs.length];
      return value !== undefined && influenced.has(value);
    },
  };
}

function accumulate(builder: GraphBuilder, gradients: Map<Value, Value>, value: Value, gradient: Value): void {
  const sum = gradients.get(value);
  gradients.set(value, sum === undefined ? gradient : builder.op('Add', [sum, gradient]));
}

function onesLike(builder: GraphBuilder, value: Value): Value {
  return builder.constant(fullTensor(value.dtype, concreteShape(value.shape, `'${value.name}'`), 1), { name: 'ones' });
}

function zerosLike(builder: GraphBuilder, value: Value): Value {
  return builder.constant(zeros(value.dtype, concreteShape(value.shape, `'${value.name}'`)), { name: 'zeros' });
}

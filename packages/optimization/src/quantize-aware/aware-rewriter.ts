import {
  type GraphBuilder,
  inlineGraph,
  type Model,
  type Node,
  type Tensor,
  toNumbers,
  type Value,
} from '@modelwright/core';
import type { PlannedWeight, QuantizationPlan } from '../quantize/static/plan.js';
import type { WeightedNode } from '../weighted-nodes.js';
import { foldedWeight, normalizedLayer } from './normalized-layer.js';
import type { Rounding } from './rounding.js';
import type { NormalizedNode, Skeleton } from './skeleton.js';

interface RewriteRequest {
  readonly model: Model;
  readonly builder: GraphBuilder;
  readonly rounding: Rounding;
  readonly skeleton: Skeleton;
  readonly plan: QuantizationPlan;
  /** Weights rounded by themselves, by node. */
  readonly recurrent: ReadonlyMap<Node, readonly WeightedNode[]>;
}

type Inputs = readonly (Value | undefined)[];

/** Copies a model's authored graph with rounding where a plan, made on its skeleton, has it. */
export class AwareRewriter {
  readonly #request: RewriteRequest;
  /** By result: what the plan knows of the node that makes it. */
  readonly #weights: Map<Value, PlannedWeight> = new Map();
  readonly #movements: Set<Value> = new Set();
  /** Results of nodes that read rounded numbers. */
  readonly #integers: Set<Value> = new Set();
  /** Layers whose normalization comes later, with what they read. */
  readonly #waiting: Map<Node, Inputs> = new Map();
  readonly #normalized: ReadonlySet<Node>;
  /** Values that integer nodes alone see rounded, by value of the authored graph. */
  readonly #read: Map<Value, Value> = new Map();

  constructor(request: RewriteRequest) {
    this.#request = request;
    const { weights, followers, movements, absorbed } = request.plan;
    for (const [node, planned] of weights) this.#weights.set(node.outputs[0] as Value, planned);
    for (const { outputs } of movements) this.#movements.add(outputs[0] as Value);
    for (const nodes of [weights.keys(), followers, movements, absorbed]) {
      for (const { outputs } of nodes) this.#integers.add(outputs[0] as Value);
    }
    const pairs = [...request.skeleton.normalized.values()];
    this.#normalized = new Set(pairs.filter((pair) => this.#isFolded(pair)).map(({ node }) => node));
  }

  /** Makes the graph in the builder. */
  run(): void {
    const { model, builder } = this.#request;
    const bindings = new Map<Value, Value>();
    for (const input of model.graph.inputs) bindings.set(input, builder.input(input.name, input.dtype, input.shape));
    // All of them, so that weights keep their names.
    for (const [value, held] of model.graph.constants)
      bindings.set(value, builder.constant(held, { name: value.name }));
    const outputs = inlineGraph(builder, model.graph, bindings, {
      rewrite: (node, inputs) => this.#rewrite(node, inputs),
    });
    model.graph.outputs.forEach(({ name }, index) => {
      builder.output(name, outputs[index] as Value);
    });
  }

  #rewrite(node: Node, given: Inputs): Inputs | undefined {
    const { plan, skeleton, recurrent } = this.#request;
    if (this.#normalized.has(node)) {
      this.#waiting.set(node, given);
      return [];
    }
    const pair = skeleton.normalized.get(node);
    if (pair !== undefined && this.#normalized.has(pair.node)) return [this.#finished(node, this.#folded(pair, given))];
    const loops = recurrent.get(node);
    const [output] = node.outputs;
    if (loops !== undefined) return this.#copy(node, this.#withRoundedWeights(given, loops));
    if (output === undefined || !this.#integers.has(output)) return undefined;
    const inputs = this.#withRoundedData(node, given);
    const planned = this.#weights.get(output);
    const [result] = this.#copy(node, planned === undefined ? inputs : this.#withRoundedWeight(planned, inputs));
    return [plan.made.has(output) ? this.#finished(node, result as Value) : result];
  }

  #copy(node: Node, inputs: Inputs): readonly Value[] {
    const [output] = node.outputs;
    const names = { nodeName: node.name, ...(output === undefined ? {} : { name: output.name }) };
    return this.#request.builder.anyNode({ ...node, inputs }, node.outputs, names);
  }

  #isFolded({ normalization }: NormalizedNode): boolean {
    return this.#weights.has(normalization.outputs[0] as Value);
  }

  /** The result of an integer node as others see it. */
  #finished(node: Node, result: Value): Value {
    const [output] = node.outputs as readonly [Value];
    // What only moves rounded numbers gives rounded ones.
    if (!this.#request.plan.made.has(output) || this.#movements.has(output)) return result;
    return this.#round(output, result, node);
  }

  #withRoundedData(node: Node, inputs: Inputs): Inputs {
    const { plan, skeleton } = this.#request;
    const output = node.outputs[0] as Value;
    const readsOne = this.#weights.has(output) || this.#movements.has(output);
    return inputs.map((input, index) => {
      const value = node.inputs[index];
      if (input === undefined || value === undefined || (readsOne && index > 0)) return input;
      const known = this.#read.get(value);
      if (known !== undefined) return known;
      const source = skeleton.resolve(value);
      if (!plan.read.has(source)) return input;
      const rounded = this.#round(source, input, this.#producerOf(source));
      this.#read.set(value, rounded);
      return rounded;
    });
  }

  #round(value: Value, current: Value, producer: Node | undefined): Value {
    return this.#request.rounding.activation(current, {
      name: nameOf(value),
      isNonNegative: this.#isNonNegative(producer),
    });
  }

  #producerOf(value: Value): Node | undefined {
    return this.#request.model.graph.nodes.find(({ outputs }) => outputs.includes(value));
  }

  #withRoundedWeight({ value, weight, axis }: PlannedWeight, inputs: Inputs): Inputs {
    const { rounding } = this.#request;
    const rounded = rounding.weight(inputs[1] as Value, { name: value.name, axis, initial: weight });
    return [inputs[0], rounded, ...inputs.slice(2)];
  }

  #withRoundedWeights(inputs: Inputs, loops: readonly WeightedNode[]): Inputs {
    const { rounding } = this.#request;
    return inputs.map((input, index) => {
      const loop = loops.find((each) => each.input === index);
      if (input === undefined || loop === undefined) return input;
      return rounding.weight(input, { name: loop.value.name, axis: loop.outputAxis, initial: loop.weight });
    });
  }

  #folded(pair: NormalizedNode, given: Inputs): Value {
    const { builder, rounding, model } = this.#request;
    const { value, weight, axis } = this.#weights.get(pair.normalization.outputs[0] as Value) as PlannedWeight;
    const [scale, , , variance] = pair.normalization.inputs
      .slice(1)
      .map((each) => model.graph.constants.get(each as Value));
    const { epsilon } = pair.normalization.attributes as { epsilon: number };
    return normalizedLayer(builder, rounding, {
      pair,
      axis,
      inputs: this.#withRoundedData(pair.node, this.#waiting.get(pair.node) as Inputs),
      statistics: given.slice(1) as unknown as readonly [Value, Value, Value, Value],
      weightName: value.name,
      initial: foldedWeight(weight, axis, { scale: scale as Tensor, variance: variance as Tensor, epsilon }),
      isFrozen: this.#isNormalizationFrozen(pair.normalization),
    });
  }

  #isNonNegative(producer: Node | undefined): boolean {
    if (producer === undefined || producer.domain !== '') return false;
    if (producer.op !== 'Clip') return nonNegativeOps.has(producer.op);
    const low = producer.inputs[1] && this.#request.model.graph.constants.get(producer.inputs[1]);
    return low !== undefined && (toNumbers(low)[0] as number) >= 0;
  }

  // As for normalization by itself: one whose own weights are all frozen keeps its statistics.
  #isNormalizationFrozen({ inputs }: Node): boolean {
    const own = this.#request.model.parameters.filter(({ role, value }) => role === 'weight' && inputs.includes(value));
    return own.length > 0 && own.every(({ trainable }) => !trainable);
  }
}

/** `conv2d/Relu:0` → `conv2d/Relu` */
function nameOf({ name }: Value): string {
  return name.replace(/:0$/, '');
}

const nonNegativeOps: ReadonlySet<string> = new Set(['Relu', 'Sigmoid', 'Softplus', 'Softmax', 'HardSigmoid']);

import {
  fromNumbers,
  type Graph,
  type GraphBuilder,
  type Node,
  Tensor,
  toNumbers,
  type Value,
} from '@modelwright/core';
import {
  type AffineParameters,
  activationParameters,
  quantizeTensor,
  scaleTensor,
  type ValueRange,
  weightParameters,
  zeroPointTensor,
} from '../affine.js';
import { usesOf } from '../graph-uses.js';
import { replaceNodes } from '../replace-nodes.js';
import { type QuantizationScheme, weightLevels } from '../scheme.js';
import type { PlannedWeight, QuantizationPlan } from './plan.js';

export interface IntegerFormOptions {
  readonly scheme: QuantizationScheme;
  /** What each value of {@link valuesToObserve} takes. */
  readonly ranges: ReadonlyMap<Value, ValueRange>;
  /** How the ranges of weights are chosen. Default `max`. */
  readonly weightRange?: 'max' | 'mse';
  /** What stands for biases instead of their own numbers. */
  readonly biases?: ReadonlyMap<Value, Tensor>;
  /** Scales of weights that are known already, from training, say: one, or one for each output channel. */
  readonly weightScales?: ReadonlyMap<Value, readonly number[]>;
}

/**
 * Writes a plan into the graph in the form that runtimes turn into integer kernels: `QuantizeLinear` and `DequantizeLinear` around
 * activations, weights as integers behind a `DequantizeLinear`, biases as int32 of scale `scale_x·scale_w`.
 *
 * Integer weights keep the names of the float ones; their scales are called `<weight>.scale` and `<weight>.zeroPoint`.
 */
export function writeIntegerForm(graph: Graph, plan: QuantizationPlan, options: IntegerFormOptions): Graph {
  const writer = new IntegerFormWriter(plan, options);
  return replaceNodes(graph, replacedConstants(graph, plan), () => writer.rewrite.bind(writer));
}

function replacedConstants(graph: Graph, { weights }: QuantizationPlan): readonly Value[] {
  const { readersOf, isOutput } = usesOf(graph);
  const constants = [...weights.values()].flatMap(({ value, bias }) =>
    bias === undefined ? [value] : [value, bias.value],
  );
  return constants.filter((value) => !isOutput(value) && readersOf(value).every((node) => weights.has(node)));
}

/** A value rounded to integers, and the constants that say how. */
interface Rounded {
  readonly q: Value;
  readonly restored: Value;
  readonly scale: Value;
  readonly zeroPoint: Value;
  readonly parameters: AffineParameters;
}

class IntegerFormWriter {
  readonly #plan: QuantizationPlan;
  readonly #options: IntegerFormOptions;
  /** By value of the old graph. */
  readonly #rounded: Map<Value, Rounded> = new Map();
  readonly #weights: Map<string, Value> = new Map();

  constructor(plan: QuantizationPlan, options: IntegerFormOptions) {
    this.#plan = plan;
    this.#options = options;
  }

  rewrite(
    node: Node,
    inputs: readonly (Value | undefined)[],
    builder: GraphBuilder,
  ): readonly (Value | undefined)[] | undefined {
    const { weights, followers, movements, absorbed, made } = this.#plan;
    const planned = weights.get(node);
    const [output] = node.outputs;
    if (output === undefined) return undefined;
    const isPlanned = planned !== undefined || followers.has(node) || movements.has(node) || absorbed.has(node);
    if (!isPlanned) return undefined;
    if (movements.has(node) && node.op === 'Pad') return [this.#padded(node, inputs, builder)];
    const read = inputs.map((input, index) => {
      const value = node.inputs[index];
      if (input === undefined || value === undefined) return input;
      const isData = planned === undefined && !movements.has(node) ? true : index === 0;
      return isData && (this.#plan.read.has(value) || made.has(value))
        ? this.#round(value, input, builder).restored
        : input;
    });
    const integer = planned === undefined ? read : this.#weighted(planned, read, builder);
    const [result] = builder.anyNode({ ...node, inputs: integer }, node.outputs, {
      nodeName: node.name,
      name: output.name,
    });
    if (result === undefined || !made.has(output)) return [result];
    return [this.#round(output, result, builder).restored];
  }

  /** Runtimes that pass integers through other ops that move them make them float to pad them. */
  #padded(node: Node, inputs: readonly (Value | undefined)[], builder: GraphBuilder): Value {
    const source = this.#round(node.inputs[0] as Value, inputs[0] as Value, builder);
    const { scale, zeroPoint, parameters } = source;
    const filled = [source.q, inputs[1], zeroPoint, inputs[3]];
    const q = builder.op('Pad', filled, node.attributes, { nodeName: node.name });
    const name = `${node.name}/DequantizeLinear`;
    const restored = builder.op('DequantizeLinear', [q, scale, zeroPoint], {}, { nodeName: name });
    this.#rounded.set(node.outputs[0] as Value, { q, restored, scale, zeroPoint, parameters });
    return restored;
  }

  /** Rounds the value of the new graph that stands for `value` of the old one; once. */
  #round(value: Value, current: Value, builder: GraphBuilder): Rounded {
    const known = this.#rounded.get(value);
    if (known !== undefined) return known;
    const { scale, zeroPoint, parameters } = this.#parametersOf(value, builder);
    const name = value.name;
    const q = builder.op('QuantizeLinear', [current, scale, zeroPoint], {}, { nodeName: `${name}/QuantizeLinear` });
    const restored = builder.op(
      'DequantizeLinear',
      [q, scale, zeroPoint],
      {},
      { nodeName: `${name}/DequantizeLinear` },
    );
    const rounded = { q, restored, scale, zeroPoint, parameters };
    this.#rounded.set(value, rounded);
    return rounded;
  }

  #parametersOf(value: Value, builder: GraphBuilder): Omit<Rounded, 'q' | 'restored'> {
    const source = this.#plan.sharing.get(value);
    const known = source === undefined ? undefined : this.#rounded.get(source);
    if (known !== undefined) return known;
    const { scheme, ranges } = this.#options;
    const range = ranges.get(value) ?? { low: 0, high: 1 };
    const parameters = activationParameters(range, {
      dtype: scheme.activation,
      symmetric: scheme.symmetricActivations,
    });
    const scale = builder.constant(scaleTensor(parameters), { name: `${value.name}.scale` });
    const zeroPoint = builder.constant(zeroPointTensor(parameters), { name: `${value.name}.zeroPoint` });
    return { scale, zeroPoint, parameters };
  }

  /** The inputs of a node whose weight becomes integers. */
  #weighted(
    planned: PlannedWeight,
    inputs: readonly (Value | undefined)[],
    builder: GraphBuilder,
  ): readonly (Value | undefined)[] {
    const { node, bias } = planned;
    const data = this.#rounded.get(node.inputs[0] as Value);
    const inputScale = data?.parameters.scales[0] ?? 1;
    const parameters = this.#weightParameters(planned, inputScale);
    const weight = this.#weight(planned, parameters, builder);
    if (bias === undefined) return [inputs[0], weight];
    return [inputs[0], weight, this.#bias(bias, { parameters, inputScale, builder })];
  }

  #weightParameters({ value, weight, axis, bias }: PlannedWeight, inputScale: number): AffineParameters {
    const { scheme, weightRange = 'max', weightScales } = this.#options;
    const known = weightScales?.get(value);
    if (known !== undefined)
      return {
        dtype: scheme.weight,
        scales: known.map(Math.fround),
        zeroPoint: scheme.weight === 'int8' ? 0 : 128,
        ...(known.length > 1 ? { axis } : {}),
      };
    return weightParameters(weight, {
      dtype: scheme.weight,
      levels: weightLevels(scheme),
      axis: scheme.perChannel ? axis : undefined,
      range: weightRange,
      ...(bias === undefined ? {} : { least: leastScales(bias.tensor, inputScale, scheme.perChannel) }),
    });
  }

  #weight({ value, weight }: PlannedWeight, parameters: AffineParameters, builder: GraphBuilder): Value {
    const key = `${value.name}\0${parameters.axis}\0${parameters.scales.join()}`;
    const known = this.#weights.get(key);
    if (known !== undefined) return known;
    const q = quantizeTensor(weight, parameters, weightLevels(this.#options.scheme));
    const restored = restore(builder, { q: builder.constant(q, { name: value.name }), parameters, name: value.name });
    this.#weights.set(key, restored);
    return restored;
  }

  // b ≈ q·scale_x·scale_w
  #bias(
    bias: { readonly value: Value; readonly tensor: Tensor },
    { parameters, inputScale, builder }: { parameters: AffineParameters; inputScale: number; builder: GraphBuilder },
  ): Value {
    const numbers = toNumbers(this.#options.biases?.get(bias.value) ?? bias.tensor);
    const scales = parameters.scales.map((scale) => Math.fround(Math.fround(inputScale) * scale));
    const q = numbers.map((each, index) => Math.round(each / (scales[scales.length === 1 ? 0 : index] as number)));
    const integers = builder.constant(fromNumbers('int32', [numbers.length], q), { name: bias.value.name });
    const shape = parameters.axis === undefined ? [] : [scales.length];
    const scale = builder.constant(new Tensor('float32', shape, Float32Array.from(scales)), {
      name: `${bias.value.name}.scale`,
    });
    return builder.op(
      'DequantizeLinear',
      [integers, scale],
      { axis: 0 },
      { nodeName: `${bias.value.name}/DequantizeLinear` },
    );
  }
}

const largestBias = 2 ** 30;

/** Scales below which a bias would not fit into int32. */
function leastScales(bias: Tensor, inputScale: number, perChannel: boolean): readonly number[] {
  const least = [...toNumbers(bias)].map((each) => Math.abs(each) / inputScale / largestBias);
  return perChannel ? least : [least.reduce((a, b) => Math.max(a, b), 0)];
}

/** `DequantizeLinear` of an integer constant, with its scale and zero point beside it. */
function restore(
  builder: GraphBuilder,
  { q, parameters, name }: { q: Value; parameters: AffineParameters; name: string },
): Value {
  const scale = builder.constant(scaleTensor(parameters), { name: `${name}.scale` });
  const zeroPoint = builder.constant(zeroPointTensor(parameters), { name: `${name}.zeroPoint` });
  const { axis } = parameters;
  const attributes = axis === undefined ? {} : { axis };
  return builder.op('DequantizeLinear', [q, scale, zeroPoint], attributes, { nodeName: `${name}/DequantizeLinear` });
}

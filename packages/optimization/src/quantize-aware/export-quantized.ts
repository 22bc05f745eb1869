import {
  exposeStates,
  type Graph,
  Model,
  type ModelState,
  ModelwrightError,
  type Node,
  nextStateName,
  rebuildGraph,
  removeDeadNodes,
  substituteValues,
  type Tensor,
  toNumbers,
  type Value,
} from '@modelwright/core';
import {
  type AffineParameters,
  quantizeTensor,
  scaleTensor,
  type ValueRange,
  zeroPointTensor,
} from '../quantize/affine.js';
import { frozen } from '../quantize/frozen.js';
import { defaultScheme } from '../quantize/scheme.js';
import { type PlannedWeight, planQuantization, type QuantizationPlan } from '../quantize/static/plan.js';
import { writeIntegerForm } from '../quantize/static/write-integer-form.js';
import { withGraph } from '../with-graph.js';
import { type RoundedGraph, type TrainedRounding, type TrainedWeight, withoutRounding } from './rounded-graph.js';
import { stepsName, stepsTaken } from './rounding.js';

export interface ExportOptions {
  /**
   * Type that weights are stored in; the numbers are the same. `uint8` is slower and exact on CPUs without VNNI, where products of 8-bit
   * `int8` weights saturate unless they were trained with `reduceRange`. Default `int8`.
   */
  readonly weights?: 'int8' | 'uint8';
}

/**
 * Makes the integer model of one that was trained with rounding: `QuantizeLinear` and `DequantizeLinear` around activations, weights as
 * 8-bit integers behind a `DequantizeLinear`, biases as int32, in the form that `quantize({ mode: 'static' })` gives. Weights of
 * recurrent layers are stored as integers, their loops stay float.
 *
 * @param model - Made by {@link quantizationAware} and trained for a step at least.
 * @throws {@link ModelwrightError} `invalid-model` if the model was not made ready, or has not been trained so that its ranges are unknown.
 */
export function exportQuantized(model: Model, { weights: dtype = 'int8' }: ExportOptions = {}): Model {
  const open = exposeStates(model);
  const prepared = withoutRounding(open.graph);
  requireTrained(model, prepared);
  const named = withWeights(prepared);
  const { graph, stored } = withStoredWeights(named.graph, named.weights);
  const include = named.weights.filter(({ value }) => !stored.has(value)).map(({ name }) => name);
  const plan = planQuantization(graph, { include });
  const ranges = rangesOf(model, plan, prepared.activations);
  const weightScales = new Map(
    [...plan.weights.values()].map((planned) => [
      planned.value,
      scalesOf(planned, { named, plan, activations: prepared.activations }),
    ]),
  );
  const scheme = { ...defaultScheme, weight: dtype };
  const written = writeIntegerForm(graph, plan, { scheme, ranges, weightScales });
  const quantized = withGraph(open, withNarrowActivations(written, prepared.activations));
  return frozen(withStates(quantized, model));
}

/** The model with states that were exposed as states again. */
function withStates(exposed: Model, { states, graph: { constants: initial } }: Model): Model {
  if (states.length === 0) return exposed;
  const { name, graph, parameters, layers, losses, outputMasks, metadata } = exposed;
  const constants = new Map(graph.constants);
  const closed = states.map((state): ModelState => {
    const value = graph.inputs.find((each) => each.name === state.value.name) as Value;
    const next = graph.outputs.find((each) => each.name === nextStateName(state.name))?.value as Value;
    constants.set(value, initial.get(state.value) as Tensor);
    return { name: state.name, value, next };
  });
  const isState = new Set([
    ...closed.map(({ value }) => value.name),
    ...closed.map((state) => nextStateName(state.name)),
  ]);
  const inputs = graph.inputs.filter((input) => !isState.has(input.name));
  const outputs = graph.outputs.filter((output) => !isState.has(output.name));
  return new Model({
    ...{ name, parameters, layers, losses, outputMasks, metadata },
    states: closed,
    graph: { ...graph, inputs, outputs, constants },
  });
}

function requireTrained(model: Model, { weights, activations }: RoundedGraph): void {
  if (weights.length === 0) {
    throw new ModelwrightError('invalid-model', `model '${model.name}' was not trained with rounding`, {
      hint: 'make it ready by quantizationAware, train it, and export it then',
    });
  }
  if (activations.size === 0 || stepsTaken(model.getWeights()[stepsName]) > 0) return;
  throw new ModelwrightError(
    'invalid-model',
    `model '${model.name}' has not been trained since it was made ready: the ranges of its activations are not known`,
  );
}

interface NamedWeights {
  readonly graph: Graph;
  readonly weights: readonly TrainedWeight[];
}

/** The graph with rounded weights under the names of those that they were made of, and biases beside them. */
function withWeights({ graph, weights }: RoundedGraph): NamedWeights {
  const constants = new Map(graph.constants);
  const replaced = new Map<Value, Value>();
  const rename = (value: Value, name: string, tensor: Tensor): Value => {
    const renamed: Value = { ...value, name };
    constants.delete(value);
    constants.set(renamed, tensor);
    replaced.set(value, renamed);
    return renamed;
  };
  const named = weights.map((weight) => ({ ...weight, value: rename(weight.value, weight.name, weight.tensor) }));
  for (const { value, name } of weights) {
    const bias = biasOf(graph, value);
    const tensor = bias && graph.constants.get(bias);
    if (bias === undefined || tensor === undefined || replaced.has(bias) || bias.name === biasName(name)) continue;
    rename(bias, free(biasName(name), [...constants.keys()]), tensor);
  }
  return { graph: { ...substituteValues(graph, replaced), constants }, weights: named };
}

function biasOf({ nodes }: Graph, weight: Value): Value | undefined {
  const node = nodes.find(({ op, inputs }) => (op === 'Conv' || op === 'Gemm') && inputs[1] === weight);
  return node?.inputs[2];
}

/** `conv.kernel` → `conv.bias` */
function biasName(weight: string): string {
  return `${weight.replace(/[._/](?:\w*[kK]ernel|weight|W|w)$/, '')}.bias`;
}

function free(wanted: string, taken: readonly Value[]): string {
  let name = wanted;
  for (let count = 1; taken.some((value) => value.name === name); count++) name = `${wanted}_${count}`;
  return name;
}

/** Stores weights of recurrent layers as integers behind a `DequantizeLinear`. */
function withStoredWeights(
  graph: Graph,
  weights: readonly TrainedWeight[],
): { readonly graph: Graph; readonly stored: ReadonlySet<Value> } {
  const recurrent = new Set(
    graph.nodes.filter(({ op }) => ['RNN', 'LSTM', 'GRU'].includes(op)).flatMap(({ inputs }) => inputs),
  );
  const constants = new Map(graph.constants);
  const restoring: Node[] = [];
  const replaced = new Map<Value, Value>();
  for (const weight of weights) {
    if (!recurrent.has(weight.value)) continue;
    const parameters = affineOf(weight);
    const { name, shape } = weight.value;
    const hold = (suffix: string, tensor: Tensor): Value => {
      const value: Value = { name: `${name}${suffix}`, dtype: tensor.dtype, shape: tensor.shape };
      constants.set(value, tensor);
      return value;
    };
    constants.delete(weight.value);
    const q = hold('', quantizeTensor(weight.tensor, parameters));
    const inputs = [q, hold('.scale', scaleTensor(parameters)), hold('.zeroPoint', zeroPointTensor(parameters))];
    const output: Value = { name: `${name}.restored`, dtype: 'float32', shape };
    replaced.set(weight.value, output);
    const attributes = { axis: parameters.axis ?? 0, block_size: 0 };
    restoring.push({
      op: 'DequantizeLinear',
      domain: '',
      name: `${name}/DequantizeLinear`,
      inputs,
      outputs: [output],
      attributes,
    });
  }
  const read = substituteValues(graph, replaced);
  return { graph: { ...read, constants, nodes: [...restoring, ...read.nodes] }, stored: new Set(replaced.keys()) };
}

function affineOf({ scales, axis }: TrainedWeight): AffineParameters {
  return { dtype: 'int8', zeroPoint: 0, scales: scales.map(Math.fround), ...(scales.length > 1 ? { axis } : {}) };
}

/** The ranges that give the very scales and zero points of training when they are divided into 255 steps. */
function rangesOf(
  model: Model,
  { made, read, sharing }: QuantizationPlan,
  activations: RoundedGraph['activations'],
): ReadonlyMap<Value, ValueRange> {
  const ranges = new Map<Value, ValueRange>();
  for (const value of [...read, ...made]) {
    if (sharing.has(value)) continue;
    const rounding = activations.get(value);
    if (rounding === undefined) {
      throw new ModelwrightError(
        'invalid-model',
        `model '${model.name}' was changed since it was trained: nothing is known of '${value.name}'`,
      );
    }
    const scale = Math.fround(rounding.scales[0] as number);
    ranges.set(value, { low: -rounding.zeroPoint * scale, high: (255 - rounding.zeroPoint) * scale });
  }
  return ranges;
}

const largestBias = 2 ** 30;

interface ScaleRequest {
  readonly named: NamedWeights;
  readonly plan: QuantizationPlan;
  readonly activations: RoundedGraph['activations'];
}

/** The scales of a weight, raised where its bias would not fit into int32 otherwise: in channels that are all but zero. */
function scalesOf({ node, value, bias }: PlannedWeight, { named, plan, activations }: ScaleRequest): readonly number[] {
  const { scales } = named.weights.find((each) => each.value === value) as TrainedWeight;
  if (bias === undefined) return scales;
  let input = node.inputs[0] as Value;
  for (let next = plan.sharing.get(input); next !== undefined; next = plan.sharing.get(input)) input = next;
  const inputScale = activations.get(input)?.scales[0] ?? 1;
  const least = [...toNumbers(bias.tensor)].map((each) => Math.abs(each) / inputScale / largestBias);
  if (scales.length === 1) return [Math.max(scales[0] as number, ...least)];
  return scales.map((scale, index) => Math.max(scale, least[index] ?? 0));
}

/** Cuts off activations of fewer than 8 bits before they become 8-bit integers, at the ends they were trained with. */
function withNarrowActivations(graph: Graph, activations: RoundedGraph['activations']): Graph {
  const narrow = new Map(
    [...activations]
      .filter(([, { high }]) => high < 255)
      .map(([value, rounding]) => [`${value.name}/QuantizeLinear`, rounding]),
  );
  if (narrow.size === 0) return graph;
  const { graph: cut } = rebuildGraph(graph, {
    rewrite: (node, inputs, builder) => {
      const rounding = node.op === 'QuantizeLinear' ? narrow.get(node.name) : undefined;
      if (rounding === undefined) return undefined;
      const [low, high] = endsOf(rounding).map((end) => builder.scalar(end, 'float32'));
      const clipped = builder.op('Clip', [inputs[0], low, high]);
      return builder.anyNode({ ...node, inputs: [clipped, ...inputs.slice(1)] }, node.outputs, { nodeName: node.name });
    },
  });
  return removeDeadNodes.run(cut);
}

function endsOf({ scales, zeroPoint, low, high }: TrainedRounding): readonly [number, number] {
  const scale = Math.fround(scales[0] as number);
  return [(low - zeroPoint) * scale, (high - zeroPoint) * scale];
}

import { ModelwrightError } from '../errors.js';
import type { Graph, Node, Value } from '../graph/graph.js';
import type { GraphBuilder } from '../graph/graph-builder.js';
import { type Bindings, inlineGraph } from '../graph/inline.js';
import { onnxDataType } from '../tensor/onnx-data-type.js';
import { concreteShape } from '../tensor/shape.js';
import { toNumbers } from '../tensor/tensor.js';
import { decomposeNode } from './decompose.js';
import type { Pass } from './pass.js';
import { rebuildGraph } from './rebuild.js';
import { removeDeadNodes } from './remove-dead-nodes.js';

/** The form a model infers in: dropout passes its input, `TrainingSwitch` its first, `TrackStatistic` too, normalization uses running statistics. */
export const toInference: Pass = {
  name: 'toInference',
  description: 'gives mode-dependent ops their inference form',
  run: (graph: Graph): Graph => removeDeadNodes.run(rebuildGraph(graph, { rewrite: inferenceForm }).graph),
};

const passing: ReadonlySet<string> = new Set(['TrainingSwitch', 'TrackStatistic', 'StopGradient']);

function inferenceForm(node: Node, inputs: readonly (Value | undefined)[]): readonly Value[] | undefined {
  const passes = passing.has(node.op) || (node.op === 'Dropout' && node.outputs.length === 1);
  return passes ? [inputs[0] as Value] : undefined;
}

/** A running statistic of a training graph: what it is now and what it becomes. */
export interface StatisticUpdate {
  /** The value that stands for the statistic in the training graph. */
  readonly current: Value;
  readonly next: Value;
}

export interface TrainingFormOptions {
  /** Seed of everything random in the model. */
  readonly seed: number;
  /** int64 scalar that differs from step to step; the random numbers are a function of seed and counter. */
  readonly counter: Value;
  /** Nodes that keep the form they infer in: normalization of a frozen layer, say. Default none. */
  readonly isFrozen?: (node: Node) => boolean;
}

/** A graph in training form inside a builder. */
export interface TrainingForm {
  /** Stand for the graph's outputs, in order. */
  readonly outputs: readonly Value[];
  readonly statistics: readonly StatisticUpdate[];
}

/**
 * Copies a model's authored graph into `builder` in the form it trains in: dropout masks and noise come from counter-based
 * random numbers, `BatchNormalization` uses the statistics of the batch and reports the next running ones.
 *
 * @param bindings - What stands for the graph's inputs and for the weights that training carries. Shapes must be concrete.
 * @throws {@link ModelwrightError} `unsupported-shape` where a random op's shape is symbolic.
 */
export function inlineTrainingForm(
  builder: GraphBuilder,
  graph: Graph,
  bindings: Bindings,
  options: TrainingFormOptions,
): TrainingForm {
  const statistics: StatisticUpdate[] = [];
  const form: FormContext = { ...options, statistics, streams: { next: 0 } };
  const outputs = inlineGraph(builder, graph, bindings, {
    rewrite: (node, inputs) =>
      options.isFrozen?.(node) ? undefined : trainingRules[node.op]?.({ node, inputs, builder, form }),
  });
  return { outputs, statistics };
}

interface FormContext extends TrainingFormOptions {
  readonly statistics: StatisticUpdate[];
  readonly streams: { next: number };
}

interface RuleRequest {
  readonly node: Node;
  readonly inputs: readonly (Value | undefined)[];
  readonly builder: GraphBuilder;
  readonly form: FormContext;
}

const trainingRules: { readonly [op: string]: ((request: RuleRequest) => readonly Value[] | undefined) | undefined } = {
  TrainingSwitch: ({ inputs }) => [inputs[1] as Value],
  TrackStatistic: trackStatistic,
  Dropout: trainDropout,
  BatchNormalization: trainBatchNormalization,
  LayerNormalization: keepStatistics,
  Attention: keepWeights,
  RNN: asSimplerOps,
  GRU: asSimplerOps,
  LSTM: asSimplerOps,
  RandomUniformLike: (request) => [affine(request, uniform(request, shapeOf(request)), 'high', 'low')],
  RandomNormalLike: (request) => [affine(request, normal(request), 'scale', 'mean')],
};

function trackStatistic({ inputs, form }: RuleRequest): readonly Value[] {
  const [x, current, next] = inputs as readonly [Value, Value, Value];
  form.statistics.push({ current, next });
  return [x];
}

// A fused op would run once more, taken apart, for its gradient.
function asSimplerOps({ node, inputs, builder }: RuleRequest): readonly Value[] | undefined {
  return decomposeNode(node, inputs, builder);
}

// y = x · m, m = [u ≥ ratio] / (1 − ratio)
function trainDropout(request: RuleRequest): readonly Value[] | undefined {
  const { node, inputs, builder } = request;
  const x = inputs[0] as Value;
  const ratio = dropoutRatio(builder, inputs[1], node);
  if (ratio === 0) return [x];
  return builder.scoped({ name: node.name }, () => {
    const kept = builder.op('GreaterOrEqual', [uniform(request, shapeOf(request)), builder.scalar(ratio, x.dtype)]);
    const scale = builder.scalar(ratio >= 1 ? 0 : 1 / (1 - ratio), x.dtype);
    const mask = builder.op('Mul', [builder.op('Cast', [kept], { to: onnxDataType(x.dtype) }), scale]);
    const y = builder.op('Mul', [x, mask]);
    return node.outputs.length === 1 ? [y] : [y, kept];
  });
}

function dropoutRatio(builder: GraphBuilder, ratio: Value | undefined, node: Node): number {
  if (ratio === undefined) return 0.5;
  const held = builder.constantOf(ratio);
  if (held !== undefined) return toNumbers(held)[0] as number;
  throw new ModelwrightError('invalid-model', `Dropout '${node.name}': the ratio must be a constant to train`, {
    layer: node.name,
  });
}

// running′ = momentum · running + (1 − momentum) · batch
function trainBatchNormalization({ node, inputs, builder, form }: RuleRequest): readonly Value[] {
  const [x, scale, bias, mean, variance] = inputs as readonly Value[];
  const { epsilon, momentum } = node.attributes as { epsilon: number; momentum: number };
  return builder.scoped({ name: node.name }, () => {
    const [y, batchMean, batchVariance] = builder.node('BatchNormalizationTraining', [x, scale, bias], { epsilon });
    const next = (running: Value, batch: Value): Value => {
      const held = builder.op('Mul', [running, builder.scalar(momentum, running.dtype)]);
      return builder.op('Add', [held, builder.op('Mul', [batch, builder.scalar(1 - momentum, batch.dtype)])]);
    };
    form.statistics.push(
      { current: mean as Value, next: next(mean as Value, batchMean as Value) },
      { current: variance as Value, next: next(variance as Value, batchVariance as Value) },
    );
    return [y as Value];
  });
}

// Its gradient reads the mean and the deviation: asked for here, they are computed once.
function keepStatistics({ node, inputs, builder }: RuleRequest): readonly Value[] | undefined {
  if (node.outputs.length > 1) return undefined;
  const made = builder.node('LayerNormalization', inputs, node.attributes, { nodeName: node.name, outputs: 3 });
  return made.slice(0, 1);
}

// Its gradient reads the weights: asked for here, they are computed once.
function keepWeights({ node, inputs, builder }: RuleRequest): readonly Value[] | undefined {
  const count = node.outputs.length;
  if (count > 3) return undefined;
  const attributes = { ...node.attributes, qk_matmul_output_mode: 3 };
  return builder.node('Attention', inputs, attributes, { nodeName: node.name, outputs: 4 }).slice(0, count);
}

function shapeOf({ node, inputs }: RuleRequest): readonly number[] {
  return concreteShape((inputs[0] as Value).shape, `the input of ${node.op} '${node.name}'`);
}

function uniform({ inputs, builder, form }: RuleRequest, shape: readonly number[]): Value {
  // Each random node draws from a stream of its own.
  const seed = (form.seed + Math.imul(form.streams.next++, 0x9e3779b1)) >>> 0;
  const { dtype } = inputs[0] as Value;
  return builder.op('CounterUniform', [form.counter], { seed, shape, dtype: onnxDataType(dtype) });
}

// Box and Muller: √(−2·ln(1 − u₁))·cos(2π·u₂)
function normal(request: RuleRequest): Value {
  const { builder, inputs } = request;
  const { dtype } = inputs[0] as Value;
  const shape = shapeOf(request);
  const [first, second] = [uniform(request, shape), uniform(request, shape)];
  const logarithm = builder.op('Log', [builder.op('Sub', [builder.scalar(1, dtype), first])]);
  const radius = builder.op('Sqrt', [builder.op('Mul', [logarithm, builder.scalar(-2, dtype)])]);
  return builder.op('Mul', [
    radius,
    builder.op('Cos', [builder.op('Mul', [second, builder.scalar(2 * Math.PI, dtype)])]),
  ]);
}

// low + u·(high − low) for uniform numbers, mean + scale·n for normal ones
function affine({ node, builder }: RuleRequest, drawn: Value, upper: string, lower: string): Value {
  const attributes = node.attributes as { readonly [name: string]: number };
  const offset = attributes[lower] ?? 0;
  const factor = upper === 'high' ? (attributes[upper] ?? 1) - offset : (attributes[upper] ?? 1);
  const scaled = factor === 1 ? drawn : builder.op('Mul', [drawn, builder.scalar(factor, drawn.dtype)]);
  return offset === 0 ? scaled : builder.op('Add', [scaled, builder.scalar(offset, drawn.dtype)]);
}

import type { Value, ValueType } from '../graph/graph.js';
import type { GraphBuilder } from '../graph/graph-builder.js';
import { castTo } from '../graph/shape-ops.js';
import type { DType } from '../tensor/dtype.js';
import { dtypeOfOnnx } from '../tensor/onnx-data-type.js';
import { broadcastShapes, compatibleShape, concreteShape, formatShape, normalizeAxis } from '../tensor/shape.js';
import { elementCountOf, fromNumbers, type Tensor, toNumbers } from '../tensor/tensor.js';
import type { DecomposeContext, EvaluateContext, GradientContext, InferContext, OpFamily } from './definition.js';
import type { NormalizationAttributes } from './normalization.js';
import { between, exactly, forEachBroadcast, requireFloat } from './rules.js';
import { buildStandardization, standardizationGradient, standardizeRows } from './standardize.js';

type Attributes = NormalizationAttributes['LayerNormalization'];

/** Whether the op takes the mean away first. */
const centres = (op: string): boolean => op === 'LayerNormalization';

function inferNormalization(context: InferContext<Attributes>): readonly ValueType[] {
  requireFloat(context, 0);
  const { dtype, shape } = context.input(0);
  const { axis, stash_type } = context.attributes;
  if (!Number.isInteger(axis) || axis < -shape.length || axis >= shape.length) {
    context.fail(`axis ${axis} is out of range for input ${formatShape(shape)}`, { given: axis }, 'invalid-attribute');
  }
  const first = normalizeAxis(axis, shape.length);
  for (const index of [1, 2]) {
    const given = context.inputs[index];
    if (given === undefined) continue;
    requireFloat(context, index);
    const common = broadcastShapes(shape, given.shape);
    if (common === undefined || !compatibleShape(common, shape)) {
      context.fail(
        `${index === 1 ? 'scale' : 'bias'} ${formatShape(given.shape)} does not broadcast to input ${formatShape(shape)}, normalized from axis ${first} on`,
        { given: given.shape, allowed: shape.slice(first) },
      );
    }
  }
  const statistics: ValueType = {
    dtype: dtypeOfOnnx(stash_type),
    shape: shape.map((extent, at) => (at < first ? extent : 1)),
  };
  return [{ dtype, shape }, statistics, statistics];
}

function evaluateNormalization(context: EvaluateContext<Attributes>): readonly Tensor[] {
  const input = context.input(0);
  const { axis, epsilon } = context.attributes;
  const first = normalizeAxis(axis, input.rank);
  const span = elementCountOf(input.shape.slice(first));
  const { values, means, inverseDeviations } = standardizeRows(toNumbers(input), span, {
    epsilon,
    centre: centres(context.op),
  });
  const [scale, bias] = [context.input(1), context.inputs[2]];
  const [factors, offsets] = [toNumbers(scale), bias === undefined ? new Float64Array(1) : toNumbers(bias)];
  forEachBroadcast(input.shape, [scale.shape, bias?.shape ?? []], (at, [s, b]) => {
    values[at] = (values[at] as number) * (factors[s as number] as number) + (offsets[b as number] as number);
  });
  const kept = input.shape.map((extent, at) => (at < first ? extent : 1));
  return [
    fromNumbers(input.dtype, input.shape, values),
    fromNumbers('float64', kept, means),
    fromNumbers('float64', kept, inverseDeviations),
  ];
}

interface Built {
  readonly nodes: ReturnType<typeof buildStandardization>;
  readonly axes: readonly number[];
  readonly stash: DType;
}

// Statistics are taken in the stash type.
function buildFrom(builder: GraphBuilder, x: Value, attributes: Attributes, centre: boolean): Built {
  const first = normalizeAxis(attributes.axis, x.shape.length);
  const axes = x.shape.flatMap((_, axis) => (axis < first ? [] : [axis]));
  const stash = x.dtype === 'float64' ? x.dtype : dtypeOfOnnx(attributes.stash_type);
  const nodes = buildStandardization(builder, castTo(builder, x, stash), { axes, epsilon: attributes.epsilon, centre });
  return { nodes, axes, stash };
}

/** The same from the statistics that the node gives, where it is asked for them. */
function statisticsOf(context: GradientContext<Attributes>, centre: boolean): Built {
  const { builder, input, outputs, attributes } = context;
  const [, mean, inverseDeviation] = outputs;
  if (!centre || mean === undefined || inverseDeviation === undefined) {
    return buildFrom(builder, input(0), attributes, centre);
  }
  const first = normalizeAxis(attributes.axis, input(0).shape.length);
  const axes = input(0).shape.flatMap((_, axis) => (axis < first ? [] : [axis]));
  const centred = builder.op('Sub', [castTo(builder, input(0), mean.dtype), mean]);
  const values = builder.op('Mul', [centred, inverseDeviation]);
  return { nodes: { mean, centred, inverseDeviation, values }, axes, stash: mean.dtype };
}

// g = dy·scale; dx = r·(g − mean(g) − x̂·mean(g·x̂)); dscale = dy·x̂; dbias = dy. Outputs mean and r add their own terms.
function normalizationGradient(context: GradientContext<Attributes>, centre: boolean): readonly (Value | undefined)[] {
  const { builder, input, needs, outputGradients } = context;
  const x = input(0);
  const { nodes, axes, stash } = statisticsOf(context, centre);
  const dy = outputGradients[0] && castTo(builder, outputGradients[0], stash);
  const parts: Value[] = [];
  if (needs(0) && dy !== undefined) {
    const g = builder.op('Mul', [dy, castTo(builder, input(1), stash)]);
    parts.push(standardizationGradient(builder, g, nodes, { axes, centre }));
  }
  if (needs(0)) parts.push(...throughStatistics(context, nodes, { axes, stash }));
  const sum = parts.reduce<Value | undefined>((a, b) => (a === undefined ? b : builder.op('Add', [a, b])), undefined);
  // Statistics alone reach x with their axes as 1.
  const shape = concreteShape(x.shape, 'the normalized input');
  const dx = sum && builder.op('Expand', [castTo(builder, sum, x.dtype), builder.integers(shape)]);
  return [
    dy === undefined ? dx : sum && castTo(builder, sum, x.dtype),
    needs(1) && dy !== undefined ? castTo(builder, builder.op('Mul', [dy, nodes.values]), input(1).dtype) : undefined,
    needs(2) ? outputGradients[0] : undefined,
  ];
}

// dmean/dx = 1/m, dr/dx = −r³·(x − mean)/m
function throughStatistics(
  { builder, input, outputGradients }: GradientContext<Attributes>,
  nodes: Built['nodes'],
  { axes, stash }: Pick<Built, 'axes' | 'stash'>,
): Value[] {
  const [, dmean, dr] = outputGradients;
  const shape = concreteShape(input(0).shape, 'the normalized input');
  const count = axes.reduce((product, axis) => product * (shape[axis] as number), 1);
  const parts: Value[] = [];
  if (dmean !== undefined) {
    parts.push(builder.op('Mul', [castTo(builder, dmean, stash), builder.scalar(1 / count, stash)]));
  }
  if (dr !== undefined) {
    const r = nodes.inverseDeviation;
    const square = builder.op('Mul', [builder.op('Mul', [r, r]), builder.scalar(-1 / count, stash)]);
    const factor = builder.op('Mul', [castTo(builder, dr, stash), square]);
    parts.push(builder.op('Mul', [nodes.values, factor]));
  }
  return parts;
}

function decomposeNormalization(context: DecomposeContext<Attributes>, centre: boolean): readonly Value[] {
  const { builder, input, inputs, attributes, outputs, outputCount } = context;
  const x = input(0);
  const { nodes } = buildFrom(builder, x, attributes, centre);
  const scaled = builder.op('Mul', [castTo(builder, nodes.values, x.dtype), input(1)]);
  const y = inputs[2] === undefined ? scaled : builder.op('Add', [scaled, inputs[2]]);
  if (outputCount === 1) return [y];
  const statistics = [nodes.mean as Value, nodes.inverseDeviation];
  return [y, ...statistics.map((value, at) => castTo(builder, value, (outputs[at + 1] ?? value).dtype))].slice(
    0,
    outputCount,
  );
}

const attributes = {
  axis: { kind: 'int', default: -1 },
  epsilon: { kind: 'float', default: 1e-5 },
  stash_type: { kind: 'int', default: 1 },
} as const;

/** Normalization of each sample over its last axes. */
export const layerNormalization: Pick<OpFamily<NormalizationAttributes>, 'LayerNormalization' | 'RMSNormalization'> = {
  /** `y = (x − mean)/√(variance + ε)·scale + bias` over the axes from `axis` on; outputs `(y, mean?, 1/√(variance + ε)?)`. */
  LayerNormalization: {
    inputs: between(2, 3),
    outputs: between(1, 3),
    attributes,
    infer: inferNormalization,
    gradient: (context) => normalizationGradient(context, true),
    evaluate: evaluateNormalization,
    decompose: (context) => decomposeNormalization(context, true),
  },
  /** `y = x/√(mean(x²) + ε)·scale` over the axes from `axis` on. */
  RMSNormalization: {
    inputs: exactly(2),
    outputs: exactly(1),
    attributes,
    infer: (context) => inferNormalization(context).slice(0, 1),
    gradient: (context) => normalizationGradient(context, false),
    evaluate: (context) => evaluateNormalization(context).slice(0, 1),
    decompose: (context) => decomposeNormalization(context, false),
  },
};

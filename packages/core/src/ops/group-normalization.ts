import type { Value, ValueType } from '../graph/graph.js';
import type { GraphBuilder } from '../graph/graph-builder.js';
import { castTo } from '../graph/shape-ops.js';
import type { DType } from '../tensor/dtype.js';
import { dtypeOfOnnx } from '../tensor/onnx-data-type.js';
import { compatibleShape, concreteShape, type Dimension, formatShape } from '../tensor/shape.js';
import { elementCountOf, fromNumbers, type Tensor, toNumbers } from '../tensor/tensor.js';
import { alongChannels, reshapeLike, sumToChannels } from './channel-nodes.js';
import type { DecomposeContext, EvaluateContext, GradientContext, InferContext, OpFamily } from './definition.js';
import type { NormalizationAttributes } from './normalization.js';
import { exactly, requireFloat } from './rules.js';
import {
  buildStandardization,
  type StandardizedNodes,
  standardizationGradient,
  standardizeRows,
} from './standardize.js';

/** What both ops have in common: without `num_groups` each channel is a group of its own. */
interface GroupAttributes {
  readonly epsilon: number;
  readonly num_groups?: number;
  readonly stash_type?: number;
}

function inferGroups(context: InferContext<GroupAttributes>): readonly ValueType[] {
  requireFloat(context, 0);
  const { dtype, shape } = context.input(0);
  if (shape.length < 3)
    context.fail(`input ${formatShape(shape)} must be [batch, channels, …spatial]`, { given: shape });
  const channels = shape[1] as Dimension;
  ['scale', 'bias'].forEach((name, index) => {
    requireFloat(context, index + 1);
    const given = context.input(index + 1).shape;
    if (!compatibleShape(given, [channels])) {
      context.fail(`${name} has shape ${formatShape(given)}; input ${formatShape(shape)} needs [${channels}]`, {
        given,
        allowed: [channels],
      });
    }
  });
  const groups = context.attributes.num_groups ?? 1;
  if (typeof channels === 'number' && (groups < 1 || channels % groups !== 0)) {
    context.fail(`${channels} channels do not divide into ${groups} groups`, { given: groups }, 'invalid-attribute');
  }
  return [{ dtype, shape }];
}

function evaluateGroups(context: EvaluateContext<GroupAttributes>): readonly Tensor[] {
  const input = context.input(0);
  const { epsilon, num_groups } = context.attributes;
  const [batch, channels] = input.shape as [number, number];
  const place = elementCountOf(input.shape.slice(2));
  const rows = batch * (num_groups ?? channels);
  const { values } = standardizeRows(toNumbers(input), input.elementCount / rows, { epsilon, centre: true });
  const [scale, bias] = [toNumbers(context.input(1)), toNumbers(context.input(2))];
  for (let at = 0; at < values.length; at++) {
    const channel = Math.floor(at / place) % channels;
    values[at] = (values[at] as number) * (scale[channel] as number) + (bias[channel] as number);
  }
  return [fromNumbers(input.dtype, input.shape, values)];
}

/** The input as `[batch, groups, …]` with one standardization over `axes`. */
interface Grouped {
  readonly nodes: StandardizedNodes;
  readonly axes: readonly number[];
  readonly stash: DType;
}

function grouped(builder: GraphBuilder, x: Value, attributes: GroupAttributes): Grouped {
  const stash = x.dtype === 'float64' ? x.dtype : dtypeOfOnnx(attributes.stash_type ?? 1);
  const wide = castTo(builder, x, stash);
  const groups = attributes.num_groups;
  const split = groups === undefined ? wide : builder.op('Reshape', [wide, builder.integers([0, groups, -1])]);
  const axes = split.shape.slice(2).map((_, axis) => axis + 2);
  const { epsilon } = attributes;
  return { nodes: buildStandardization(builder, split, { axes, epsilon, centre: true }), axes, stash };
}

// g = dy·scale; dx = r·(g − mean(g) − x̂·mean(g·x̂)); dscale = Σ dy·x̂; dbias = Σ dy
function groupsGradient(context: GradientContext<GroupAttributes>): readonly (Value | undefined)[] {
  const { builder, input, needs, outputGradient, attributes } = context;
  const x = input(0);
  const { nodes, axes, stash } = grouped(builder, x, attributes);
  const dy = castTo(builder, outputGradient, stash);
  const backToInput = (value: Value): Value => castTo(builder, reshapeLike(builder, value, x), x.dtype);
  const dx = (): Value => {
    const g = builder.op('Mul', [dy, alongChannels(builder, castTo(builder, input(1), stash), x)]);
    const split = builder.op('Reshape', [g, builder.integers(concreteShape(nodes.values.shape, 'the groups'))]);
    return backToInput(standardizationGradient(builder, split, nodes, { axes, centre: true }));
  };
  const dscale = (): Value => {
    const products = builder.op('Mul', [dy, reshapeLike(builder, nodes.values, x)]);
    return castTo(builder, sumToChannels(builder, products), input(1).dtype);
  };
  return [
    needs(0) ? dx() : undefined,
    needs(1) ? dscale() : undefined,
    needs(2) ? castTo(builder, sumToChannels(builder, dy), input(2).dtype) : undefined,
  ];
}

function decomposeGroups(context: DecomposeContext<GroupAttributes>): readonly Value[] {
  const { builder, input, attributes } = context;
  const x = input(0);
  const { nodes } = grouped(builder, x, attributes);
  const values = castTo(builder, reshapeLike(builder, nodes.values, x), x.dtype);
  const scaled = builder.op('Mul', [values, alongChannels(builder, castTo(builder, input(1), x.dtype), x)]);
  return [builder.op('Add', [scaled, alongChannels(builder, castTo(builder, input(2), x.dtype), x)])];
}

const common = {
  inputs: exactly(3),
  outputs: exactly(1),
  infer: inferGroups,
  gradient: groupsGradient,
  evaluate: evaluateGroups,
  decompose: decomposeGroups,
} as const;
const epsilon = { kind: 'float', default: 1e-5 } as const;

/** Normalization of each sample over groups of its channels. */
export const groupNormalization: Pick<
  OpFamily<NormalizationAttributes>,
  'InstanceNormalization' | 'GroupNormalization'
> = {
  /** `y = (x − mean)/√(variance + ε)·scale + bias`, statistics over the places of each channel of each sample. */
  InstanceNormalization: { ...common, attributes: { epsilon } },
  /** The same, statistics over groups of `channels / num_groups` channels; scale and bias are one number a channel. */
  GroupNormalization: {
    ...common,
    attributes: { epsilon, num_groups: { kind: 'int', required: true }, stash_type: { kind: 'int', default: 1 } },
  },
};

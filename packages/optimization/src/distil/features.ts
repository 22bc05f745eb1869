import {
  castTo,
  counterUniform,
  type ExtensionSlot,
  fromNumbers,
  type GraphBuilder,
  type Model,
  ModelwrightError,
  normalizeAxis,
  type Value,
} from '@modelwright/core';
import { namedValue } from './named-value.js';
import { requireSameShape, squaredLoss } from './soft-targets.js';

/** A layer of the student that is to put out what a layer of the teacher does. */
export interface FeatureMatch {
  /** Layer, node or value of the student. */
  readonly student: string;
  /** Layer, node or value of the teacher. */
  readonly teacher: string;
  /**
   * `mse`: squared differences; `cosine`: 1 − cosine of the angle between the features of each place; `attention`: squared
   * differences of where the features are strong, whatever their number. Default `mse`.
   */
  readonly loss?: 'mse' | 'cosine' | 'attention';
  /** Factor in the total loss. Default 1. */
  readonly weight?: number;
  /** A linear map from the student's features to the teacher's, trained along. Default where their numbers differ. */
  readonly regressor?: boolean;
  /** Where the features (channels) stand. Default −1, as our layers put them; 1 in most imported models of images. */
  readonly studentAxis?: number;
  readonly teacherAxis?: number;
}

const slotName = (index: number): string => `regressor.${index}`;

/** The regressors that matches need, as slots that are trained. */
export function regressorSlots(
  student: Model,
  teacher: Model,
  matches: readonly FeatureMatch[],
): readonly ExtensionSlot[] {
  return matches.flatMap((match, index) => {
    const [from, to] = [
      featureCount(student, match.student, match.studentAxis),
      featureCount(teacher, match.teacher, match.teacherAxis),
    ];
    if (match.loss === 'attention' || !(match.regressor ?? from !== to)) return [];
    const { dtype } = namedValue(student, match.student);
    const bound = Math.sqrt(6 / (from + to));
    const uniform = counterUniform(index + 1, 0, from * to).map((each) => (2 * each - 1) * bound);
    return [{ name: slotName(index), initial: fromNumbers(dtype, [from, to], uniform), trainable: true }];
  });
}

function featureCount(model: Model, name: string, axis = -1): number {
  const { shape } = namedValue(model, name);
  const extent = shape[normalizeAxis(axis, shape.length)];
  if (typeof extent === 'number') return extent;
  throw new ModelwrightError(
    'unsupported-shape',
    `'${name}' of model '${model.name}' has shape [${shape}]: how many features stand on axis ${axis} must be known`,
    { given: shape },
  );
}

/** What {@link featureLoss} compares. */
export interface FeatureRequest {
  readonly builder: GraphBuilder;
  readonly match: FeatureMatch;
  readonly index: number;
  readonly student: Value;
  readonly teacher: Value;
  readonly slots: { readonly [name: string]: Value };
}

/** How far a layer of the student is from its teacher's, times the weight of the match: a scalar. */
export function featureLoss({ builder, match, index, slots, ...values }: FeatureRequest): Value {
  const { loss = 'mse', weight = 1 } = match;
  const given = featuresLast(builder, values.student, match.studentAxis);
  const teacher = castTo(builder, featuresLast(builder, values.teacher, match.teacherAxis), given.dtype);
  const regressor = slots[slotName(index)];
  const student = regressor === undefined ? given : builder.op('MatMul', [given, regressor]);
  const what = `features '${match.student}' and '${match.teacher}'`;
  const compared =
    loss === 'attention' ? [strengths(builder, student), strengths(builder, teacher)] : [student, teacher];
  const [mine, theirs] = compared as [Value, Value];
  requireSameShape(what, mine, theirs);
  const distance =
    loss === 'cosine' ? angleLoss(builder, mine, theirs) : squaredLoss({ builder, student: mine, teacher: theirs });
  return weight === 1 ? distance : builder.op('Mul', [distance, builder.scalar(weight, distance.dtype)]);
}

function featuresLast(builder: GraphBuilder, value: Value, axis = -1): Value {
  const rank = value.shape.length;
  const from = normalizeAxis(axis, rank);
  if (from === rank - 1) return value;
  const others = value.shape.map((_, index) => index).filter((index) => index !== from);
  return builder.op('Transpose', [value], { perm: [...others, from] });
}

/**
 * Where the features of an example are strong: `Q/‖Q‖` with `Q = Σ_c x_c²`, `[batch, places]`.
 *
 * @see Zagoruyko and Komodakis, arXiv:1612.03928, §3.1.
 */
function strengths(builder: GraphBuilder, value: Value): Value {
  const squares = builder.op('ReduceSum', [builder.op('Mul', [value, value]), builder.integers([-1])], { keepdims: 0 });
  return unit(builder, builder.op('Reshape', [squares, builder.integers([Number(value.shape[0]), -1])]));
}

function angleLoss(builder: GraphBuilder, student: Value, teacher: Value): Value {
  const products = builder.op('Mul', [unit(builder, student), unit(builder, teacher)]);
  const cosines = builder.op('ReduceSum', [products, builder.integers([-1])], { keepdims: 0 });
  const mean = builder.op('ReduceMean', [cosines], { keepdims: 0 });
  return builder.op('Sub', [builder.scalar(1, mean.dtype), mean]);
}

function unit(builder: GraphBuilder, value: Value): Value {
  const squares = builder.op('ReduceSum', [builder.op('Mul', [value, value]), builder.integers([-1])], { keepdims: 1 });
  const length = builder.op('Sqrt', [builder.op('Add', [squares, builder.scalar(1e-12, value.dtype)])]);
  return builder.op('Div', [value, length]);
}

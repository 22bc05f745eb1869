import { concreteShape, type GraphBuilder, type Value } from '@modelwright/core';
import type { Rewrite } from './lowering.js';

/**
 * The training form writes into its running-statistics inputs, which may be a slot's memory: it goes by its definition instead.
 */
export const batchNormalization: Rewrite<'BatchNormalization'> = ({ attributes }) =>
  attributes.training_mode === 1 ? undefined : 'keep';

/**
 * Statistics and result in one op, the most accurate of the forms. With momentum 0 its "running" statistics are those of this batch.
 *
 * The op writes its statistics over the inputs meant for the old ones. Constants there would be shared between equal ones, which silently
 * mixes up layers, and between concurrent runs; so each node gets values of its own, made in the run.
 */
export const batchNormalizationTraining: Rewrite<'BatchNormalizationTraining'> = ({ builder, input, attributes }) => {
  const [x, scale, bias] = [input(0), input(1), input(2)];
  if (x.dtype !== 'float32') return undefined;
  const own = (): Value => builder.op('Mul', [bias, builder.scalar(nextFactor(), x.dtype)]);
  return builder.node(
    'BatchNormalization',
    [x, scale, bias, own(), own()],
    { epsilon: attributes.epsilon, momentum: 0, training_mode: 1 },
    { outputs: 3 },
  );
};

let factors = 0;

/** A number that no other node of any graph is given, or the optimizer would merge the two. */
function nextFactor(): number {
  factors = (factors + 1) % 2 ** 20;
  return factors * 2 ** -20;
}

/**
 * With `x̂ = (x − μ)/σ` and `m` elements a channel: `dbias = Σ dy`, `dscale = Σ dy·x̂`,
 * `dx = a·dy + b·x̂ + c` where `a = scale/σ`, `b = −a·dscale/m`, `c = −a·dbias/m`.
 */
export const batchNormalizationGradient: Rewrite<'BatchNormalizationGradient'> = ({ builder, input, attributes }) => {
  const [dy, x, scale, mean, variance] = [input(0), input(1), input(2), input(3), input(4)];
  if (x.dtype !== 'float32') return undefined;
  const shape = concreteShape(x.shape, `'${x.name}'`);
  const channels = shape[1] as number;
  const axes = builder.integers(shape.map((_, axis) => axis).filter((axis) => axis !== 1));
  const count = builder.scalar(shape.reduce((product, extent) => product * extent, 1) / channels, x.dtype);
  const wide = (value: Value): Value =>
    builder.op('Reshape', [value, builder.integers([channels, ...shape.slice(2).map(() => 1)])]);
  const sum = (value: Value): Value => builder.op('ReduceSum', [value, axes], { keepdims: 0 });
  const inverse = inverseDeviation(builder, variance, attributes.epsilon);
  const normalized = builder.op('Mul', [builder.op('Sub', [x, wide(mean)]), wide(inverse)]);
  const dbias = sum(dy);
  const dscale = sum(builder.op('Mul', [dy, normalized]));
  const a = builder.op('Mul', [scale, inverse]);
  const share = builder.op('Div', [a, count]);
  const fromNormalized = builder.op('Mul', [normalized, wide(builder.op('Mul', [share, dscale]))]);
  const fromGradient = builder.op('Mul', [dy, wide(a)]);
  const shifted = builder.op('Sub', [fromGradient, wide(builder.op('Mul', [share, dbias]))]);
  return [builder.op('Sub', [shifted, fromNormalized]), dscale, dbias];
};

function inverseDeviation(builder: GraphBuilder, variance: Value, epsilon: number): Value {
  const deviation = builder.op('Sqrt', [builder.op('Add', [variance, builder.scalar(epsilon, variance.dtype)])]);
  return builder.op('Reciprocal', [deviation]);
}

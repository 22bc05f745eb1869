import { castTo, type GraphBuilder, ModelwrightError, reshapeTo, type Value } from '@modelwright/core';

/** Scores of teacher and student for the same examples, and how they are compared. */
export interface SoftTargets {
  readonly builder: GraphBuilder;
  /** `[batch, …, classes]`, floating. */
  readonly student: Value;
  /** Of the same shape. */
  readonly teacher: Value;
  /** What makes probabilities of scores. */
  readonly activation: 'softmax' | 'sigmoid';
  readonly temperature: number;
  /** bool `[batch, …]`: which positions count. All do where there is none. */
  readonly mask?: Value | undefined;
}

const smallest = 1e-7;

/**
 * How far the student's softened probabilities are from the teacher's.
 *
 * `T² · mean Σ_c p_c · (log p_c − log q_c)`, `p = softmax(teacher / T)`, `q = softmax(student / T)`; of sigmoids the same
 * for each output by itself. `T²` keeps gradients of the size that hard targets give.
 *
 * @returns a scalar.
 * @see Hinton, Vinyals and Dean, arXiv:1503.02531, §2.
 */
export function softTargetLoss(request: SoftTargets): Value {
  const { builder, activation, temperature, mask } = request;
  const cooled = (value: Value): Value =>
    temperature === 1 ? value : builder.op('Mul', [value, builder.scalar(1 / temperature, value.dtype)]);
  const [student, teacher] = [cooled(request.student), cooled(request.teacher)];
  const divergence =
    activation === 'softmax' ? ofClasses(builder, student, teacher) : ofBits(builder, student, teacher);
  const mean = meanOver(builder, divergence, mask);
  return builder.op('Mul', [mean, builder.scalar(temperature ** 2, mean.dtype)]);
}

/** Mean of squared differences, over the positions that count. */
export function squaredLoss({
  builder,
  student,
  teacher,
  mask,
}: Omit<SoftTargets, 'activation' | 'temperature'>): Value {
  const error = builder.op('Sub', [student, teacher]);
  const squares = builder.op('Mul', [error, error]);
  return meanOver(builder, builder.op('ReduceMean', [squares, builder.integers([-1])], { keepdims: 0 }), mask);
}

/** Scores whose softmax (or sigmoid) gives back the probabilities. */
export function scoresOfProbabilities(builder: GraphBuilder, value: Value, activation: 'softmax' | 'sigmoid'): Value {
  const bound = (number: number): Value => builder.scalar(number, value.dtype);
  const held = builder.op('Max', [value, bound(smallest)]);
  if (activation === 'softmax') return builder.op('Log', [held]);
  const inside = builder.op('Min', [held, bound(1 - smallest)]);
  return builder.op('Log', [builder.op('Div', [inside, builder.op('Sub', [bound(1), inside])])]);
}

/** @throws {@link ModelwrightError} `shape-mismatch` naming both when they cannot be compared. */
export function requireSameShape(what: string, student: Value, teacher: Value): void {
  if (
    student.shape.length === teacher.shape.length &&
    student.shape.every((extent, at) => extent === teacher.shape[at])
  )
    return;
  throw new ModelwrightError(
    'shape-mismatch',
    `${what}: the student gives [${student.shape}], the teacher [${teacher.shape}]; they must be alike`,
    { given: teacher.shape, allowed: student.shape },
  );
}

function ofClasses(builder: GraphBuilder, student: Value, teacher: Value): Value {
  const [known, learnt] = [teacher, student].map((value) => builder.op('LogSoftmax', [value], { axis: -1 }));
  const difference = builder.op('Sub', [known, learnt]);
  const terms = builder.op('Mul', [builder.op('Exp', [known]), difference]);
  return builder.op('ReduceSum', [terms, builder.integers([-1])], { keepdims: 0 });
}

// p·(log p − log q) + (1 − p)·(log(1 − p) − log(1 − q)), where log σ(x) = −softplus(−x).
function ofBits(builder: GraphBuilder, student: Value, teacher: Value): Value {
  const logs = (value: Value): readonly [Value, Value] => [
    builder.op('Neg', [builder.op('Softplus', [builder.op('Neg', [value])])]),
    builder.op('Neg', [builder.op('Softplus', [value])]),
  ];
  const [known, learnt] = [logs(teacher), logs(student)];
  const term = (at: 0 | 1): Value =>
    builder.op('Mul', [builder.op('Exp', [known[at]]), builder.op('Sub', [known[at], learnt[at]])]);
  const both = builder.op('Add', [term(0), term(1)]);
  return builder.op('ReduceMean', [both, builder.integers([-1])], { keepdims: 0 });
}

function meanOver(builder: GraphBuilder, values: Value, mask: Value | undefined): Value {
  if (mask === undefined || mask.shape.length > values.shape.length)
    return builder.op('ReduceMean', [values], { keepdims: 0 });
  const shape = values.shape.map(Number);
  const spread = [...shape.slice(0, mask.shape.length), ...shape.slice(mask.shape.length).map(() => 1)];
  const counted = reshapeTo(builder, castTo(builder, mask, values.dtype), spread);
  const weights = builder.op('Expand', [counted, builder.integers(shape)]);
  const total = builder.op('ReduceSum', [builder.op('Mul', [values, weights])], { keepdims: 0 });
  const count = builder.op('ReduceSum', [weights], { keepdims: 0 });
  return builder.op('Div', [total, builder.op('Max', [count, builder.scalar(1, values.dtype)])]);
}

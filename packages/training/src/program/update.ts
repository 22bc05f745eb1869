import { fullTensor, type Parameter, type Tensor, tensor, type Value, zeros } from '@modelwright/core';
import { movingAverage } from '../optimizers/moving-average.js';
import type { Optimizer, PreparedStep } from '../optimizers/optimizer.js';
import type { BatchRole } from './batch-role.js';
import { clipGradients } from './clipping.js';
import { constrain } from './constraints.js';
import type { UpdatedWeight } from './program-extensions.js';
import type { StatefulBuilder } from './stateful-builder.js';

/** Names of the slots beside weights, as checkpoints show them. */
export const accumulatorSlot = (weight: string): string => `accumulator.${weight}`;
export const averageSlot = (weight: string): string => `ema.${weight}`;
export const optimizerSlot = (slot: string, weight: string): string => `optimizer.${slot}.${weight}`;
export const optimizerScalar = (name: string): string => `optimizer.${name}`;

interface TrainedWeight {
  readonly parameter: Parameter;
  readonly value: Value;
  readonly gradient: Value;
  /** Gradient by what the forward pass saw of the weight, where it is asked for. */
  readonly seenGradient?: Value;
  readonly initial: Tensor;
}

interface UpdateRequest {
  readonly stateful: StatefulBuilder;
  readonly optimizer: Optimizer;
  readonly role: BatchRole;
  /** int64 scalar: batches seen before this one. */
  readonly step: Value;
  /** float64 scalar. */
  readonly learningRate: Value;
  readonly weights: readonly TrainedWeight[];
  /** What extensions make of an updated weight, and of its moving average. */
  readonly finish: (updated: UpdatedWeight) => Value;
  readonly finishAverage: (parameter: Parameter, value: Value) => Value;
  /** Put before the names of the optimizer's slots, where several optimizers share their state. Default nothing. */
  readonly prefix?: string;
}

/** Decay of the moving average of weights; undefined when none is kept. */
export function averageMomentum({ options: { ema = false } }: Optimizer): number | undefined {
  if (ema === false) return undefined;
  return ema === true ? 0.99 : (ema.momentum ?? 0.99);
}

/** Adds what becomes of weights and optimizer state. */
export function buildUpdate(request: UpdateRequest): void {
  const gradients = accumulate(request);
  if (gradients === undefined) return;
  const { stateful, optimizer, weights } = request;
  const clipped = clipGradients(stateful.arithmetic, gradients, optimizer.options);
  const prepared = prepare(request);
  const castShared = sharedByDtype(request, prepared);
  weights.forEach((weight, index) => {
    updateWeight(request, { ...weight, gradient: clipped[index] as Value }, castShared(weight.value));
  });
}

// Collects gradients over batches; gives their mean when it is time to update.
function accumulate({ stateful, optimizer, role, weights }: UpdateRequest): readonly Value[] | undefined {
  const steps = optimizer.options.gradientAccumulationSteps ?? 1;
  if (steps === 1) return weights.map(({ gradient }) => gradient);
  const a = stateful.arithmetic;
  const sums = weights.map(({ parameter, gradient, initial }) => {
    const name = accumulatorSlot(parameter.name);
    const held = stateful.slot(name, zeros(initial.dtype, initial.shape));
    const sum = role === 'begin' ? gradient : a.add(held, gradient);
    if (role !== 'update') stateful.next(name, sum);
    return sum;
  });
  return role === 'update' ? sums.map((sum) => a.multiply(sum, 1 / steps)) : undefined;
}

function prepare({ stateful, optimizer, step, learningRate, prefix = '' }: UpdateRequest): PreparedStep {
  const a = stateful.arithmetic;
  const steps = optimizer.options.gradientAccumulationSteps ?? 1;
  const batches = a.cast(step, 'float64');
  const updates = steps === 1 ? batches : a.builder.op('Floor', [a.divide(batches, steps)]);
  const names = Object.keys(optimizer.scalars ?? {});
  const scalars = Object.fromEntries(
    names.map((name) => [
      name,
      stateful.slot(
        prefix + optimizerScalar(name),
        tensor(optimizer.scalars?.[name] ?? 0, { dtype: 'float64', shape: [] }),
      ),
    ]),
  );
  const prepared = optimizer.prepare({ arithmetic: a, step: a.add(updates, 1), learningRate, scalars });
  for (const [name, next] of Object.entries(prepared.scalars ?? {}))
    stateful.next(prefix + optimizerScalar(name), next);
  const { weightDecay = 0 } = optimizer.options;
  if (weightDecay === 0) return prepared;
  // Weights shrink by 1 − η·λ before the step.
  return { shared: { ...prepared.shared, [keptShare]: a.subtract(1, a.multiply(learningRate, weightDecay)) } };
}

const keptShare = 'weightDecay.keptShare';

function sharedByDtype(
  { stateful }: UpdateRequest,
  { shared }: PreparedStep,
): (weight: Value) => { readonly [name: string]: Value } {
  const known = new Map<string, { readonly [name: string]: Value }>();
  return ({ dtype }) => {
    const cast =
      known.get(dtype) ??
      Object.fromEntries(Object.entries(shared).map(([name, value]) => [name, stateful.arithmetic.cast(value, dtype)]));
    known.set(dtype, cast);
    return cast;
  };
}

function updateWeight(
  { stateful, optimizer, finish, finishAverage, prefix = '' }: UpdateRequest,
  { parameter, value, gradient, seenGradient = gradient, initial }: TrainedWeight,
  shared: { readonly [name: string]: Value },
): void {
  const a = stateful.arithmetic;
  const { name } = parameter;
  const slots = Object.fromEntries(
    optimizer.slots.map((slot) => [
      slot.name,
      stateful.slot(
        prefix + optimizerSlot(slot.name, name),
        fullTensor(initial.dtype, initial.shape, slot.initial ?? 0),
      ),
    ]),
  );
  const kept = shared[keptShare];
  const decays = kept !== undefined && optimizer.options.excludeFromWeightDecay?.(name) !== true;
  const weight = decays ? a.multiply(value, kept) : value;
  const update = optimizer.update({ arithmetic: a, weight, gradient, slots, shared });
  for (const [slot, next] of Object.entries(update.slots)) stateful.next(prefix + optimizerSlot(slot, name), next);
  const constrained =
    parameter.constraint === undefined ? update.weight : constrain(a, update.weight, parameter.constraint);
  const next = finish({ parameter, previous: value, gradient: seenGradient, next: constrained });
  stateful.next(name, next);
  const momentum = averageMomentum(optimizer);
  if (momentum === undefined) return;
  const average = stateful.slot(averageSlot(name), initial);
  const nextAverage = movingAverage(a, { average, next, decay: momentum });
  stateful.next(averageSlot(name), finishAverage(parameter, nextAverage));
}

import { backpropagate, ModelwrightError, type Parameter, type Program, tensor, type Value } from '@modelwright/core';
import { toLoss } from '../losses/loss-by-name.js';
import type { Optimizer } from '../optimizers/optimizer.js';
import { alignTarget } from '../program/align-target.js';
import { learningRateName, stepSlot, type TensorTypes } from '../program/batch-signature.js';
import { meanLoss, predictionOf } from '../program/objective.js';
import { penaltyGradient } from '../program/penalties.js';
import { StatefulBuilder } from '../program/stateful-builder.js';
import { penalties } from '../program/training-program.js';
import { buildUpdate } from '../program/update.js';
import { extents } from '../symbolic/arithmetic.js';
import { AppliedModels, jointSlot } from './applied-models.js';
import type { JointLoss, JointStep, JointStepContext, Models } from './joint-step.js';

/** Name of a graph input that a step is fed. */
export const feedName = (input: string): string => `inputs.${input}`;
/** Name of a graph output that a step gives back. */
export const resultName = (output: string): string => `outputs.${output}`;

interface JointProgramRequest {
  /** Name of the step. */
  readonly name: string;
  readonly step: JointStep;
  readonly optimizer: Optimizer;
  readonly models: Models;
  readonly seed: number;
  /** Types of what is fed. */
  readonly inputs: TensorTypes;
}

/** A step's program, and the names of what it gives back beside the loss. */
export interface JointProgram extends Program {
  readonly outputs: readonly string[];
}

/**
 * One step: the loss that its function builds, the gradients of the weights it trains, and their update. Weights of all models
 * are slots `<model>.<weight>`; what the optimizer remembers stands under the name of the step.
 *
 * @throws {@link ModelwrightError} `invalid-argument` for unknown models, `invalid-model` when the loss depends on no weight that
 *   the step trains.
 */
export function jointProgram(request: JointProgramRequest): JointProgram {
  const { name, step, optimizer, models, inputs, seed } = request;
  const stateful = new StatefulBuilder(name);
  const { builder, arithmetic } = stateful;
  const trains = typeof step.trains === 'string' ? [step.trains] : step.trains;
  const learningRate = builder.input(learningRateName, 'float64', []);
  const counterSlot = jointSlot(name, stepSlot);
  const counter = stateful.slot(counterSlot, tensor(0n, { dtype: 'int64', shape: [] }));
  const applied = new AppliedModels({ stateful, models, trains, counter, seed });
  const weights = trainedWeights(applied, trains);
  const { loss, outputs = {} } = lossOf(step.loss(contextOf({ name, stateful, applied, inputs })));
  const terms = [loss, ...applied.ownLosses].map((term) => (term.shape.length === 0 ? term : arithmetic.mean(term)));
  const penalty = penalties(stateful, weights);
  const add = (sum: Value, term: Value): Value => arithmetic.add(sum, term);
  const differentiated = [...terms, ...penalty.open].reduce(add);
  builder.output('loss', penalty.closed.reduce(add, differentiated));
  for (const [output, value] of Object.entries(outputs)) builder.output(resultName(output), value);
  buildUpdate({
    stateful,
    optimizer,
    role: 'update',
    step: counter,
    learningRate,
    weights: gradientsOf({ stateful, name, loss: differentiated, weights, applied }),
    finish: ({ next }) => next,
    finishAverage: (_, value) => value,
    prefix: `${name}.`,
  });
  applied.finish();
  stateful.next(counterSlot, arithmetic.add(counter, 1));
  return { ...stateful.program(), outputs: Object.keys(outputs) };
}

/** The weights that a step trains, renamed to their slots. */
function trainedWeights(applied: AppliedModels, trains: readonly string[]): ReadonlyMap<Parameter, Value> {
  return new Map(
    trains.flatMap((model) =>
      applied
        .model(model)
        .parameters.filter(({ trainable, role }) => trainable && role === 'weight')
        .map((each) => [{ ...each, name: jointSlot(model, each.name) }, applied.weight(model, each)] as const),
    ),
  );
}

interface GradientsRequest {
  readonly stateful: StatefulBuilder;
  readonly name: string;
  readonly loss: Value;
  readonly weights: ReadonlyMap<Parameter, Value>;
  readonly applied: AppliedModels;
}

function gradientsOf({ stateful, name, loss, weights, applied }: GradientsRequest) {
  const { builder, arithmetic } = stateful;
  const gradients = backpropagate(builder, [{ value: loss }], [...weights.values()]);
  const trained = [...weights]
    .map(([parameter, value], index) => ({ parameter, value, gradient: gradients[index] as Value }))
    .filter(({ gradient }) => builder.constantOf(gradient) === undefined)
    .map((each) => {
      const { regularizer } = each.parameter;
      const gradient =
        regularizer === undefined
          ? each.gradient
          : penaltyGradient(arithmetic, { weight: each.value, gradient: each.gradient }, regularizer);
      return { ...each, gradient, initial: applied.initial(each.parameter.name) };
    });
  if (trained.length > 0) return trained;
  throw new ModelwrightError('invalid-model', `step '${name}': its loss depends on no weight that it trains`, {
    given: [...weights.keys()].map((parameter) => parameter.name),
  });
}

interface ContextRequest {
  readonly name: string;
  readonly stateful: StatefulBuilder;
  readonly applied: AppliedModels;
  readonly inputs: TensorTypes;
}

function contextOf({ name, stateful, applied, inputs }: ContextRequest): JointStepContext {
  const { builder, arithmetic } = stateful;
  const fed = new Map(
    Object.entries(inputs).map(([input, { dtype, shape }]) => [input, builder.input(feedName(input), dtype, shape)]),
  );
  const applyAll: JointStepContext['applyAll'] = (model, given, options) => applied.apply(model, given, options);
  return {
    arithmetic,
    input: (input) => fed.get(input) ?? notFed(name, input, [...fed.keys()]),
    applyAll,
    apply: (model, given, options) => onlyOutput(model, applyAll(model, given, options)),
    meanLoss: (like, prediction, target) => {
      const loss = toLoss(like);
      const { shape } = prediction;
      const wanted = loss.targets === 'classes' ? shape.slice(0, -1) : shape;
      const given =
        typeof target === 'number'
          ? arithmetic.expand(builder.scalar(target, prediction.dtype), extents(wanted))
          : target;
      const aligned = alignTarget(arithmetic, { output: loss.name, loss, target: given, prediction });
      const values = loss.build({ arithmetic, target: aligned, prediction: predictionOf(builder, prediction) });
      return meanLoss({ arithmetic, loss, target: aligned, values, sampleWeights: undefined, mask: undefined });
    },
    gradients: (value, by) => backpropagate(builder, [{ value: arithmetic.sum(value) }], by),
    stopGradient: (value) => builder.op('StopGradient', [value]),
  };
}

function notFed(name: string, input: string, allowed: readonly string[]): never {
  throw new ModelwrightError(
    'invalid-argument',
    `step '${name}' reads '${input}', which it is not fed; it is fed: ${allowed.join(', ')}`,
    { given: input, allowed },
  );
}

function onlyOutput(model: string, outputs: { readonly [name: string]: Value }): Value {
  const names = Object.keys(outputs);
  if (names.length === 1) return outputs[names[0] as string] as Value;
  throw new ModelwrightError(
    'invalid-argument',
    `model '${model}' has the outputs ${names.join(', ')}; take them with applyAll`,
    { given: names.length },
  );
}

function lossOf(given: Value | JointLoss): JointLoss {
  return 'loss' in given ? given : { loss: given };
}

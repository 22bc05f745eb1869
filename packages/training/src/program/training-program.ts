import {
  backpropagate,
  type GraphBuilder,
  initialStates,
  inlineGraph,
  type Model,
  ModelwrightError,
  type Parameter,
  type Program,
  type TrainingExtension,
  tensor,
  type Value,
  withIntermediates,
} from '@modelwright/core';
import type { Optimizer } from '../optimizers/optimizer.js';
import type { Arithmetic } from '../symbolic/arithmetic.js';
import type { BatchRole } from './batch-role.js';
import { type BatchSignature, inputName, learningRateName, stepSlot } from './batch-signature.js';
import {
  liveParameters,
  maskName,
  nextName,
  outputName,
  ownLossName,
  stateInput,
  trainingForward,
} from './forward-graph.js';
import { buildObjectives, type MetricOutputs, type OutputObjective } from './objective.js';
import { type Penalty, penaltyGradient, penaltyOf } from './penalties.js';
import { ProgramExtensions, type TrainedValue } from './program-extensions.js';
import { StatefulBuilder } from './stateful-builder.js';
import { buildUpdate } from './update.js';

/** Everything that training programs are made from, whatever the batch looks like. */
export interface TrainingRecipe {
  readonly model: Model;
  readonly objectives: readonly OutputObjective[];
  readonly optimizer: Optimizer;
  readonly extensions: readonly TrainingExtension[];
  readonly seed: number;
}

/** A program that trains or evaluates on one batch. */
export interface ObjectiveProgram extends Program {
  /** Graph output that holds the total loss; undefined when there is no loss. */
  readonly loss: string | undefined;
  /** Graph outputs with the loss of each output, by log name, where there are several. */
  readonly losses: { readonly [name: string]: string };
  readonly metrics: readonly MetricOutputs[];
}

type Values = { readonly [name: string]: Value };

/**
 * One training step for batches of one signature: forward in training form, losses and penalties, gradients, update.
 *
 * @throws {@link ModelwrightError} `invalid-model` when nothing can be trained, `shape-mismatch` naming the output whose
 *   targets do not fit, `not-differentiable` naming the node in the way.
 */
export function trainingProgram(recipe: TrainingRecipe, signature: BatchSignature, role: BatchRole): ObjectiveProgram {
  const { model, optimizer } = recipe;
  const stateful = new StatefulBuilder(`${model.name}.${role}`);
  const learningRate = stateful.builder.input(learningRateName, 'float64', []);
  const step = stateful.slot(stepSlot, tensor(0n, { dtype: 'int64', shape: [] }));
  const weights = new Map(
    liveParameters(model).map((each) => [each, stateful.slot(each.name, model.weightOf(each))] as const),
  );
  const extensions = new ProgramExtensions(recipe, stateful);
  const forward = buildForward({ recipe, signature, stateful, step, weights, extensions });
  const { differentiated, objective } = buildLosses({ recipe, signature, stateful, weights, extensions, forward });
  const { seen } = forward;
  const trained = differentiate({ model, stateful, total: differentiated, weights, seen, slots: extensions.trainable });
  buildUpdate({
    stateful,
    optimizer,
    role,
    step,
    learningRate,
    weights: trained,
    finish: (updated) => (weights.has(updated.parameter) ? extensions.reviseUpdate(updated) : updated.next),
    finishAverage: (parameter, value) => (weights.has(parameter) ? extensions.reviseAverage(parameter, value) : value),
  });
  for (const [name, next] of forward.carried) stateful.next(name, next);
  stateful.next(stepSlot, stateful.arithmetic.add(step, 1));
  return { ...stateful.program(), ...objective };
}

interface Stage {
  readonly recipe: TrainingRecipe;
  readonly signature: BatchSignature;
  readonly stateful: StatefulBuilder;
  readonly weights: ReadonlyMap<Parameter, Value>;
  readonly extensions: ProgramExtensions;
}

interface Forward {
  readonly inputs: Values;
  /** What extensions let the forward pass see of the weights. */
  readonly seen: ReadonlyMap<Parameter, Value>;
  readonly outputs: Values;
  /** By output, where there are any. */
  readonly masks: Values;
  /** Terms that the model itself adds to the loss. */
  readonly ownLosses: Values;
  /** What extensions watch, by forward output. */
  readonly watched: ReadonlyMap<string, Value>;
  /** Next running statistics, and next states of the model, by slot. */
  readonly carried: ReadonlyMap<string, Value>;
}

function buildForward({ recipe, signature, stateful, step, weights, extensions }: Stage & { step: Value }): Forward {
  const { model, seed } = recipe;
  const { builder } = stateful;
  const graph = extensions.reviseForward(
    trainingForward({
      model,
      inputs: signature.inputs,
      live: [...weights.keys()],
      seed,
      watched: extensions.watched(model),
    }),
  );
  const named = new Map<string, Value>([[stateInput(stepSlot), step]]);
  const seen = new Map<Parameter, Value>();
  for (const [parameter, value] of weights) {
    seen.set(parameter, extensions.reviseWeight(parameter, value));
    named.set(stateInput(parameter.name), seen.get(parameter) as Value);
  }
  for (const [name, initial] of Object.entries(initialStates(model))) {
    named.set(stateInput(name), stateful.slot(name, initial));
  }
  const inputs: { [name: string]: Value } = {};
  for (const { name, dtype } of model.graph.inputs) {
    const declared = graph.inputs.find((input) => input.name === inputName(name)) as Value;
    const fed = builder.input(declared.name, declared.dtype, declared.shape);
    named.set(declared.name, fed);
    inputs[name] = stateful.arithmetic.cast(fed, dtype);
  }
  const bindings = new Map(graph.inputs.map((input) => [input, named.get(input.name) as Value]));
  const results = inlineGraph(builder, graph, bindings, { rewrite: withIntermediates });
  const byName = new Map(graph.outputs.map(({ name }, index) => [name, results[index] as Value]));
  const carried = new Map<string, Value>();
  for (const { name } of [...weights.keys(), ...model.states]) {
    const next = byName.get(nextName(name));
    if (next !== undefined) carried.set(name, next);
  }
  return { inputs, seen, ...namedOutputs(model, byName), watched: byName, carried };
}

/** The outputs of a forward graph and their masks, by the names they have in the model. */
export function namedOutputs(
  { graph, outputMasks, losses }: Model,
  byName: ReadonlyMap<string, Value>,
): { readonly outputs: Values; readonly masks: Values; readonly ownLosses: Values } {
  const take = (names: readonly string[], nameOf: (name: string) => string): Values =>
    Object.fromEntries(names.map((name) => [name, byName.get(nameOf(name)) as Value]));
  return {
    outputs: take(
      graph.outputs.map(({ name }) => name),
      outputName,
    ),
    masks: take([...outputMasks.keys()], maskName),
    ownLosses: take(
      losses.map(({ name }) => name),
      ownLossName,
    ),
  };
}

function buildLosses({ recipe, signature, stateful, weights, extensions, forward }: Stage & { forward: Forward }): {
  /** The loss but for terms whose gradient is known beforehand. */
  readonly differentiated: Value;
  readonly objective: Omit<ObjectiveProgram, keyof Program>;
} {
  const { builder, arithmetic } = stateful;
  const { outputs, inputs, masks, watched } = forward;
  const ownLosses = meansOf(arithmetic, forward.ownLosses);
  const built = buildObjectives({ builder, objectives: recipe.objectives, signature, outputs, masks });
  const penalty = penalties(stateful, weights);
  const terms = [
    ...extensions.weigh(arithmetic, built.loss),
    ...Object.values(ownLosses),
    ...penalty.open,
    ...extensions.extraLosses({ inputs, outputs, targets: built.targets, watched }),
  ];
  if (terms.length === 0) {
    throw new ModelwrightError(
      'invalid-argument',
      `model '${recipe.model.name}' has no loss to train for: the batch has no targets, or no loss was given`,
    );
  }
  const add = (sum: Value, term: Value): Value => arithmetic.add(sum, term);
  const differentiated = terms.reduce(add);
  builder.output('loss', penalty.closed.reduce(add, differentiated));
  const losses = nameLosses(builder, { ...built.losses, ...ownLosses });
  return { differentiated, objective: { loss: 'loss', losses, metrics: built.metrics } };
}

/** One number for each term. */
export function meansOf(arithmetic: Arithmetic, terms: Values): Values {
  return Object.fromEntries(Object.entries(terms).map(([name, term]) => [name, arithmetic.mean(term)]));
}

/** Makes the loss of each output a graph output; gives their names by log name. */
export function nameLosses(builder: GraphBuilder, losses: Values): { readonly [name: string]: string } {
  for (const [name, loss] of Object.entries(losses)) builder.output(`losses.${name}`, loss);
  return Object.fromEntries(Object.keys(losses).map((name) => [name, `losses.${name}`]));
}

/** The penalties of all trainable weights. */
export function penalties({ arithmetic }: StatefulBuilder, weights: ReadonlyMap<Parameter, Value>): Penalty {
  const all = [...weights].flatMap(([{ regularizer, trainable }, value]) =>
    regularizer === undefined || !trainable ? [] : [penaltyOf(arithmetic, value, regularizer)],
  );
  return { closed: all.flatMap(({ closed }) => closed), open: all.flatMap(({ open }) => open) };
}

interface TrainedWeight extends TrainedValue {
  readonly gradient: Value;
  /** Gradient by what the forward pass saw. */
  readonly seenGradient: Value;
}

// Weights that the loss does not depend on are left alone.
function differentiate(request: {
  readonly model: Model;
  readonly stateful: StatefulBuilder;
  readonly total: Value;
  readonly weights: ReadonlyMap<Parameter, Value>;
  readonly seen: ReadonlyMap<Parameter, Value>;
  /** What extensions want trained. */
  readonly slots: readonly TrainedValue[];
}): readonly TrainedWeight[] {
  const { model, stateful, total, weights, seen, slots } = request;
  const { builder, arithmetic } = stateful;
  const own = [...weights].filter(([{ role }]) => role === 'weight');
  const candidates = [
    ...own.map(([parameter, value]) => ({ parameter, value, initial: model.weightOf(parameter) })),
    ...slots,
  ];
  const targets = [
    ...candidates.map(({ value }) => value),
    ...candidates.map(({ parameter, value }) => seen.get(parameter) ?? value),
  ];
  const gradients = backpropagate(builder, [{ value: total }], targets);
  const trained = candidates
    .map((candidate, index) => ({
      ...candidate,
      gradient: gradients[index] as Value,
      seenGradient: gradients[index + candidates.length] as Value,
    }))
    .filter(({ gradient }) => builder.constantOf(gradient) === undefined)
    .map((each) => ({ ...each, gradient: penalized(arithmetic, each) }));
  if (trained.length > 0) return trained;
  const reason = candidates.length === 0 ? 'it has no trainable weights' : 'the loss depends on none of its weights';
  throw new ModelwrightError('invalid-model', `model '${model.name}' cannot be trained: ${reason}`, {
    given: model.parameters.map(({ name }) => name),
  });
}

function penalized(arithmetic: Arithmetic, { parameter, value, gradient }: TrainedWeight): Value {
  const { regularizer } = parameter;
  return regularizer === undefined ? gradient : penaltyGradient(arithmetic, { weight: value, gradient }, regularizer);
}

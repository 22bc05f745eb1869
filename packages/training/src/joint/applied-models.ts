import {
  initialStates,
  inlineGraph,
  type Model,
  ModelwrightError,
  type Parameter,
  type Tensor,
  type Value,
} from '@modelwright/core';
import { inputName, stepSlot, type TensorTypes } from '../program/batch-signature.js';
import { inferenceForward, liveParameters, nextName, stateInput, trainingForward } from '../program/forward-graph.js';
import type { StatefulBuilder } from '../program/stateful-builder.js';
import { namedOutputs } from '../program/training-program.js';
import { extents } from '../symbolic/arithmetic.js';
import type { ApplyOptions, Models } from './joint-step.js';

/** Name of a model's weight or state among those of all models. */
export const jointSlot = (model: string, name: string): string => `${model}.${name}`;

type Values = { readonly [name: string]: Value };

interface AppliedModelsRequest {
  readonly stateful: StatefulBuilder;
  readonly models: Models;
  /** Names of the models whose running statistics follow. */
  readonly trains: readonly string[];
  /** Counts the runs, for what is random. */
  readonly counter: Value;
  readonly seed: number;
}

/** Models at work in one program: their weights are state slots, which all their uses share. */
export class AppliedModels {
  /** Terms that the trained models themselves add to the loss. */
  readonly ownLosses: Value[] = [];
  readonly #request: AppliedModelsRequest;
  /** Weights by slot, as they are when the program begins. */
  readonly #weights: Map<string, Value> = new Map();
  readonly #initial: Map<string, Tensor> = new Map();
  /** Running statistics and states by slot, as the uses so far have left them. */
  readonly #current: Map<string, Value> = new Map();
  #uses = 0;

  constructor(request: AppliedModelsRequest) {
    this.#request = request;
  }

  /** The weight's value in the program. */
  weight(model: string, parameter: Parameter): Value {
    const { stateful } = this.#request;
    const slot = jointSlot(model, parameter.name);
    const known = this.#weights.get(slot);
    if (known !== undefined) return known;
    const initial = this.model(model).weightOf(parameter);
    const value = stateful.slot(slot, initial);
    this.#weights.set(slot, value);
    this.#initial.set(slot, initial);
    return value;
  }

  /** What the weight in a slot begins with. */
  initial(slot: string): Tensor {
    return this.#initial.get(slot) as Tensor;
  }

  /** @throws {@link ModelwrightError} `invalid-argument` for an unknown name. */
  model(name: string): Model {
    const { models } = this.#request;
    const found = Object.hasOwn(models, name) ? models[name] : undefined;
    if (found !== undefined) return found;
    const allowed = Object.keys(models);
    throw new ModelwrightError('invalid-argument', `there is no model '${name}'; there are: ${allowed.join(', ')}`, {
      given: name,
      allowed,
    });
  }

  /** Runs a model on values of the program. */
  apply(name: string, given: Value | Values, { training = true }: ApplyOptions = {}): Values {
    const { stateful, counter, seed, trains } = this.#request;
    const model = this.model(name);
    const inputs = inputsOf(model, name, given);
    const live = liveParameters(model);
    const request = { model, inputs: typesOf(inputs), live };
    // Each use draws its own random numbers.
    const use = this.#uses++;
    const graph = training ? trainingForward({ ...request, seed: seed + 7919 * use }) : inferenceForward(request);
    const named = new Map<string, Value>([[stateInput(stepSlot), counter]]);
    for (const parameter of live) named.set(stateInput(parameter.name), this.#live(name, parameter));
    for (const [state, initial] of Object.entries(initialStates(model))) {
      const slot = jointSlot(name, state);
      named.set(stateInput(state), this.#current.get(slot) ?? stateful.slot(slot, initial));
    }
    for (const [input, value] of Object.entries(inputs)) named.set(inputName(input), value);
    const bindings = new Map(graph.inputs.map((input) => [input, named.get(input.name) as Value]));
    const results = inlineGraph(stateful.builder, graph, bindings);
    const byName = new Map(graph.outputs.map((output, index) => [output.name, results[index] as Value]));
    if (training && trains.includes(name)) this.#carry(name, model, byName);
    const { outputs, ownLosses } = namedOutputs(model, byName);
    if (training && trains.includes(name)) this.ownLosses.push(...Object.values(ownLosses));
    return outputs;
  }

  /** Says what becomes of running statistics and states. */
  finish(): void {
    for (const [slot, value] of this.#current) this.#request.stateful.next(slot, value);
  }

  #live(model: string, parameter: Parameter): Value {
    return this.#current.get(jointSlot(model, parameter.name)) ?? this.weight(model, parameter);
  }

  #carry(name: string, model: Model, byName: ReadonlyMap<string, Value>): void {
    const statistics = model.parameters.filter(({ role }) => role === 'statistic');
    for (const each of [...statistics, ...model.states]) {
      const next = byName.get(nextName(each.name));
      if (next !== undefined) this.#current.set(jointSlot(name, each.name), next);
    }
  }
}

function typesOf(inputs: Values): TensorTypes {
  return Object.fromEntries(
    Object.entries(inputs).map(([name, { dtype, shape }]) => [name, { dtype, shape: extents(shape) }]),
  );
}

function inputsOf(model: Model, name: string, given: Value | Values): Values {
  const names = model.graph.inputs.map((input) => input.name);
  const named = isValue(given) && names.length === 1 ? { [names[0] as string]: given } : given;
  const missing = names.filter((input) => !isValue((named as { readonly [input: string]: unknown })[input]));
  if (missing.length === 0) return named as Values;
  throw new ModelwrightError(
    'invalid-argument',
    `model '${name}' takes values for its inputs ${names.join(', ')}; not given: ${missing.join(', ')}`,
    { given: Object.keys(given), allowed: names },
  );
}

function isValue(given: unknown): given is Value {
  return typeof given === 'object' && given !== null && Array.isArray((given as Value).shape);
}

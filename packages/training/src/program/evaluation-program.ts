import { initialStates, inlineGraph, type Model, type Parameter, type Value } from '@modelwright/core';
import { type BatchSignature, inputName } from './batch-signature.js';
import { inferenceForward, nextName, outputName, stateInput } from './forward-graph.js';
import { buildObjectives, type OutputObjective } from './objective.js';
import { StatefulBuilder } from './stateful-builder.js';
import { meansOf, namedOutputs, nameLosses, type ObjectiveProgram, penalties } from './training-program.js';

interface EvaluationRequest {
  readonly model: Model;
  readonly signature: BatchSignature;
  /** Empty: only the model's outputs are computed. */
  readonly objectives: readonly OutputObjective[];
  /** Weights that are shared with a training program; the others are constants. */
  readonly live: readonly Parameter[];
  /** Slot that holds a live weight: its own name, or that of its moving average. */
  readonly slotOf: (parameter: Parameter) => string;
  /** Give the model's outputs, too. */
  readonly withOutputs: boolean;
}

/** Losses, metrics and outputs of the model in its inference form, for batches of one signature. */
export function evaluationProgram(request: EvaluationRequest): ObjectiveProgram {
  const { model, signature, objectives, live, slotOf, withOutputs } = request;
  const stateful = new StatefulBuilder(`${model.name}.evaluate`);
  const { builder, arithmetic } = stateful;
  const graph = inferenceForward({ model, inputs: signature.inputs, live });
  const named = new Map<string, Value>();
  const weights = new Map<Parameter, Value>();
  for (const parameter of live) {
    const value = stateful.slot(slotOf(parameter), model.weightOf(parameter));
    weights.set(parameter, value);
    named.set(stateInput(parameter.name), value);
  }
  for (const [name, initial] of Object.entries(initialStates(model))) {
    named.set(stateInput(name), stateful.slot(name, initial));
  }
  for (const parameter of model.parameters) {
    if (parameter.regularizer === undefined || weights.has(parameter)) continue;
    weights.set(parameter, builder.constant(model.weightOf(parameter), { name: parameter.name }));
  }
  for (const { name } of model.graph.inputs) {
    const declared = graph.inputs.find((input) => input.name === inputName(name)) as Value;
    named.set(declared.name, builder.input(declared.name, declared.dtype, declared.shape));
  }
  const bindings = new Map(graph.inputs.map((input) => [input, named.get(input.name) as Value]));
  const results = inlineGraph(builder, graph, bindings);
  const byName = new Map(graph.outputs.map(({ name }, index) => [name, results[index] as Value]));
  const { outputs, masks, ownLosses } = namedOutputs(model, byName);
  for (const { name } of model.states) stateful.next(name, byName.get(nextName(name)) as Value);
  const built = buildObjectives({ builder, objectives, signature, outputs, masks });
  const own = withOutputs ? {} : meansOf(arithmetic, ownLosses);
  const objectiveTerms = [...(built.loss === undefined ? [] : [built.loss]), ...Object.values(own)];
  if (objectiveTerms.length > 0) {
    const { closed, open } = penalties(stateful, weights);
    const terms = [...objectiveTerms, ...closed, ...open];
    builder.output(
      'loss',
      terms.reduce((sum, term) => arithmetic.add(sum, term)),
    );
  }
  if (withOutputs) for (const [name, value] of Object.entries(outputs)) builder.output(outputName(name), value);
  const losses = nameLosses(builder, { ...built.losses, ...own });
  const loss = objectiveTerms.length === 0 ? undefined : 'loss';
  return { ...stateful.program(), loss, losses, metrics: built.metrics };
}

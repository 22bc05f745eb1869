import {
  cancelTransposes,
  eliminateCommonSubexpressions,
  foldConstants,
  type Graph,
  GraphBuilder,
  hoistFromScans,
  inlineGraph,
  inlineTrainingForm,
  type Model,
  type Node,
  onnxDataType,
  type Parameter,
  type Pass,
  projectBeforeGather,
  removeDeadNodes,
  runPasses,
  toInference,
  type Value,
} from '@modelwright/core';
import { inputName, stepSlot, type TensorTypes } from './batch-signature.js';

/** Passes that leave a program with as few nodes as its meaning needs. */
export const tidyingPasses: readonly Pass[] = [
  foldConstants,
  cancelTransposes,
  eliminateCommonSubexpressions,
  removeDeadNodes,
];

/** Name of the graph input that carries a state slot. */
export const stateInput = (slot: string): string => `state.${slot}`;
/** Name of a model output in a forward graph. */
export const outputName = (name: string): string => `outputs.${name}`;
/** Name of the mask of a model output in a forward graph. */
export const maskName = (output: string): string => `masks.${output}`;
/** Name of a term that the model itself adds to the loss in a forward graph. */
export const ownLossName = (loss: string): string => `ownLosses.${loss}`;
/** Name of a value of the model that an extension watches in a forward graph. */
export const watchedName = (extension: string, name: string): string => `watched.${extension}.${name}`;
/** Name of the next value of a state slot. */
export const nextName = (slot: string): string => `next.${slot}`;

/** Parameters that training changes; all others are constants of its programs. */
export function liveParameters(model: Model): readonly Parameter[] {
  return model.parameters.filter(({ role, trainable }) => trainable || role === 'statistic');
}

interface ForwardRequest {
  readonly model: Model;
  readonly inputs: TensorTypes;
  /** Parameters that become inputs (`state.<name>`). */
  readonly live: readonly Parameter[];
}

/**
 * A model's forward graph for concrete shapes in the form it trains in: weights are inputs, the next running statistics
 * outputs.
 */
export function trainingForward(
  request: ForwardRequest & {
    readonly seed: number;
    /** More values of the model's graph that become outputs, by output name. */
    readonly watched?: ReadonlyMap<string, Value>;
  },
): Graph {
  const { model, live, seed, watched = new Map<string, Value>() } = request;
  const builder = new GraphBuilder(`${model.name}.forward`);
  const bindings = bindInputs(builder, request);
  const counter = builder.input(stateInput(stepSlot), 'int64', []);
  const form = inlineTrainingForm(builder, model.graph, bindings, { seed, counter, isFrozen: frozenNodes(model) });
  model.graph.outputs.forEach(({ name }, index) => {
    builder.output(outputName(name), form.outputs[index] as Value);
  });
  addSideResults(builder, model, bindings);
  for (const [name, value] of watched) builder.output(name, bindings.get(value) as Value);
  for (const { current, next } of form.statistics) {
    const parameter = live.find(({ value }) => bindings.get(value) === current);
    if (parameter !== undefined) builder.output(nextName(parameter.name), next);
  }
  return runPasses(builder.build(), [hoistFromScans, projectBeforeGather, ...tidyingPasses]);
}

// A batch normalization whose own weights are all frozen uses and keeps its running statistics, as in Keras.
function frozenNodes(model: Model): (node: Node) => boolean {
  const weights = model.parameters.filter(({ role }) => role === 'weight');
  return ({ op, inputs }) => {
    if (op !== 'BatchNormalization') return false;
    const own = weights.filter(({ value }) => inputs.includes(value));
    return own.length > 0 && own.every(({ trainable }) => !trainable);
  };
}

/** A model's forward graph for concrete shapes in the form it infers in, with live weights as inputs. */
export function inferenceForward(request: ForwardRequest): Graph {
  const { model } = request;
  const builder = new GraphBuilder(`${model.name}.forward`);
  const bindings = bindInputs(builder, request);
  const outputs = inlineGraph(builder, model.graph, bindings);
  model.graph.outputs.forEach(({ name }, index) => {
    builder.output(outputName(name), outputs[index] as Value);
  });
  addSideResults(builder, model, bindings);
  return runPasses(builder.build(), [toInference, ...tidyingPasses]);
}

function bindInputs(builder: GraphBuilder, { model, inputs, live }: ForwardRequest): Map<Value, Value> {
  const bindings = new Map<Value, Value>();
  for (const input of model.graph.inputs) {
    const { dtype, shape } = inputs[input.name] ?? { dtype: input.dtype, shape: input.shape };
    const fed = builder.input(inputName(input.name), dtype, shape);
    bindings.set(input, dtype === input.dtype ? fed : builder.op('Cast', [fed], { to: onnxDataType(input.dtype) }));
  }
  for (const { name, value } of [...live, ...model.states]) {
    bindings.set(value, builder.input(stateInput(name), value.dtype, value.shape));
  }
  return bindings;
}

/** What a model has beside its outputs, as outputs of the forward graph. */
function addSideResults(builder: GraphBuilder, model: Model, bindings: ReadonlyMap<Value, Value>): void {
  for (const [output, mask] of model.outputMasks) builder.output(maskName(output), bindings.get(mask) as Value);
  for (const { name, next } of model.states) builder.output(nextName(name), bindings.get(next) as Value);
  for (const { name, value } of model.losses) builder.output(ownLossName(name), bindings.get(value) as Value);
}

import {
  type Graph,
  isFloat,
  type ModelParts,
  ModelwrightError,
  type Node,
  type Parameter,
  type Value,
} from '@modelwright/core';
import type { TrainingMetadata } from '../metadata/training-metadata.js';

/** What a file written by Modelwright says of its values, as a model takes it. */
export function recordedParts(
  graph: Graph,
  metadata: TrainingMetadata,
  find: (name: string) => Value | undefined,
): Pick<ModelParts, 'parameters' | 'states' | 'outputMasks' | 'losses'> {
  const named = (what: string, name: string): Value => find(name) ?? lacking(what, name);
  const constantOf = (what: string, name: string): Value => {
    const value = find(name);
    return value !== undefined && graph.constants.has(value) ? value : lacking(what, name);
  };
  return {
    parameters: metadata.parameters.map(({ initializer, ...parameter }) => ({
      ...parameter,
      value: constantOf(`parameter '${parameter.name}'`, initializer),
    })),
    states: metadata.states.map(({ name, initializer, next }) => ({
      name,
      value: constantOf(`state '${name}'`, initializer),
      next: named(`state '${name}'`, next),
    })),
    outputMasks: new Map(metadata.outputMasks.map(({ name, value }) => [name, named(`the mask of '${name}'`, value)])),
    losses: metadata.losses.map(({ name, value }) => ({ name, value: named(`loss '${name}'`, value) })),
  };
}

function lacking(what: string, name: string): never {
  throw new ModelwrightError('invalid-model', `${what} names '${name}', which the file lacks`, { given: name });
}

/** Inputs that steer an op; the constants behind them are no weights. All inputs from the given one on. */
const steeringInputs: { readonly [op: string]: number | undefined } = {
  Clip: 1,
  Dropout: 1,
  OneHot: 1,
  Pad: 1,
  QuantizeLinear: 1,
  Range: 0,
  Resize: 1,
  Upsample: 1,
};

/**
 * What can be trained of a graph that comes from elsewhere: the floating-point constants of more than one element that
 * feed an op's arithmetic. Running statistics of `BatchNormalization` are told by their place.
 */
export function guessedParameters(graph: Graph): readonly Parameter[] {
  const roles = new Map<Value, Parameter['role'] | undefined>();
  for (const node of graph.nodes) {
    node.inputs.forEach((input, index) => {
      if (input === undefined || !graph.constants.has(input)) return;
      roles.set(input, roles.get(input) ?? roleOf(node, index));
    });
  }
  return [...graph.constants].flatMap(([value, { elementCount }]): Parameter[] => {
    const role = roles.get(value);
    if (role === undefined || !isFloat(value.dtype) || elementCount < 2) return [];
    return [{ name: value.name, value, trainable: role === 'weight', role }];
  });
}

function roleOf(node: Node, index: number): Parameter['role'] | undefined {
  if (node.domain === '' && node.op === 'BatchNormalization' && index > 2) return 'statistic';
  const steering = node.domain === '' ? steeringInputs[node.op] : undefined;
  return steering !== undefined && index >= steering ? undefined : 'weight';
}

import { type Graph, isFloat, ModelwrightError, type Node, type Parameter, type Value } from '@modelwright/core';
import type { ParameterRecord } from '../metadata/training-metadata.js';

/** The parameters that a file written by Modelwright names. */
export function recordedParameters(graph: Graph, records: readonly ParameterRecord[]): readonly Parameter[] {
  const byName = new Map([...graph.constants.keys()].map((value) => [value.name, value]));
  return records.map(({ initializer, ...parameter }): Parameter => {
    const value = byName.get(initializer);
    if (value !== undefined) return { ...parameter, value };
    throw new ModelwrightError(
      'invalid-model',
      `parameter '${parameter.name}' names the initializer '${initializer}', which the file lacks`,
      {
        given: initializer,
      },
    );
  });
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

import { type Graph, Model, type Value } from '@modelwright/core';

/**
 * The same model on a graph that a pass has rewritten. Parameters, states, masks and losses are found again by the names
 * of their values; a parameter that the graph has no more is gone from the model and from its layers.
 */
export function withGraph(model: Model, graph: Graph, metadata: { readonly [key: string]: string } = {}): Model {
  const constants = new Map([...graph.constants.keys()].map((value) => [value.name, value]));
  const values = new Map<string, Value>(constants);
  for (const input of graph.inputs) values.set(input.name, input);
  for (const { outputs } of graph.nodes) for (const output of outputs) values.set(output.name, output);
  const parameters = model.parameters.flatMap((parameter) => {
    const value = constants.get(parameter.value.name);
    return value === undefined ? [] : [{ ...parameter, value }];
  });
  const names = new Set(parameters.map(({ name }) => name));
  const layers = model.layers.map((layer) => ({
    ...layer,
    parameters: layer.parameters.filter((each) => names.has(each)),
  }));
  const states = model.states.flatMap((state) => {
    const [value, next] = [constants.get(state.value.name), values.get(state.next.name)];
    return value === undefined || next === undefined ? [] : [{ ...state, value, next }];
  });
  const losses = model.losses.flatMap((loss) => {
    const value = values.get(loss.value.name);
    return value === undefined ? [] : [{ ...loss, value }];
  });
  const outputMasks = new Map(
    [...model.outputMasks].flatMap(([name, mask]): [string, Value][] => {
      const value = values.get(mask.name);
      return value === undefined ? [] : [[name, value]];
    }),
  );
  return new Model({
    ...{ name: model.name, graph, parameters, layers, states, losses, outputMasks },
    metadata: { ...model.metadata, ...metadata },
  });
}

import { type Graph, Model, type Value } from '@modelwright/core';

/** What a model reads off its graph besides outputs, in a fixed order. */
function pinsOf({ states, outputMasks, losses }: Model): readonly Value[] {
  return [...states.map(({ next }) => next), ...outputMasks.values(), ...losses.map(({ value }) => value)];
}

/** The model's graph with all that the model reads off it as outputs, so that no rewrite loses or changes it. */
export function pinnedGraph(model: Model): Graph {
  const pins = pinsOf(model).map((value, index) => ({ name: `\0${index}`, value }));
  return pins.length === 0 ? model.graph : { ...model.graph, outputs: [...model.graph.outputs, ...pins] };
}

/** The same model on what a rewrite has made of its pinned graph; constants are found again by their names. */
export function unpinned(model: Model, pinned: Graph): Model {
  const count = model.graph.outputs.length;
  const graph = { ...pinned, outputs: pinned.outputs.slice(0, count) };
  const pins = pinned.outputs.slice(count).map(({ value }) => value);
  const constants = new Map([...graph.constants.keys()].map((value) => [value.name, value]));
  const parameters = model.parameters.flatMap((parameter) => {
    const value = constants.get(parameter.value.name);
    return value === undefined ? [] : [{ ...parameter, value }];
  });
  const names = new Set(parameters.map(({ name }) => name));
  const layers = model.layers.map((layer) => ({
    ...layer,
    parameters: layer.parameters.filter((each) => names.has(each)),
  }));
  const states = model.states.flatMap((state, index) => {
    const [value, next] = [constants.get(state.value.name), pins[index]];
    return value === undefined || next === undefined ? [] : [{ ...state, value, next }];
  });
  const [masksAt, lossesAt] = [model.states.length, model.states.length + model.outputMasks.size];
  const masks = [...model.outputMasks.keys()].map((name, at): [string, Value] => [name, pins[masksAt + at] as Value]);
  const losses = model.losses.map((loss, at) => ({ ...loss, value: pins[lossesAt + at] as Value }));
  const { name, metadata } = model;
  return new Model({ name, metadata, graph, parameters, layers, states, losses, outputMasks: new Map(masks) });
}

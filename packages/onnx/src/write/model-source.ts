import { cancelTransposes, type Graph, Model, type Value } from '@modelwright/core';

/** What is to be written: a graph, and what a model says of its values. */
export interface ModelSource {
  readonly graph: Graph;
  /** The model; undefined for a bare graph. */
  readonly model: Model | undefined;
  /** @returns a value of the model in {@link graph}. */
  readonly valueOf: (value: Value) => Value;
}

/**
 * A bare graph as it stands; the graph of a model without the layout changes between channels-last layers that undo each other.
 */
export function sourceOf(source: Model | Graph): ModelSource {
  if (!(source instanceof Model)) return { graph: source, model: undefined, valueOf: (value) => value };
  const { graph } = source;
  if (!graph.nodes.some(({ op }) => op === 'Transpose')) return { graph, model: source, valueOf: (value) => value };
  // As outputs they outlive the pass, and are found again after it.
  const named = [...new Set(valuesNamedBy(source))];
  const marked = named.map((value, index) => ({ name: `\0${index}`, value }));
  const { outputs, ...rest } = cancelTransposes.run({ ...graph, outputs: [...graph.outputs, ...marked] });
  const count = graph.outputs.length;
  const found = new Map(named.map((value, index) => [value, (outputs[count + index] as { value: Value }).value]));
  return {
    graph: { ...rest, outputs: outputs.slice(0, count) },
    model: source,
    valueOf: (value) => found.get(value) ?? value,
  };
}

/** The values of its graph that a model speaks of. */
export function valuesNamedBy({ parameters, states, outputMasks, losses }: Model): readonly Value[] {
  return [
    ...parameters.map(({ value }) => value),
    ...states.flatMap(({ value, next }) => [value, next]),
    ...outputMasks.values(),
    ...losses.map(({ value }) => value),
  ];
}

import { type LayerInfo, Model, type Value } from '@modelwright/core';
import { withGraph } from '../../with-graph.js';
import { analyzeChannels, type ChannelAnalysis } from './channel-groups.js';
import { narrowGraph } from './narrow-graph.js';
import { rootsOfSelection } from './removal.js';
import { type ChannelSelection, type SelectChannelsOptions, selectFrom } from './select-channels.js';

export interface RemoveChannelsOptions extends SelectChannelsOptions {
  /** The channels to remove, in place of choosing them here: what {@link selectChannels} gave. */
  readonly selection?: ChannelSelection;
  /** Go in so many steps of equal size, each choosing anew. Default 1. */
  readonly iterations?: number;
  /** Called after each step but the last: train the model on (in place or giving another back), so that it recovers. */
  readonly between?: (
    model: Model,
    iteration: number,
  ) => Promise<Model | undefined> | Promise<void> | Model | undefined;
}

/**
 * Removes channels, and with each all it is coupled to: filters, their biases and statistics, the rows of weights that sum
 * over them, heads of attention with their projections. What is left are smaller tensors under the same names; the model runs
 * anywhere and trains on.
 *
 * Channels of inputs and outputs stay, and so do those that an op which is not understood reads.
 *
 * @returns a new model; the given one stays as it is.
 * @throws {@link ModelwrightError} `invalid-argument` for a share outside of [0, 1), for a name that the model does not have, or for
 *   a selection that is not one of its.
 * @see Li et al., arXiv:1608.08710; Fang et al., arXiv:2301.12900 (dependencies).
 * @example
 * const half = await removeChannels(network, { ratio: 0.5, roundTo: 8, ignore: ['stem'] });
 */
export async function removeChannels(model: Model, options: RemoveChannelsOptions): Promise<Model> {
  return (await removeInSteps(model, options)).model;
}

/** A narrowed model and what was known of it before the last step. */
export interface Removed {
  readonly model: Model;
  readonly first: ChannelAnalysis;
}

/** {@link removeChannels} with the analysis of the model it began with. */
export async function removeInSteps(model: Model, options: RemoveChannelsOptions): Promise<Removed> {
  const { iterations = 1, between, selection } = options;
  const first = analyzeChannels(model, options);
  if (selection !== undefined) return { first, model: removeSelected(first, selection) };
  const original = new Map(first.groups.map(({ name, channels }) => [name, channels]));
  let current = model;
  for (let iteration = 1; iteration <= iterations; iteration++) {
    const analysis = iteration === 1 ? first : analyzeChannels(current, options);
    const chosen = await selectFrom(analysis, options, { share: iteration / iterations, original });
    current = removeSelected(analysis, chosen);
    if (iteration < iterations) current = (await between?.(current, iteration)) ?? current;
  }
  return { model: current, first };
}

/** Makes the model of an analysis narrower by a selection. */
export function removeSelected(analysis: ChannelAnalysis, selection: ChannelSelection): Model {
  const { model, labels } = analysis;
  const roots = rootsOfSelection(analysis, selection);
  const { graph, bindings } = narrowGraph(model.graph, { labels, roots });
  const narrowed = withGraph(model, graph);
  return new Model({
    ...narrowed,
    name: narrowed.name,
    graph,
    parameters: narrowed.parameters,
    layers: narrowed.layers.map((layer) => withOutputShape(layer, model, bindings)),
  });
}

/** A layer with the shape that its last node of the old shape now has. */
function withOutputShape(layer: LayerInfo, { graph }: Model, bindings: ReadonlyMap<Value, Value>): LayerInfo {
  const same = ({ shape }: Value): boolean =>
    shape.length === layer.outputShape.length &&
    shape.every((extent, axis) => extent === layer.outputShape[axis] || typeof extent === 'string');
  const own = graph.nodes.filter(({ name }) => name.startsWith(`${layer.name}/`)).flatMap(({ outputs }) => outputs);
  const last = own.findLast(same);
  const now = last && bindings.get(last)?.shape;
  return now === undefined
    ? layer
    : {
        ...layer,
        outputShape: layer.outputShape.map((extent, axis) =>
          typeof extent === 'number' ? (now[axis] ?? extent) : extent,
        ),
      };
}

import { type Graph, isModelwrightError, type Model, specialize } from '@modelwright/core';
import { multiplyAddsOf } from '../../report/multiply-adds.js';
import type { OptimizationContext, OptimizationStep } from '../../step.js';
import { isUnder, layerOf } from './channel-groups.js';
import { type RemoveChannelsOptions, type Removed, removeInSteps } from './remove-channels.js';

export interface PruneChannelsOptions extends Omit<RemoveChannelsOptions, 'between'> {
  /** {@link RemoveChannelsOptions.between}, with what the pipeline knows: its backend, say. */
  readonly between?: (
    model: Model,
    iteration: number,
    context: OptimizationContext,
  ) => Promise<Model | undefined> | Promise<void> | Model | undefined;
}

/**
 * A step that removes channels: {@link removeChannels} for `optimize`.
 *
 * @example
 * await optimize(model, { backend, steps: [pruneChannels({ ratio: 0.5, roundTo: 8 }), fineTune(train)] });
 */
export function pruneChannels(options: PruneChannelsOptions): OptimizationStep {
  const { between, ...rest } = options;
  return {
    name: `pruneChannels ${nameOf(options)}`,
    ...(between === undefined ? {} : { trains: true }),
    async apply(model, context) {
      const removed = await removeInSteps(model, {
        ...rest,
        ...(between === undefined ? {} : { between: (each, iteration) => between(each, iteration, context) }),
      });
      return { model: removed.model, notes: [...notesOf(model, removed), ...idleRatios(removed, options)] };
    },
  };
}

function nameOf({ ratio, selection, ratios }: PruneChannelsOptions): string {
  if (selection !== undefined) return 'as selected';
  if (ratio === undefined) return `${Object.keys(ratios ?? {}).length} layers`;
  return `${Number((ratio * 100).toFixed(1))} %`;
}

/** What went, layer by layer, and what stayed. */
function notesOf(before: Model, { model, first }: Removed): readonly string[] {
  const [old, now] = [workOf(before), workOf(model)];
  const total = (work: ReadonlyMap<string, Work>, of: (each: Work) => number): number =>
    [...work.values()].reduce((sum, each) => sum + of(each), 0);
  const change = (what: string, from: number, to: number): string =>
    `${what} ${from} → ${to} (${from === 0 ? 100 : Math.round((100 * to) / from)} %)`;
  const weights = change('parameters', before.parameterCount, model.parameterCount);
  const adds = change(
    'multiply-adds',
    total(old, (each) => each.multiplyAdds),
    total(now, (each) => each.multiplyAdds),
  );
  const layers = [...old].flatMap(([name, { weights: from, multiplyAdds }]) => {
    const to = now.get(name);
    if (to === undefined || to.weights === from) return [];
    const less = multiplyAdds === 0 ? '' : `, ${change('multiply-adds', multiplyAdds, to.multiplyAdds)}`;
    return [`${name}: ${change('weights', from, to.weights)}${less}`];
  });
  const reasons = new Map<string, string[]>();
  for (const { name, reason } of first.kept) reasons.set(reason, [...(reasons.get(reason) ?? []), name]);
  const kept = [...reasons].map(([reason, names]) => `kept whole (${reason}): ${names.join(', ')}`);
  const nothing = layers.length === 0 ? ['no channels were removed'] : [];
  return [`${weights}, ${adds}`, ...nothing, ...layers, ...kept];
}

/** Shares that were asked for in vain. */
function idleRatios({ first }: Removed, { ratios = {} }: PruneChannelsOptions): readonly string[] {
  return Object.keys(ratios)
    .filter(
      (name) =>
        !first.groups.some(({ members }) => members.some((each) => each.role === 'makes' && isUnder(each, [name]))),
    )
    .map((name) => `${name}: none of its channels can be removed`);
}

interface Work {
  readonly weights: number;
  readonly multiplyAdds: number;
}

/** Weights and multiply-adds of one example by the layer whose weight they belong to. */
function workOf(model: Model): ReadonlyMap<string, Work> {
  const graph = ofOneExample(model.graph);
  const names = new Map(model.parameters.map(({ name, value }) => [value.name, name]));
  const work = new Map<string, Work>();
  for (const node of graph.nodes) {
    const own = node.inputs.flatMap((input) => {
      const name = input && names.get(input.name);
      return input === undefined || name === undefined ? [] : [{ input, name }];
    });
    const multiplyAdds = multiplyAddsOf({ ...graph, nodes: [node] }) ?? 0;
    const layer = own[0] === undefined ? node.name : layerOf(own[0].name);
    const weights = own.reduce((sum, { input }) => sum + (graph.constants.get(input)?.elementCount ?? 0), 0);
    if (weights === 0 && multiplyAdds === 0) continue;
    const known = work.get(layer) ?? { weights: 0, multiplyAdds: 0 };
    work.set(layer, { weights: known.weights + weights, multiplyAdds: known.multiplyAdds + multiplyAdds });
  }
  return work;
}

/** Open extents as 1: what one example, or one step of one, takes. Where that is too little for a window they stay open. */
function ofOneExample(graph: Graph): Graph {
  const open = graph.inputs.flatMap(({ shape }) => shape.filter((extent) => typeof extent === 'string'));
  try {
    return specialize(graph, { dimensions: Object.fromEntries(open.map((symbol) => [symbol, 1])) });
  } catch (error) {
    if (!isModelwrightError(error)) throw error;
    return graph;
  }
}

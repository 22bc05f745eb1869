import { isFloat, type Model, ModelwrightError, type Tensor, type Value } from '@modelwright/core';
import type { ChannelLabels, ContractedAxis } from './channel-labels.js';
import { foldExtents } from './fold-extents.js';
import { heldBehind, linkGraph } from './link-graph.js';

export interface ChannelGroupOptions {
  /**
   * Whether channels that are normalized together (`LayerNormalization` and the like) may be removed: the width of a
   * transformer's residual stream. What is left is normalized by itself, which no longer equals the old model with zeros in
   * place of what went. Default false.
   */
  readonly width?: boolean;
  /** Layers or weights, by name or path, whose channels stay. */
  readonly ignore?: readonly string[];
}

/** How a weight takes part in a group: it makes the channels, sums over them, or scales them. */
export type MemberRole = 'makes' | 'sums' | 'scales';

/** A weight of which positions along one axis go with the channels of a group. */
export interface GroupMember {
  /** Name of the parameter, or of the constant. */
  readonly name: string;
  readonly value: Value;
  readonly weight: Tensor;
  readonly axis: number;
  readonly role: MemberRole;
  /** For each position along the axis the channel it goes with; −1 for one that goes with none. */
  readonly channels: Int32Array;
}

/**
 * Channels that can be removed one by one, each with everything it is coupled to, and that compete with each other: those
 * of one layer, or of several whose outputs are added. Where only some channels of a layer are coupled to others (a narrower
 * shortcut, the halves of a split), these are a group of their own.
 */
export interface ChannelGroup {
  /** The first layer that makes them: `stage1.block1.first.conv`; with `#2` behind it if it has several groups. */
  readonly name: string;
  /** Number of channels; of attention heads their number, of groups of channels that go together theirs. */
  readonly channels: number;
  /** How many positions a channel has in the weight that makes it: 64 for a head of 64 features. */
  readonly positions: number;
  readonly members: readonly GroupMember[];
  /** Labels of the channels. */
  readonly roots: readonly number[];
}

/** What can be removed from a model, and what cannot. */
export interface ChannelAnalysis {
  /** The model, with what it computes from known extents as constants. */
  readonly model: Model;
  readonly labels: ChannelLabels;
  readonly groups: readonly ChannelGroup[];
  /** Layers whose channels all stay, and why. */
  readonly kept: readonly { readonly name: string; readonly reason: string }[];
}

/**
 * The groups of channels of a model that can be removed: found by following each channel through the graph, from the weight
 * that makes it through everything it is added to, joined or multiplied with, to the weights that sum over it.
 *
 * @throws {@link ModelwrightError} `invalid-argument` when a name to ignore is none of the model's.
 */
export function channelGroups(model: Model, options: ChannelGroupOptions = {}): readonly ChannelGroup[] {
  return analyzeChannels(model, options).groups;
}

/** {@link channelGroups} with all that was found on the way. */
export function analyzeChannels(given: Model, options: ChannelGroupOptions = {}): ChannelAnalysis {
  const { width = false, ignore = [] } = options;
  requireKnown(given, ignore);
  const model = foldExtents(given);
  const labels = linkGraph(model, { width });
  const axes = weightAxes(model, labels);
  const makers = axes.filter(({ role }) => role === 'makes');
  const ignored = new Set(
    makers.filter((maker) => isUnder(maker, ignore)).flatMap(({ value, axis }) => rootsOf(labels, value, axis)),
  );
  const blocked = (root: number): string | undefined => {
    if (ignored.has(root)) return 'ignored';
    return labels.pinReason(root) ?? (!width && labels.isNormalized(root) ? 'normalized together' : undefined);
  };
  const groups = gatherGroups({ labels, axes, isFree: (root) => blocked(root) === undefined });
  const used = new Set(groups.flatMap(({ members }) => members.map(({ value }) => value)));
  const kept = makers.flatMap(({ name, value, axis }) => {
    const reason = blocked(labels.root(labels.of(value, axis)[0] ?? 0));
    return used.has(value) && reason === undefined ? [] : [{ name: layerOf(name), reason: reason ?? 'one channel' }];
  });
  return { model, labels, groups, kept: [...new Map(kept.map((each) => [each.name, each])).values()] };
}

interface WeightAxis extends Omit<GroupMember, 'channels'> {
  readonly nodeName: string;
}

/** All axes of weights that have to do with channels, in the order of the graph; those of one weight and axis once a role. */
function weightAxes(model: Model, labels: ChannelLabels): readonly WeightAxis[] {
  const { graph } = model;
  const behind = heldBehind(graph);
  const names = new Map(model.parameters.map(({ name, value }) => [value, name]));
  const found = new Map<string, WeightAxis>();
  const note = (value: Value | undefined, axis: number, role: MemberRole, nodeName: string): void => {
    if (value === undefined) return;
    const wanted = new Set(rootsOf(labels, value, axis));
    for (const held of behind(value)) {
      const weight = graph.constants.get(held) as Tensor;
      const own = held.shape.findIndex((_, at) => rootsOf(labels, held, at).some((root) => wanted.has(root)));
      if (own < 0 || wanted.size === 0) continue;
      const name = names.get(held) ?? held.name;
      const key = `${held.name}:${own}:${role}`;
      if (!found.has(key)) found.set(key, { name, value: held, weight, axis: own, role, nodeName });
    }
  };
  const noteSites = (sites: readonly ContractedAxis[], role: MemberRole): void => {
    for (const { node, input, axis } of sites) note(node.inputs[input], axis, role, node.name);
  };
  noteSites(labels.produced, 'makes');
  noteSites(labels.contracted, 'sums');
  for (const scale of labels.scales) note(scale, 0, 'scales', '');
  return [...found.values()].filter(({ weight }) => isFloat(weight.dtype) || weight.dtype.includes('int'));
}

function rootsOf(labels: ChannelLabels, value: Value, axis: number): number[] {
  return Array.from(labels.of(value, axis), (label) => labels.root(label));
}

interface GatherRequest {
  readonly labels: ChannelLabels;
  readonly axes: readonly WeightAxis[];
  readonly isFree: (root: number) => boolean;
}

/** Channels belong to one group when the same weights make them, scale them and sum over them. */
function gatherGroups({ labels, axes, isFree }: GatherRequest): readonly ChannelGroup[] {
  const rootsOfAxes = axes.map(({ value, axis }) => rootsOf(labels, value, axis));
  const usesOf = new Map<number, number[]>();
  for (const [index, roots] of rootsOfAxes.entries())
    for (const root of new Set(roots)) usesOf.set(root, [...(usesOf.get(root) ?? []), index]);
  const byUses = new Map<string, number[]>();
  for (const [root, uses] of usesOf) {
    if (!isFree(root) || !uses.some((use) => axes[use]?.role === 'makes')) continue;
    const key = uses.join();
    byUses.set(key, [...(byUses.get(key) ?? []), root]);
  }
  const counts = new Map<string, number>();
  return [...byUses]
    .filter(([, roots]) => roots.length > 1)
    .map(([key, roots]) => {
      const indexOf = new Map(roots.map((root, index) => [root, index]));
      const members = key.split(',').map((use): GroupMember => {
        const { name, value, weight, axis, role } = axes[Number(use)] as WeightAxis;
        const own = rootsOfAxes[Number(use)] as readonly number[];
        const channels = Int32Array.from(own, (root) => indexOf.get(root) ?? -1);
        return { name, value, weight, axis, role, channels };
      });
      const maker = members.find(({ role }) => role === 'makes') as GroupMember;
      const positions = maker.channels.filter((channel) => channel === 0).length;
      const layer = layerOf(maker.name);
      const count = (counts.get(layer) ?? 0) + 1;
      counts.set(layer, count);
      return { name: count === 1 ? layer : `${layer}#${count}`, channels: roots.length, positions, members, roots };
    });
}

/** `stem.conv.kernel` → `stem.conv`. */
export function layerOf(weight: string): string {
  return weight.includes('.') ? weight.slice(0, weight.lastIndexOf('.')) : weight;
}

/** Whether a weight or the node that uses it is one of `names`, or lies under one. */
export function isUnder({ name, nodeName }: { name: string; nodeName?: string }, names: readonly string[]): boolean {
  return names.some(
    (each) =>
      name === each || name.startsWith(`${each}.`) || nodeName === each || nodeName?.startsWith(`${each}/`) === true,
  );
}

/** @throws {@link ModelwrightError} `invalid-argument` for a name that no layer, weight or node has. */
export function requireKnown(model: Model, names: readonly string[]): void {
  for (const name of names) {
    const isKnown =
      model.parameters.some((parameter) => isUnder(parameter, [name])) ||
      model.layers.some((layer) => layer.name === name) ||
      model.graph.nodes.some((node) => isUnder({ name: node.name, nodeName: node.name }, [name]));
    if (isKnown) continue;
    const allowed =
      model.layers.length > 0 ? model.layers.map((layer) => layer.name) : model.parameters.map((each) => each.name);
    throw new ModelwrightError(
      'invalid-argument',
      `pruneChannels: model '${model.name}' has no layer or weight '${name}'; it has: ${allowed.join(', ')}`,
      { given: name, allowed },
    );
  }
}

import { type Model, ModelwrightError, type TensorMap, toNumbers } from '@modelwright/core';
import type { ChannelGroup, GroupMember } from './channel-groups.js';

/** Gradients of the loss by weight, one map a batch. */
export type GradientSource = (model: Model) => Iterable<TensorMap> | AsyncIterable<TensorMap>;

/**
 * How much a channel matters.
 *
 * - `l1`, `l2`: mean magnitude of the weights that make it, scale it and sum over it, each weight relative to its mean.
 * - `bnScale`: `|γ|` of the normalizations behind it; `l2` where it has none.
 * - `taylor`: `Σ_batches (Σ w·∂L/∂w)²` over the weights that make it: what the loss would change without it.
 * - `random`: by chance, to compare with.
 *
 * @see Li et al., arXiv:1608.08710 (l1); Liu et al., arXiv:1708.06519 (scales); Molchanov et al., arXiv:1906.10771 (Taylor).
 */
export type ChannelImportance =
  | 'l1'
  | 'l2'
  | 'bnScale'
  | { readonly kind: 'taylor'; readonly gradients: GradientSource }
  | { readonly kind: 'random'; readonly seed?: number };

/**
 * Importance of each channel of each group, 1 being that of a middling one. Magnitudes are relative to their group's mean, so
 * that layers of small weights do not lose everything; scales and Taylor terms compare as they are.
 */
export async function rankChannels(
  model: Model,
  groups: readonly ChannelGroup[],
  importance: ChannelImportance,
): Promise<readonly Float64Array[]> {
  if (importance === 'bnScale') return scaleRanks(groups);
  if (typeof importance === 'string') return groups.map((group) => magnitudes(group, importance === 'l1' ? 1 : 2));
  if (importance.kind === 'random') return randomRanks(groups, importance.seed ?? 0);
  const sums = groups.map(({ channels }) => new Float64Array(channels));
  let batches = 0;
  for await (const gradients of importance.gradients(model)) {
    batches++;
    groups.forEach((group, index) => {
      addTaylor(group, gradients, sums[index] as Float64Array);
    });
  }
  if (batches === 0) {
    throw new ModelwrightError(
      'invalid-argument',
      'importance taylor: `gradients` gave no batch; one at least is needed',
    );
  }
  return relativeTogether(sums);
}

/** Mean `|γ|` of the scales behind a channel; groups without any have their magnitudes. */
function scaleRanks(groups: readonly ChannelGroup[]): readonly Float64Array[] {
  const hasScale = ({ members }: ChannelGroup): boolean => members.some(({ role }) => role === 'scales');
  const scales = relativeTogether(
    groups.filter(hasScale).map((group) => {
      const members = group.members.filter(({ role }) => role === 'scales');
      const sums = members.map((member) => normsOf(member, group.channels, 1));
      return Float64Array.from({ length: group.channels }, (_, channel) =>
        sums.reduce((sum, norms) => sum + (norms[channel] as number) / members.length, 0),
      );
    }),
  );
  let next = 0;
  return groups.map((group) => (hasScale(group) ? (scales[next++] as Float64Array) : magnitudes(group, 2)));
}

/** `mean_weights( (mean |w|^p)^(1/p) over the channel's slice, relative to the mean of all slices )`. */
function magnitudes({ channels, members }: ChannelGroup, power: 1 | 2): Float64Array {
  const total = new Float64Array(channels);
  for (const member of members) {
    relative(normsOf(member, channels, power)).forEach((norm, channel) => {
      total[channel] = (total[channel] as number) + norm / members.length;
    });
  }
  return total;
}

/** `(mean |w|^p)^(1/p)` over the slice of each channel. */
function normsOf(member: GroupMember, channels: number, power: 1 | 2): Float64Array {
  const sums = new Float64Array(channels);
  const counts = new Float64Array(channels);
  eachElement(member, (channel, value) => {
    sums[channel] = (sums[channel] as number) + (power === 1 ? Math.abs(value) : value * value);
    counts[channel] = (counts[channel] as number) + 1;
  });
  return sums.map((sum, channel) => (sum / Math.max(1, counts[channel] as number)) ** (1 / power));
}

function addTaylor({ channels, members }: ChannelGroup, gradients: TensorMap, sums: Float64Array): void {
  for (const member of members) {
    const gradient = gradients[member.name];
    if (member.role !== 'makes' || gradient === undefined) continue;
    const slopes = toNumbers(gradient);
    const change = new Float64Array(channels);
    eachElement(member, (channel, value, at) => {
      change[channel] = (change[channel] as number) + value * (slopes[at] as number);
    });
    sums.forEach((sum, channel) => {
      sums[channel] = sum + (change[channel] as number) ** 2;
    });
  }
}

/** Calls `visit` with each element that goes with a channel. */
function eachElement(
  { weight, axis, channels }: GroupMember,
  visit: (channel: number, value: number, at: number) => void,
): void {
  const values = toNumbers(weight);
  const inner = weight.shape.slice(axis + 1).reduce((product, extent) => product * extent, 1);
  for (let at = 0; at < values.length; at++) {
    const channel = channels[Math.floor(at / inner) % channels.length] as number;
    if (channel >= 0) visit(channel, values[at] as number, at);
  }
}

function relative(values: Float64Array): Float64Array {
  return relativeTogether([values])[0] as Float64Array;
}

function relativeTogether(lists: readonly Float64Array[]): readonly Float64Array[] {
  const count = lists.reduce((sum, list) => sum + list.length, 0);
  const mean = lists.reduce((sum, list) => sum + list.reduce((part, value) => part + value, 0), 0) / count;
  return mean > 0 ? lists.map((list) => list.map((value) => value / mean)) : lists;
}

function randomRanks(groups: readonly ChannelGroup[], seed: number): readonly Float64Array[] {
  let state = (seed ^ 0x9e3779b9) >>> 0;
  // A linear congruential generator, mixed: ranks by chance need no more.
  const next = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) >>> 8;
  };
  return groups.map(({ channels }) => Float64Array.from({ length: channels }, () => next() / 2 ** 24));
}

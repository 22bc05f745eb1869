import { type Model, ModelwrightError } from '@modelwright/core';
import {
  analyzeChannels,
  type ChannelAnalysis,
  type ChannelGroup,
  type ChannelGroupOptions,
  isUnder,
  requireKnown,
} from './channel-groups.js';
import { type ChannelImportance, rankChannels } from './rank-channels.js';

/** How many channels go, and which. */
export interface SelectChannelsOptions extends ChannelGroupOptions {
  /** Share of the channels that go, in [0, 1). */
  readonly ratio?: number;
  /** Shares for layers by name or path, in place of `ratio`; of a group with several the smallest. */
  readonly ratios?: { readonly [layer: string]: number };
  /** `local`: of each group its share; `global`: of all channels together those that matter least. Default `local`. */
  readonly ranking?: 'local' | 'global';
  /** No group loses more than this share. Default 0.9, or `ratio` if that is larger. */
  readonly maxRatio?: number;
  /** Keep a multiple of so many channels, the nearest (of heads: of their features): 8 suits most hardware. Default 1. */
  readonly roundTo?: number;
  /** Default `l2`. */
  readonly importance?: ChannelImportance;
}

/** Channels to remove, by name of their group. */
export type ChannelSelection = ReadonlyMap<string, readonly number[]>;

/** How far iterative pruning is, and what it began with. */
export interface PruningProgress {
  /** Share of the way, 1 at the last iteration. */
  readonly share: number;
  /** Channels of each group before the first iteration. */
  readonly original: ReadonlyMap<string, number>;
}

/**
 * Chooses the channels of a model to remove: those that matter least, as long as every axis keeps some.
 *
 * @throws {@link ModelwrightError} `invalid-argument` for a share outside of [0, 1) or a name that the model does not have.
 */
export function selectChannels(model: Model, options: SelectChannelsOptions): Promise<ChannelSelection> {
  return selectFrom(analyzeChannels(model, options), options);
}

/** {@link selectChannels} with what is known of the model already. */
export async function selectFrom(
  analysis: ChannelAnalysis,
  options: SelectChannelsOptions,
  progress: PruningProgress = { share: 1, original: new Map() },
): Promise<ChannelSelection> {
  checkOptions(analysis, options);
  const { groups, model } = analysis;
  const ranks = await rankChannels(model, groups, options.importance ?? 'l2');
  const room = new RoomLeft(analysis);
  const keeps =
    options.ranking === 'global'
      ? globalKeeps({ groups, ranks, options, progress })
      : groups.map((group) => localKeep(group, options, progress));
  return new Map(
    groups.flatMap((group, index): readonly [string, readonly number[]][] => {
      const removed = leastImportant(group, ranks[index] as Float64Array, room, {
        count: group.channels - roundedKeep(group, keeps[index] as number, options),
      });
      return removed.length === 0 ? [] : [[group.name, removed]];
    }),
  );
}

function checkOptions({ model }: ChannelAnalysis, options: SelectChannelsOptions): void {
  const { ratio = 0, ratios = {}, maxRatio, roundTo = 1 } = options;
  for (const [name, share] of [['ratio', ratio], ['maxRatio', maxRatio ?? 0], ...Object.entries(ratios)] as const) {
    if (share >= 0 && share < 1) continue;
    throw new ModelwrightError(
      'invalid-argument',
      `pruneChannels: ${name} is ${share}; a share in [0, 1) is expected`,
      {
        given: share,
      },
    );
  }
  if (!Number.isInteger(roundTo) || roundTo < 1) {
    throw new ModelwrightError('invalid-argument', `pruneChannels: roundTo is ${roundTo}; an integer ≥ 1 is expected`, {
      given: roundTo,
    });
  }
  requireKnown(model, Object.keys(ratios));
}

function ratioOf({ members }: ChannelGroup, { ratio = 0, ratios = {} }: SelectChannelsOptions): number {
  const own = Object.entries(ratios)
    .filter(([name]) => members.some((member) => member.role === 'makes' && isUnder(member, [name])))
    .map(([, share]) => share);
  return own.length === 0 ? ratio : Math.min(...own);
}

function localKeep(group: ChannelGroup, options: SelectChannelsOptions, { share, original }: PruningProgress): number {
  const count = original.get(group.name) ?? group.channels;
  return Math.max(count - Math.round(count * ratioOf(group, options) * share), leastKept(group, options, original));
}

function leastKept(
  { name, channels }: ChannelGroup,
  { ratio = 0, maxRatio = Math.max(0.9, ratio) }: SelectChannelsOptions,
  original: PruningProgress['original'],
): number {
  const count = original.get(name) ?? channels;
  return Math.max(1, count - Math.floor(count * maxRatio));
}

interface GlobalRequest {
  readonly groups: readonly ChannelGroup[];
  readonly ranks: readonly Float64Array[];
  readonly options: SelectChannelsOptions;
  readonly progress: PruningProgress;
}

/** How many channels each group keeps when all compete. */
function globalKeeps({ groups, ranks, options, progress }: GlobalRequest): readonly number[] {
  const { ratio = 0 } = options;
  const before = groups.reduce((sum, { name, channels }) => sum + (progress.original.get(name) ?? channels), 0);
  const now = groups.reduce((sum, { channels }) => sum + channels, 0);
  let excess = now - Math.round(before * (1 - ratio * progress.share));
  const keeps = groups.map(({ channels }) => channels);
  const all = groups.flatMap((_, index) => [...(ranks[index] as Float64Array)].map((rank) => ({ index, rank })));
  for (const { index } of all.sort((a, b) => a.rank - b.rank)) {
    const group = groups[index] as ChannelGroup;
    if (excess <= 0) break;
    if ((keeps[index] as number) <= leastKept(group, options, progress.original)) continue;
    keeps[index] = (keeps[index] as number) - 1;
    excess--;
  }
  return keeps;
}

/** The number nearest to `keep` whose positions are a multiple of `roundTo`; all if there is none. */
function roundedKeep(
  { channels, positions }: ChannelGroup,
  keep: number,
  { roundTo = 1 }: SelectChannelsOptions,
): number {
  let best = channels;
  for (let count = 1; count < channels; count++) {
    if ((count * positions) % roundTo === 0 && Math.abs(count - keep) < Math.abs(best - keep)) best = count;
  }
  return best;
}

function leastImportant(
  { roots, channels }: ChannelGroup,
  ranks: Float64Array,
  room: RoomLeft,
  { count }: { readonly count: number },
): readonly number[] {
  const order = Array.from({ length: channels }, (_, index) => index).sort(
    (a, b) => (ranks[a] as number) - (ranks[b] as number) || a - b,
  );
  const removed: number[] = [];
  for (const channel of order) {
    if (removed.length >= count) break;
    if (room.take(roots[channel] as number)) removed.push(channel);
  }
  return removed.sort((a, b) => a - b);
}

/** How many positions each axis still has; no axis may lose its last. */
class RoomLeft {
  readonly #left: number[] = [];
  readonly #axesOf: Map<number, { readonly axis: number; readonly count: number }[]> = new Map();

  constructor({ labels, groups }: ChannelAnalysis) {
    const free = new Set(groups.flatMap(({ roots }) => roots));
    const seen = new Set<string>();
    for (const value of [...labels.values()]) {
      value.shape.forEach((_, at) => {
        const roots = Array.from(labels.of(value, at), (label) => labels.root(label));
        const counts = new Map<number, number>();
        for (const root of roots) if (free.has(root)) counts.set(root, (counts.get(root) ?? 0) + 1);
        const key = counts.size === 0 ? '' : roots.join();
        if (counts.size === 0 || seen.has(key)) return;
        seen.add(key);
        const axis = this.#left.push(roots.length) - 1;
        for (const [root, count] of counts) {
          const axes = this.#axesOf.get(root) ?? [];
          axes.push({ axis, count });
          this.#axesOf.set(root, axes);
        }
      });
    }
  }

  /** Takes the channel out if every axis keeps another. */
  take(root: number): boolean {
    const axes = this.#axesOf.get(root) ?? [];
    if (axes.some(({ axis, count }) => (this.#left[axis] as number) <= count)) return false;
    for (const { axis, count } of axes) this.#left[axis] = (this.#left[axis] as number) - count;
    return true;
  }
}

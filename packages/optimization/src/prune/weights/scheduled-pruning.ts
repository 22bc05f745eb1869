import {
  type Executable,
  type ExtendedUpdate,
  type ExtensionSlot,
  fromNumbers,
  type Model,
  type Tensor,
  type TrainingExtension,
  toNumbers,
  type Value,
} from '@modelwright/core';
import type { LayerSelection } from '../../quantize/selection.js';
import {
  keptByMask,
  masked,
  maskSlot,
  maskSlotOf,
  programSlot,
  seenThroughMask,
  trainableWeights,
} from './mask-extension.js';
import type { PrunableWeight } from './prunable-weights.js';
import { type MaskOptions, type RankedWeight, sparsityMasks } from './sparsity-mask.js';
import { sparsityRuleOf } from './sparsity-pattern.js';
import type { SparsitySchedule } from './sparsity-schedule.js';
import { gridOf } from './weight-grid.js';

/** What pruning during training needs to know. */
export interface TrainedPruningOptions extends LayerSelection, MaskOptions {
  /** When and how much; by the name of a weight where they differ: `undefined` leaves it alone. */
  readonly schedule: SparsitySchedule | ((weight: string) => SparsitySchedule | undefined);
  /** Tells state apart where several such extensions train together. Default what the extension is. */
  readonly name?: string;
}

/** How elements are ranked, and what is remembered for it. */
export interface Ranking {
  readonly name: string;
  /** More slots of a weight. */
  slotsOf?(weight: PrunableWeight): readonly ExtensionSlot[];
  /** Called with each update, to set those slots. */
  remember?(update: ExtendedUpdate): void;
  /** Slots that {@link rank} reads, by weight. */
  reads?(weight: string): readonly string[];
  /** How much each element of a weight matters, and the weight with the elements that are zero now. */
  rank(
    weight: Tensor,
    slots: { readonly [name: string]: Tensor },
    name: string,
  ): {
    readonly importance: Float64Array;
    readonly whole: Tensor;
  };
}

/** Chooses masks between the steps of a training as a schedule says; they are state of its program. */
export function scheduledPruning(options: TrainedPruningOptions, ranking: Ranking): TrainingExtension {
  const { schedule, name: extension = ranking.name } = options;
  sparsityRuleOf(options.pattern ?? 'unstructured');
  const scheduleOf = typeof schedule === 'function' ? schedule : () => schedule;
  const isDue = (name: string, step: number): boolean => scheduleOf(name)?.isDue(step) === true;
  // Those of the program that was built last.
  let weights: readonly PrunableWeight[] | undefined;
  const scheduled = (model: Model): readonly PrunableWeight[] =>
    trainableWeights(model, options).filter(({ name }) => scheduleOf(name) !== undefined);
  return {
    name: extension,
    slotsFor(model) {
      weights = scheduled(model);
      return weights.flatMap((each) => [
        maskSlotOf(each, new Uint8Array(each.weight.elementCount).fill(1)),
        ...(ranking.slotsOf?.(each) ?? []),
      ]);
    },
    actsAt: (step) => weights === undefined || weights.some(({ name }) => isDue(name, step)),
    transformWeight: seenThroughMask,
    transformUpdate(update): Value {
      if (update.slots[maskSlot(update.parameter.name)] !== undefined) ranking.remember?.(update);
      return keptByMask(update);
    },
    transformAverage: keptByMask,
    async beforeStep({ step, executable }) {
      const due = (weights ?? []).filter(({ name }) => isDue(name, step));
      if (due.length === 0) return;
      await chooseMasks({ options, ranking, extension, executable }, due, (name) =>
        (scheduleOf(name) as SparsitySchedule).sparsityAt(step),
      );
    },
  };
}

interface Choice {
  readonly options: TrainedPruningOptions;
  readonly ranking: Ranking;
  readonly extension: string;
  readonly executable: Executable;
}

async function chooseMasks(
  { options, ranking, extension, executable }: Choice,
  weights: readonly PrunableWeight[],
  sparsityOf: (name: string) => number,
): Promise<void> {
  const slotsOf = (name: string): readonly string[] => ranking.reads?.(name) ?? [];
  const state = await executable.readState(
    weights.flatMap(({ name }) => [name, ...slotsOf(name).map((slot) => programSlot(extension, slot))]),
  );
  const whole = new Map<string, Tensor>();
  const ranked = weights.map((each): RankedWeight => {
    const { name } = each;
    const slots = slotsOf(name).map((slot) => [slot, state[programSlot(extension, slot)] as Tensor]);
    const rank = ranking.rank(state[name] as Tensor, Object.fromEntries(slots), name);
    whole.set(name, rank.whole);
    return { name, importance: rank.importance, grid: gridOf(each), ratio: sparsityOf(name) };
  });
  const next: { [slot: string]: Tensor } = {};
  for (const [name, mask] of sparsityMasks(ranked, options)) {
    const weight = whole.get(name) as Tensor;
    next[programSlot(extension, maskSlot(name))] = fromNumbers(weight.dtype, weight.shape, mask);
    next[name] = masked(weight, mask);
  }
  await executable.writeState(next);
}

/** Ranks elements by how far they are from zero. */
export const magnitude: Ranking = {
  name: 'magnitudePruning',
  rank: (weight) => ({ importance: toNumbers(weight).map(Math.abs), whole: weight }),
};

import type { CancelSignal, Model } from '@modelwright/core';
import { ModelwrightError } from '@modelwright/core';
import { modelScore, type ScoreOptions } from './model-score.js';
import { prunableWeights } from './prunable-weights.js';
import { type PruneWeightsOptions, pruneLayers } from './prune-once.js';
import { sparsityRuleOf } from './sparsity-pattern.js';

/** Ratios by the name of a layer or weight. */
export type LayerRatios = { readonly [name: string]: number };

export interface SensitivityScanOptions
  extends ScoreOptions,
    Pick<PruneWeightsOptions, 'include' | 'exclude' | 'pattern' | 'pooling'> {
  /** Ratios that each layer is tried with. Default 0.5, 0.6, 0.7, 0.8, 0.9, 0.95. */
  readonly ratios?: readonly number[];
  /** How much worse the whole model may get, in what `evaluate` counts (or as relative error of outputs). Default 0.01. */
  readonly maxLoss?: number;
  /**
   * Prunes layers by name, whatever pruning means: `(model, ratios) => pruneChannels(model, { ratios })`, say. Default
   * {@link pruneWeights}. Then {@link layers} says which names there are.
   */
  readonly prune?: (model: Model, ratios: LayerRatios) => Model | Promise<Model>;
  /** The layers to scan. Default all weights that can be pruned. */
  readonly layers?: readonly string[];
  readonly progress?: (done: number, total: number, what: string) => void;
  readonly signal?: CancelSignal;
}

/** What one ratio of one layer alone costs. */
export interface SensitivityPoint {
  readonly ratio: number;
  readonly score: number;
  /** By how much the score is below that of the whole model. */
  readonly loss: number;
}

export interface PruningSensitivity {
  readonly name: string;
  /** In the order of their ratios. */
  readonly points: readonly SensitivityPoint[];
}

export interface SensitivityScan {
  /** Score of the model as it was given. */
  readonly score: number;
  readonly layers: readonly PruningSensitivity[];
  /** Ratios that together keep within the budget, as measured: for `pruneWeights(model, { ratios })`. */
  readonly proposal: { readonly ratios: LayerRatios; readonly score: number; readonly loss: number };
}

const defaultRatios: readonly number[] = [0.5, 0.6, 0.7, 0.8, 0.9, 0.95];

/**
 * Tries each layer alone with each ratio, and proposes the ratios that together cost no more than a budget.
 *
 * Layers are pruned in the order of what a step costs (of equal ones, what takes away more); how far that may go is found
 * by bisection, and what is proposed has been measured as a whole.
 *
 * @throws {@link ModelwrightError} `invalid-argument` for ratios out of range and names that mean nothing, `aborted`.
 * @example
 * const { proposal } = await scanSensitivity(model, { backend, evaluate, maxLoss: 0.005 });
 * const pruned = pruneWeights(model, { ratios: proposal.ratios });
 */
export async function scanSensitivity(model: Model, options: SensitivityScanOptions): Promise<SensitivityScan> {
  const { maxLoss = 0.01, include, exclude, pattern, pooling } = options;
  const ratios = ratiosToTry(options);
  const selection = definedOf({ include, exclude, pattern, pooling });
  const sizes = sizesOf(model, options);
  const prune = options.prune ?? ((given, by) => pruneLayers(given, by, selection));
  const score = await modelScore(model, options);
  const whole = await score(model);
  const tried = counted(options, sizes.size * ratios.length);
  const measure = async (by: LayerRatios): Promise<number> => score(await prune(model, by));
  const layers: PruningSensitivity[] = [];
  for (const name of sizes.keys()) {
    const points: SensitivityPoint[] = [];
    for (const ratio of ratios) {
      tried(`${name} ${ratio}`);
      const reached = await measure({ [name]: ratio });
      points.push({ ratio, score: reached, loss: whole - reached });
    }
    layers.push({ name, points });
  }
  const proposal = await propose({ layers, sizes, maxLoss, whole, measure, signal: options.signal });
  return { score: whole, layers, proposal };
}

function ratiosToTry({ ratios = defaultRatios, pattern = 'unstructured' }: SensitivityScanOptions): readonly number[] {
  const rule = sparsityRuleOf(pattern);
  // A share says itself how much it takes; what is open is from which layers.
  return rule.kind === 'share' ? [1 - rule.kept / rule.of] : [...new Set(ratios)].sort((a, b) => a - b);
}

/** Layers and how many weights each has, where that is known. */
function sizesOf(model: Model, options: SensitivityScanOptions): ReadonlyMap<string, number> {
  const weights = options.prune === undefined || options.layers === undefined ? prunableWeights(model, options) : [];
  const known = new Map(weights.map(({ name, weight }) => [name, weight.elementCount]));
  const names = options.layers ?? [...known.keys()];
  if (names.length > 0) return new Map(names.map((name) => [name, known.get(name) ?? 1]));
  throw new ModelwrightError('invalid-argument', `model '${model.name}' has no layer to scan among those selected`, {
    given: { include: options.include, exclude: options.exclude },
  });
}

function counted({ progress, signal }: SensitivityScanOptions, total: number): (what: string) => void {
  let done = 0;
  return (what) => {
    requireGoingOn(signal);
    progress?.(done++, total, what);
  };
}

function requireGoingOn(signal: CancelSignal | undefined): void {
  if (signal?.aborted) {
    throw new ModelwrightError('aborted', 'the scan of sensitivities was aborted', { cause: signal.reason });
  }
}

interface Proposing {
  readonly layers: readonly PruningSensitivity[];
  readonly sizes: ReadonlyMap<string, number>;
  readonly maxLoss: number;
  readonly whole: number;
  readonly measure: (ratios: LayerRatios) => Promise<number>;
  readonly signal: CancelSignal | undefined;
}

async function propose(request: Proposing): Promise<SensitivityScan['proposal']> {
  const { maxLoss, whole, measure, signal } = request;
  const steps = stepsInOrder(request);
  let best = { ratios: {} as LayerRatios, score: whole, loss: 0 };
  // Between steps that keep within the budget and more that do not.
  let [within, beyond] = [0, steps.length + 1];
  for (let next = steps.length; within + 1 < beyond; next = Math.floor((within + beyond) / 2)) {
    if (next === 0) break;
    requireGoingOn(signal);
    const ratios = Object.fromEntries(steps.slice(0, next).map(({ name, ratio }) => [name, ratio]));
    const score = await measure(ratios);
    if (whole - score > maxLoss) beyond = next;
    else {
      within = next;
      best = { ratios, score, loss: whole - score };
    }
  }
  return best;
}

/** Raises of single layers' ratios, each within the budget by itself, the cheapest first. */
function stepsInOrder({
  layers,
  sizes,
  maxLoss,
}: Proposing): readonly { readonly name: string; readonly ratio: number }[] {
  const steps = layers.flatMap(({ name, points }) => {
    // A larger ratio never counts as cheaper than a smaller one: what it gains is chance.
    let loss = 0;
    return points.map((point) => {
      loss = Math.max(loss, point.loss);
      return { name, ratio: point.ratio, loss, size: sizes.get(name) ?? 1 };
    });
  });
  return steps
    .filter(({ loss }) => loss <= maxLoss)
    .sort((a, b) => a.loss - b.loss || a.ratio - b.ratio || b.size - a.size);
}

function definedOf<T extends object>(given: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as never;
}

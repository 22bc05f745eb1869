import { castTensor, ModelwrightError, sameShape, type Tensor } from '@modelwright/core';
import type { LayeredModel } from '../model/layered-model.js';
import type { WeightReport } from '../pretrained/load-weights.js';
import { toStored } from '../weights/keras-layout.js';
import type { NamedWeight } from './decode-weights.js';

/** What became of the weights of a LayersModel. */
export interface LayersModelWeightReport extends WeightReport {
  /** Weights of equal names whose shapes differ: those of the model are as they were. */
  readonly mismatched: readonly {
    readonly parameter: string;
    readonly tensor: string;
    readonly given: readonly number[];
    readonly expected: readonly number[];
  }[];
}

/** A weight of the model, with what its name is made of. */
interface Place {
  readonly name: string;
  readonly words: readonly string[];
  readonly shape: readonly number[];
}

interface Source extends NamedWeight {
  readonly words: readonly string[];
}

/**
 * Gives a model the weights that were read, by name. Names match however they separate and capitalize words:
 * `batch_normalization_1/moving_mean` is `batchNormalization_1.movingMean`; models around and cells inside of a layer may be
 * left out; and within one layer the order settles what names do not.
 */
export function assignWeights(model: LayeredModel, weights: readonly NamedWeight[]): LayersModelWeightReport {
  const places = model.parameters.map(({ name }) => ({
    name,
    words: wordsOf(name),
    shape: model.layoutOf(name).keras,
  }));
  const sources = weights.map((weight) => ({ ...weight, words: wordsOf(weight.name) }));
  const pairs = pair(places, sources);
  const fitting = [...pairs].filter(([place, { tensor }]) => sameShape(place.shape, tensor.shape));
  model.setWeights(Object.fromEntries(fitting.map(([{ name }, { tensor }]) => [name, stored(model, name, tensor)])));
  const used = new Set(pairs.values());
  return {
    matched: fitting.map(([{ name }, source]) => ({ parameter: name, tensor: source.name })),
    missing: places.filter((place) => !pairs.has(place)).map(({ name }) => name),
    leftOver: sources.filter((source) => !used.has(source)).map(({ name }) => name),
    mismatched: [...pairs]
      .filter(([place, { tensor }]) => !sameShape(place.shape, tensor.shape))
      .map(([place, { name, tensor }]) => ({
        parameter: place.name,
        tensor: name,
        given: tensor.shape,
        expected: place.shape,
      })),
  };
}

/** @throws {@link ModelwrightError} `invalid-data` naming what does not match, unless everything does. */
export function requireComplete(model: string, { missing, leftOver, mismatched }: LayersModelWeightReport): void {
  if (missing.length + leftOver.length + mismatched.length === 0) return;
  const parts = [
    ...(missing.length > 0 ? [`nothing was found for ${missing.join(', ')}`] : []),
    ...(leftOver.length > 0 ? [`there is no place for ${leftOver.join(', ')}`] : []),
    ...mismatched.map(
      ({ parameter, tensor, given, expected }) => `'${tensor}' has shape [${given}], '${parameter}' is [${expected}]`,
    ),
  ];
  throw new ModelwrightError('invalid-data', `the weights do not fit model '${model}': ${parts.join('; ')}`, {
    given: [...missing, ...leftOver],
    hint: 'strict: false takes what fits',
  });
}

function stored(model: LayeredModel, name: string, tensor: Tensor): Tensor {
  const parameter = model.parameters.find((each) => each.name === name);
  return toStored(castTensor(tensor, parameter?.value.dtype ?? 'float32'), model.layoutOf(name));
}

/** `block/conv_1/moving_mean:0` → `['block', 'conv1', 'movingmean']` */
function wordsOf(name: string): readonly string[] {
  return name
    .replace(/:\d+$/, '')
    .split(/[/.]/)
    .map((word) => word.toLowerCase().replace(/[^a-z0-9]/g, ''));
}

type Rule = (place: Place, source: Source) => boolean;

// From the strictest on; each rule takes only what is certain by it: one source for one place.
const rules: readonly Rule[] = [
  (place, { words }) => place.words.join('/') === words.join('/'),
  (place, { words }) => place.words.join('') === words.join(''),
  // Models around the layer are named here, but not there; or the other way round.
  (place, { words }) => endsWith(place.words, words) || endsWith(words, place.words),
  // A cell inside the layer is named there: `lstm/lstm_cell/kernel`.
  (place, { words }) => words.length > 2 && endsWith(place.words, [...words.slice(0, -2), ...words.slice(-1)]),
];

function pair(places: readonly Place[], sources: readonly Source[]): ReadonlyMap<Place, Source> {
  const pairs = new Pairs(places, sources);
  for (const rule of rules) {
    const found = pairs.open.map((place) => ({ place, matching: pairs.free.filter((source) => rule(place, source)) }));
    for (const { place, matching } of found) {
      const [source] = matching;
      const sought = found.filter((other) => source !== undefined && other.matching.includes(source)).length;
      if (source !== undefined && matching.length === 1 && sought === 1) pairs.take(place, source);
    }
  }
  for (const layer of new Set(pairs.open.flatMap(({ words }) => words.slice(0, -1)))) pairByOrder(pairs, layer);
  return pairs.found;
}

// Within a layer, what is left on both sides goes together where numbers and shapes agree.
function pairByOrder(pairs: Pairs, layer: string): void {
  const within = ({ words }: Place | Source): boolean => words.slice(0, -1).includes(layer);
  const [open, free] = [pairs.open.filter(within), pairs.free.filter(within)];
  const fits = open.every(({ shape }, index) => sameShape(shape, free[index]?.tensor.shape ?? []));
  if (open.length !== free.length || !fits) return;
  open.forEach((place, index) => {
    pairs.take(place, free[index] as Source);
  });
}

/** What has found together so far. */
class Pairs {
  readonly found: Map<Place, Source> = new Map();
  #open: readonly Place[];
  #free: readonly Source[];

  constructor(places: readonly Place[], sources: readonly Source[]) {
    this.#open = places;
    this.#free = sources;
  }

  get open(): readonly Place[] {
    return this.#open;
  }

  get free(): readonly Source[] {
    return this.#free;
  }

  take(place: Place, source: Source): void {
    this.found.set(place, source);
    this.#open = this.#open.filter((each) => each !== place);
    this.#free = this.#free.filter((each) => each !== source);
  }
}

function endsWith(words: readonly string[], ending: readonly string[]): boolean {
  return ending.length > 0 && words.slice(-ending.length).join('/') === ending.join('/');
}

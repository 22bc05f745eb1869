import { castTensor, ModelwrightError, sameShape, type Tensor } from '@modelwright/core';
import type { LayeredModel } from '../model/layered-model.js';
import type { WeightReport } from '../pretrained/load-weights.js';
import { toStored } from '../weights/keras-layout.js';
import type { NamedWeight } from './decode-weights.js';
import { renumbered, tokensOf, WeightName } from './weight-names.js';

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

/** A weight of the model. */
interface Place {
  readonly name: string;
  readonly words: WeightName;
  /** In Keras's layout. */
  readonly shape: readonly number[];
}

interface Source extends NamedWeight {
  readonly words: WeightName;
}

/**
 * Gives a model the weights that were read, by name. Names match however they separate and capitalize words:
 * `batch_normalization_1/moving_mean` is `batchNormalization_1.movingMean`; models around and cells inside of a layer may be
 * left out; layers may be counted from another number; and within one layer the order settles what names do not.
 */
export function assignWeights(model: LayeredModel, weights: readonly NamedWeight[]): LayersModelWeightReport {
  const places = model.parameters.map(({ name }) => ({ name, shape: model.layoutOf(name).keras }));
  const asTheyAre = matchNames(places, weights, (names) => names);
  const counted = asTheyAre.fitting.length === places.length ? asTheyAre : matchNames(places, weights, renumbered);
  const { pairs, fitting } = counted.fitting.length > asTheyAre.fitting.length ? counted : asTheyAre;
  model.setWeights(Object.fromEntries(fitting.map(([{ name }, { tensor }]) => [name, stored(model, name, tensor)])));
  const found = new Set([...pairs.keys()].map(({ name }) => name));
  const used = new Set([...pairs.values()].map(({ name }) => name));
  return {
    matched: fitting.map(([place, source]) => ({ parameter: place.name, tensor: source.name })),
    missing: places.filter(({ name }) => !found.has(name)).map(({ name }) => name),
    leftOver: weights.filter(({ name }) => !used.has(name)).map(({ name }) => name),
    mismatched: [...pairs]
      .filter((pair) => !fits(pair))
      .map(
        ([
          { name, shape },
          {
            name: tensor,
            tensor: { shape: given },
          },
        ]) => ({
          parameter: name,
          tensor,
          given,
          expected: shape,
        }),
      ),
  };
}

type Pair = readonly [Place, Source];

const fits = ([place, { tensor }]: Pair): boolean => sameShape(place.shape, tensor.shape);

function matchNames(
  places: readonly Omit<Place, 'words'>[],
  weights: readonly NamedWeight[],
  read: (names: readonly (readonly string[])[]) => readonly (readonly string[])[],
): { readonly pairs: ReadonlyMap<Place, Source>; readonly fitting: readonly Pair[] } {
  const withWords = <T extends { readonly name: string }>(
    named: readonly T[],
  ): readonly (T & { words: WeightName })[] => {
    const names = read(named.map(({ name }) => tokensOf(name)));
    return named.map((each, index) => ({ ...each, words: new WeightName(names[index] as readonly string[]) }));
  };
  const pairs = pairUp(withWords(places), withWords(weights));
  return { pairs, fitting: [...pairs].filter(fits) };
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

type Rule = (place: WeightName, source: WeightName) => boolean;

// From the strictest on; each rule takes only what is certain by it: one source for one place.
const rules: readonly Rule[] = [
  (place, source) => place.path === source.path,
  (place, source) => place.letters === source.letters,
  // Models around the layer are named here, but not there; or the other way round.
  (place, source) => place.endsWith(source) || source.endsWith(place),
  // A cell inside the layer is named there.
  (place, source) => {
    const outer = source.withoutInner();
    return outer !== undefined && place.endsWith(outer);
  },
];

function pairUp(places: readonly Place[], sources: readonly Source[]): ReadonlyMap<Place, Source> {
  const pairs = new Pairs(places, sources);
  for (const rule of rules) {
    const { open, free } = pairs;
    const matching = open.map(({ words }) => free.filter((source) => rule(words, source.words)));
    const sought = new Map<Source, number>();
    for (const source of matching.flat()) sought.set(source, (sought.get(source) ?? 0) + 1);
    open.forEach((place, index) => {
      const [source, ...others] = matching[index] as readonly Source[];
      if (source !== undefined && others.length === 0 && sought.get(source) === 1) pairs.take(place, source);
    });
  }
  for (const layer of new Set(pairs.open.flatMap(({ words }) => words.layers))) pairByOrder(pairs, layer);
  return pairs.found;
}

// Within a layer, what is left on both sides goes together where numbers and shapes agree.
function pairByOrder(pairs: Pairs, layer: string): void {
  const within = ({ words }: Place | Source): boolean => words.layers.includes(layer);
  const [open, free] = [pairs.open.filter(within), pairs.free.filter(within)];
  if (open.length !== free.length || !open.every((place, index) => fits([place, free[index] as Source]))) return;
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

import {
  decodeSafetensors,
  encodeSafetensors,
  type Model,
  ModelwrightError,
  sameShape,
  type Tensor,
  type TensorMap,
} from '@modelwright/core';
import { type AdaptedWeight, type AdapterRecord, adapterOf, factorNames, loraRecord } from './adapter-record.js';
import { withAdapter } from './add-lora.js';
import { type Factors, factorShapes, inFileLayout } from './factors.js';
import { removeLora } from './remove-lora.js';
import { adaptedWeights } from './targets.js';

const prefix = 'base_model.model.';
const alphaKey = 'lora_alpha';
const dropoutKey = 'lora_dropout';

/**
 * The weights of an adapter by the names that PEFT gives them: `base_model.model.h.0.attn.c_attn.lora_A.weight` `[rank, in]` and
 * `lora_B.weight` `[out, rank]`; of convolutions `[rank, in, …kernel]` and `[out, rank, 1, …]`; of embeddings
 * `lora_embedding_A` `[rank, count]` and `lora_embedding_B` `[width, rank]`.
 *
 * @param adapter - Needed where there are several.
 * @throws {@link ModelwrightError} `invalid-argument` naming the adapters that there are.
 */
export function loraWeights(model: Model, adapter?: string): TensorMap {
  const { name, weights } = adapterOf(model, adapter);
  const held = model.getWeights();
  const modules = moduleNames(weights);
  const entries = weights.flatMap(({ weight, kind }): [string, Tensor][] => {
    const names = factorNames(weight, name);
    const { a, b } = inFileLayout({ a: held[names.a] as Tensor, b: held[names.b] as Tensor }, kind);
    const keys = fileNames(modules.get(weight) as string, kind);
    return [
      [keys.a, a],
      [keys.b, b],
    ];
  });
  return Object.fromEntries(entries);
}

/**
 * An adapter as a `.safetensors` file: names and layouts of {@link loraWeights}, its rank and alpha in the header.
 *
 * @example
 * await writeFile('french.safetensors', encodeLora(model, 'french'));
 */
export function encodeLora(model: Model, adapter?: string): Uint8Array {
  const { rank, alpha, dropout } = adapterOf(model, adapter);
  const notes = { format: 'pt', r: String(rank), [alphaKey]: String(alpha), [dropoutKey]: String(dropout) };
  return encodeSafetensors(loraWeights(model, adapter), notes);
}

/** What PEFT keeps beside an adapter's weights, as `adapter_config.json`. */
export function loraConfig(model: Model, adapter?: string): { readonly [key: string]: unknown } {
  const { rank, alpha, dropout, weights } = adapterOf(model, adapter);
  const modules = moduleNames(weights);
  return {
    peft_type: 'LORA',
    r: rank,
    lora_alpha: alpha,
    lora_dropout: dropout,
    bias: 'none',
    target_modules: weights.map(({ weight }) => modules.get(weight)),
  };
}

export interface LoadLoraOptions {
  /** Name of the adapter in the model. Default `default`. */
  readonly name?: string;
  /** Default what the file says, else the rank. */
  readonly alpha?: number;
}

/**
 * Gives a model the adapter of a file or of {@link loraWeights}. One of that name that it has takes the new weights over, in place;
 * else the model is given one.
 *
 * @throws {@link ModelwrightError} `invalid-data` for weights that the model does not have, and where one of a pair is missing,
 *   `shape-mismatch` for those that do not fit.
 */
export function loadLora(model: Model, source: Uint8Array | TensorMap, options: LoadLoraOptions = {}): Model {
  const { tensors, metadata } =
    source instanceof Uint8Array ? decodeSafetensors(source) : { tensors: source, metadata: {} as TensorNotes };
  const name = options.name ?? 'default';
  const { weights, factors, rank } = matchWeights(model, tensors);
  const known = loraRecord(model).adapters.find((adapter) => adapter.name === name);
  if (known !== undefined && known.rank === rank && sameTargets(known.weights, weights)) {
    model.setWeights(
      Object.fromEntries(
        [...factors].flatMap(([weight, { a, b }]): [string, Tensor][] => {
          const names = factorNames(weight, name);
          return [
            [names.a, a],
            [names.b, b],
          ];
        }),
      ),
    );
    return model;
  }
  const alpha = options.alpha ?? Number(metadata[alphaKey] ?? known?.alpha ?? rank);
  const adapter: AdapterRecord = { name, rank, alpha, dropout: Number(metadata[dropoutKey] ?? 0), weights };
  return withAdapter(known === undefined ? model : removeLora(model, name), adapter, factors);
}

type TensorNotes = { readonly [key: string]: string };

function sameTargets(known: readonly AdaptedWeight[], given: readonly AdaptedWeight[]): boolean {
  const names = new Set(given.map(({ weight }) => weight));
  return known.length === names.size && known.every(({ weight }) => names.has(weight));
}

/** Paths of the layers that hold the weights; the whole name where a layer has several adapted ones. */
function moduleNames(weights: readonly { readonly weight: string }[]): ReadonlyMap<string, string> {
  const paths = weights.map(({ weight }) => weight.slice(0, weight.lastIndexOf('.') + 1).replace(/\.$/, '') || weight);
  return new Map(
    weights.map(({ weight }, index) => {
      const path = paths[index] as string;
      return [weight, paths.filter((each) => each === path).length > 1 ? weight : path];
    }),
  );
}

function fileNames(module: string, kind: AdaptedWeight['kind']): { readonly a: string; readonly b: string } {
  const [before, after] = kind === 'embedding' ? ['lora_embedding_', ''] : ['lora_', '.weight'];
  return { a: `${prefix}${module}.${before}A${after}`, b: `${prefix}${module}.${before}B${after}` };
}

interface Matched {
  readonly weights: readonly AdaptedWeight[];
  readonly factors: ReadonlyMap<string, Factors>;
  readonly rank: number;
}

function matchWeights(model: Model, tensors: TensorMap): Matched {
  const left = new Map(Object.entries(tensors));
  const taken: AdaptedWeight[] = [];
  const factors = new Map<string, Factors>();
  let rank = 0;
  const all = adaptedWeights(removeLora(model), { include: [/./] });
  const modules = moduleNames(all);
  for (const target of all) {
    const found = [
      modules.get(target.weight) as string,
      moduleNames([target]).get(target.weight) as string,
      target.weight,
    ]
      .map((module) => fileNames(module, target.kind))
      .find(({ a, b }) => left.has(a) && left.has(b));
    if (found === undefined) continue;
    const pair = inFileLayout({ a: left.get(found.a) as Tensor, b: left.get(found.b) as Tensor }, target.kind);
    rank = target.kind === 'conv' ? (pair.a.shape[0] as number) : (pair.a.shape[1] as number);
    requireShapes(model, { target, pair, rank });
    for (const name of Object.values(found)) left.delete(name);
    taken.push(target);
    factors.set(target.weight, pair);
  }
  if (left.size === 0 && taken.length > 0) return { weights: taken, factors, rank };
  const given = [...left.keys()];
  throw new ModelwrightError(
    'invalid-data',
    `model '${model.name}' has no place for ${given.length} of the adapter's weights: ${given.slice(0, 5).join(', ')}`,
    {
      given,
      allowed: all.flatMap(({ weight, kind }) => Object.values(fileNames(modules.get(weight) as string, kind))),
    },
  );
}

function requireShapes(
  model: Model,
  { target, pair, rank }: { readonly target: AdaptedWeight; readonly pair: Factors; readonly rank: number },
): void {
  const weight = model.getWeights()[target.weight] as Tensor;
  const allowed = factorShapes(weight.shape, target, rank);
  if (sameShape(pair.a.shape, allowed.a) && sameShape(pair.b.shape, allowed.b)) return;
  const given = [pair.a.shape, pair.b.shape];
  throw new ModelwrightError(
    'shape-mismatch',
    `the adapter's weights for '${target.weight}' [${weight.shape}] are [${given[0]}] and [${given[1]}]; ` +
      `[${allowed.a}] and [${allowed.b}] are expected`,
    { given, allowed: Object.values(allowed) },
  );
}

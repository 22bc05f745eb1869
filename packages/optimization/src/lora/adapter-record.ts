import { type Model, ModelwrightError } from '@modelwright/core';

/** Key in a model's metadata that holds what is known of its adapters. */
export const loraKey = 'modelwright.lora';

/** How a weight is adapted, by what stands at its place. */
export type AdaptedKind = 'dense' | 'conv' | 'embedding' | 'matrix';

/** One adapted weight. */
export interface AdaptedWeight {
  /** Name of the parameter. */
  readonly weight: string;
  readonly kind: AdaptedKind;
  /** Whether the adapter's branch stands beside the layer; otherwise it changes the weight itself. */
  readonly beside: boolean;
  /** Whether the weight lies as `[out, in]`. */
  readonly transposed: boolean;
}

/** One adapter of a model: a small change of several weights that can be trained, saved and switched by itself. */
export interface AdapterRecord {
  readonly name: string;
  readonly rank: number;
  readonly alpha: number;
  readonly dropout: number;
  readonly weights: readonly AdaptedWeight[];
}

export interface LoraRecord {
  /** Parameters that were trainable before there were adapters. */
  readonly trainable: readonly string[];
  readonly adapters: readonly AdapterRecord[];
}

/** Names of an adapter's parameters. */
export const factorNames = (weight: string, adapter: string): { readonly a: string; readonly b: string } => ({
  a: `${weight}.lora_A.${adapter}`,
  b: `${weight}.lora_B.${adapter}`,
});
/** Name of the parameter that an adapter's change is multiplied with: `alpha / rank`, or 0 when it is switched off. */
export const scaleName = (adapter: string): string => `lora_scale.${adapter}`;

/** What is known of a model's adapters; none where it has none. */
export function loraRecord(model: Model): LoraRecord {
  const text = model.metadata[loraKey];
  if (text === undefined) return { trainable: [], adapters: [] };
  try {
    return JSON.parse(text) as LoraRecord;
  } catch (cause) {
    throw new ModelwrightError('invalid-model', `metadata '${loraKey}' of model '${model.name}' is no JSON`, { cause });
  }
}

/** @throws {@link ModelwrightError} `invalid-argument` naming the adapters that there are. */
export function adapterOf(model: Model, name: string | undefined): AdapterRecord {
  const { adapters } = loraRecord(model);
  const found = name === undefined && adapters.length === 1 ? adapters[0] : adapters.find((each) => each.name === name);
  if (found !== undefined) return found;
  const allowed = adapters.map((each) => each.name);
  const asked = name === undefined ? 'one adapter' : `no adapter '${name}'`;
  throw new ModelwrightError(
    'invalid-argument',
    allowed.length === 0
      ? `model '${model.name}' has no adapters: addLora gives it some`
      : `model '${model.name}' has ${name === undefined ? `not ${asked}` : asked}; it has: ${allowed.join(', ')}`,
    { given: name, allowed },
  );
}

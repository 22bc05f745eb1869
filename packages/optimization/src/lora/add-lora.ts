import { Model, ModelwrightError, type Parameter } from '@modelwright/core';
import { withGraph } from '../with-graph.js';
import { type AdapterRecord, factorNames, type LoraRecord, loraKey, loraRecord, scaleName } from './adapter-record.js';
import { type Factors, initialFactors } from './factors.js';
import { graftAdapter } from './graft.js';
import { removeLora } from './remove-lora.js';
import { adaptedWeights, type TargetOptions } from './targets.js';

export interface LoraOptions extends TargetOptions {
  /** Rank of each change. Default 8. */
  readonly rank?: number;
  /** Changes are multiplied with `alpha / rank`. Default the rank. */
  readonly alpha?: number;
  /** Share of what goes into the branches that training drops. Not of embeddings, nor where the weight itself is changed. Default 0. */
  readonly dropout?: number;
  /** Tells several adapters of a model apart. Default `default`. */
  readonly name?: string;
  /** Of what the branches begin with. Default 0. */
  readonly seed?: number;
}

/**
 * Gives a model adapters: beside each adapted weight `W` a change `alpha / rank · A · B` of low rank. The weights of the model
 * are frozen, only `A` and `B` are trained. `B` begins as zero, so nothing is changed yet.
 *
 * Where a weight is used several times (tied embeddings), or is recurrent or grouped, `W` itself is changed; elsewhere a branch
 * stands beside the layer: a convolution's is one of the same kernel to `rank` channels, then one of 1×1. A model may have
 * several adapters; adding one freezes those before it.
 *
 * @returns a model on the same weights; `<weight>.lora_A.<name>` and `.lora_B.<name>` are its new parameters.
 * @throws {@link ModelwrightError} `invalid-argument` when no weight is to be adapted, or the name is taken.
 * @see Hu et al., arXiv:2106.09685.
 * @example
 * const adapted = addLora(gpt, { rank: 4, include: ['attn.c_attn'] });
 * const trainer = await createTrainer(adapted, { backend, loss: 'sparseCategoricalCrossentropy' });
 */
export function addLora(model: Model, options: LoraOptions = {}): Model {
  const { rank = 8, alpha = rank, dropout = 0, name = 'default', seed = 0 } = options;
  requireCount(rank);
  if (!(dropout >= 0 && dropout < 1))
    throw new ModelwrightError('invalid-argument', `addLora: dropout is ${dropout}; a share in 0…1 is expected`, {
      given: dropout,
    });
  const weights = adaptedWeights(removeLora(model), options);
  const adapter: AdapterRecord = { name, rank, alpha, dropout, weights };
  const factors = new Map(
    weights.map((target): [string, Factors] => {
      const parameter = model.parameters.find((each) => each.name === target.weight) as Parameter;
      return [target.weight, initialFactors(model, parameter, { target, rank, seed })];
    }),
  );
  return withAdapter(model, adapter, factors);
}

function requireCount(rank: number): void {
  if (Number.isInteger(rank) && rank >= 1) return;
  throw new ModelwrightError('invalid-argument', `addLora: rank is ${rank}; an integer ≥ 1 is expected`, {
    given: rank,
  });
}

/** The model with an adapter of which everything is known. */
export function withAdapter(model: Model, adapter: AdapterRecord, factors: ReadonlyMap<string, Factors>): Model {
  const record = loraRecord(model);
  if (record.adapters.some(({ name }) => name === adapter.name)) {
    throw new ModelwrightError('invalid-argument', `model '${model.name}' already has an adapter '${adapter.name}'`, {
      given: adapter.name,
    });
  }
  const { graph, added } = graftAdapter(model, adapter, factors);
  const first = record.adapters.length === 0;
  const trainable = first
    ? model.parameters.filter((each) => each.trainable).map(({ name }) => name)
    : record.trainable;
  const next: LoraRecord = { trainable, adapters: [...record.adapters, adapter] };
  const base = withGraph(model, graph, { [loraKey]: JSON.stringify(next) });
  const scale = scaleName(adapter.name);
  const parameters = [
    ...base.parameters.map((parameter) => ({ ...parameter, trainable: false })),
    ...[...added].map(([name, value]) => ({ name, value, trainable: name !== scale, role: 'weight' as const })),
  ];
  const owned = new Map(
    adapter.weights.map(({ weight }) => [weight, Object.values(factorNames(weight, adapter.name))]),
  );
  const layers = base.layers.map((layer) => ({
    ...layer,
    parameters: layer.parameters.flatMap((each) => [each, ...(owned.get(each) ?? [])]),
  }));
  const { name, states, losses, outputMasks, metadata } = base;
  return new Model({ name, graph: base.graph, parameters, layers, states, losses, outputMasks, metadata });
}

import type { ServedModelFactory, ServedModelOptions } from '../contract/hub.js';
import type { ModelArtifact, ServedModel } from '../contract/served-model.js';
import { createServedModel } from '../serving/create-served-model.js';
import { createGenerationService } from './generation-service.js';
import type { DecodingPlan, OpenDecoder, RowDecoder } from './row-decoder.js';
import { sumStatistics } from './sum-statistics.js';

/** As {@link OpenDecoder}, with what the model is served with. */
export type OpenDecoderFor = (
  artifact: ModelArtifact,
  plan: DecodingPlan,
  options: ServedModelOptions,
) => Promise<RowDecoder | undefined>;

/**
 * Serves models of language token by token as well, where their processing says that they write texts.
 *
 * @param serve - Serves the tensors of every model.
 * @param openDecoder - Opens what decodes; default the backend of this thread.
 * @returns a factory that throws as `serve` and {@link createGenerationService} do.
 */
export function servingTexts(serve: ServedModelFactory, openDecoder?: OpenDecoderFor): ServedModelFactory {
  return async (artifact, options) => {
    const open: OpenDecoder = async (one, plan) => openDecoder?.(one, plan, options);
    const generation = await createGenerationService(artifact, { ...options, openDecoder: open });
    if (generation === undefined) return serve(artifact, options);
    try {
      const served = await serve(artifact, { ...options, generation });
      return withGeneration(served, generation);
    } catch (error) {
      await generation.dispose();
      throw error;
    }
  };
}

/**
 * Serves a model: tensors in batches, and, where its processing says that it writes texts, answers token by token.
 *
 * @throws {@link ModelwrightError} as {@link createServedModel} and {@link createGenerationService}.
 */
export const serveModel: ServedModelFactory = servingTexts(createServedModel);

function withGeneration(
  served: ServedModel,
  generation: NonNullable<Awaited<ReturnType<typeof createGenerationService>>>,
): ServedModel {
  const memoryBytes = served.memoryBytes + generation.memoryBytes;
  return {
    info: served.info,
    memoryBytes,
    ...(served.notes === undefined ? {} : { notes: served.notes }),
    generation,
    infer: (inputs, options) => served.infer(inputs, options),
    statistics: () => sumStatistics(served.statistics(), generation.statistics()),
    dispose: async (drainMilliseconds) => {
      await Promise.all([served.dispose(drainMilliseconds), generation.dispose(drainMilliseconds)]);
    },
  };
}

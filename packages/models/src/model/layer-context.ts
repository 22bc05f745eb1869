import { type GraphBuilder, ModelwrightError, type Value } from '@modelwright/core';
import type { LayerContext, LayerDefinition, WeightRequest } from '../layer.js';
import { type KerasLayout, sameLayout } from '../weights/keras-layout.js';

interface ContextParts {
  readonly definition: LayerDefinition;
  readonly path: string;
  readonly builder: GraphBuilder;
  /** Gives the value that stands for a weight. */
  weight(request: WeightRequest, layout: KerasLayout): Value;
}

/** What a layer builds with, around a way to come by weights. */
export function layerContext({ definition, path, builder, weight }: ContextParts): LayerContext {
  return {
    builder,
    path,
    addWeight: (request) => weight(request, request.layout ?? sameLayout(request.shape)),
    fail(message, details = {}, code = 'shape-mismatch') {
      throw new ModelwrightError(code, `${definition.kind} '${path}': ${message}`, { layer: path, ...details });
    },
  };
}

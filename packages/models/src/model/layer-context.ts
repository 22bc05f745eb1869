import { type GraphBuilder, ModelwrightError, type Value } from '@modelwright/core';
import type { LayerContext, LayerDefinition, LayerState, StateRequest, WeightRequest } from '../layer.js';
import { type KerasLayout, sameLayout } from '../weights/keras-layout.js';

interface ContextParts {
  readonly definition: LayerDefinition;
  readonly path: string;
  readonly builder: GraphBuilder;
  /** Masks of the inputs; asked only where the layer reads them. */
  masks(): readonly (Value | undefined)[];
  /** Gives the value that stands for a weight. */
  weight(request: WeightRequest, layout: KerasLayout): Value;
  /** Gives what stands for a state. */
  state(request: StateRequest): LayerState;
  /** Takes a term of the loss. */
  loss(name: string, value: Value): void;
}

/** What a layer builds with, around a way to come by weights. */
export function layerContext({ definition, path, builder, masks, weight, state, loss }: ContextParts): LayerContext {
  return {
    builder,
    path,
    get masks() {
      return masks();
    },
    addState: state,
    addLoss: loss,
    addWeight: (request) => weight(request, request.layout ?? sameLayout(request.shape)),
    fail(message, details = {}, code = 'shape-mismatch') {
      throw new ModelwrightError(code, `${definition.kind} '${path}': ${message}`, { layer: path, ...details });
    },
  };
}

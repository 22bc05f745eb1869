import { GraphBuilder, type Value, type ValueType } from '@modelwright/core';
import type { LayerDefinition } from '../layer.js';
import { layerContext } from './layer-context.js';

/**
 * Output types of a layer applied to inputs of the given types: it is built once on the side, with weights that have no
 * values, so that a wrong shape is reported where the layer is applied.
 */
export function traceLayer(definition: LayerDefinition, inputs: readonly ValueType[]): readonly ValueType[] {
  const builder = new GraphBuilder('trace');
  const values = inputs.map(({ dtype, shape }, index) => builder.input(`input_${index}`, dtype, shape));
  const context = layerContext({
    definition,
    path: definition.options.name ?? definition.kind,
    builder,
    weight: (request, layout) => builder.input(request.name, request.dtype ?? 'float32', layout.stored),
  });
  return buildLayer(definition, context, values);
}

/** Builds a layer inside its scope; always a list of outputs. */
export function buildLayer(
  definition: LayerDefinition,
  context: ReturnType<typeof layerContext>,
  inputs: readonly Value[],
): readonly Value[] {
  const scope = { name: context.path, kind: definition.kind };
  const built = context.builder.scoped(scope, () => definition.build(context, inputs));
  return Array.isArray(built) ? built : [built as Value];
}

import { GraphBuilder, type Value, type ValueType } from '@modelwright/core';
import type { LayerContext, LayerDefinition } from '../layer.js';
import type { SymbolicTensor } from '../symbolic-tensor.js';
import { layerContext } from './layer-context.js';

/** What a layer gives for inputs of certain types. */
export interface TracedLayer {
  readonly outputs: readonly ValueType[];
  /** Masks of the outputs: those of the inputs that are passed on, or the types of new ones. */
  readonly masks: readonly (SymbolicTensor | ValueType | undefined)[];
}

/**
 * Output types of a layer applied to inputs of the given types: it is built once on the side, with weights that have no
 * values, so that a wrong shape is reported where the layer is applied.
 */
export function traceLayer(definition: LayerDefinition, inputs: readonly SymbolicTensor[]): TracedLayer {
  const builder = new GraphBuilder('trace');
  const declare = (name: string, { dtype, shape }: ValueType): Value => builder.input(name, dtype, shape);
  const values = inputs.map((input, index) => declare(`input_${index}`, input));
  const given = new Map<Value, SymbolicTensor>();
  const masks = inputs.map(({ mask }, index) => {
    if (mask === undefined) return undefined;
    const value = declare(`mask_${index}`, mask);
    given.set(value, mask);
    return value;
  });
  const context = layerContext({
    definition,
    path: definition.options.name ?? definition.kind,
    builder,
    masks: () => masks,
    weight: (request, layout) => declare(request.name, { dtype: request.dtype ?? 'float32', shape: layout.stored }),
    state: (request) => ({ value: declare(request.name, request), update: () => undefined }),
    loss: () => undefined,
  });
  return {
    outputs: buildLayer(definition, context, values),
    masks: buildMasks(definition, context, values).map((mask) =>
      mask === undefined ? mask : (given.get(mask) ?? mask),
    ),
  };
}

/** Builds a layer inside its scope; always a list of outputs. */
export function buildLayer(
  definition: LayerDefinition,
  context: LayerContext,
  inputs: readonly Value[],
): readonly Value[] {
  const scope = { name: context.path, kind: definition.kind };
  const built = context.builder.scoped(scope, () => definition.build(context, inputs));
  return Array.isArray(built) ? built : [built as Value];
}

/** Masks of a layer's outputs; those that are missing at the end have none. */
export function buildMasks(
  { kind, mask = 'drop' }: LayerDefinition,
  context: LayerContext,
  inputs: readonly Value[],
): readonly (Value | undefined)[] {
  if (mask === 'drop') return [];
  if (mask === 'keep') return [context.masks[0]];
  return context.builder.scoped({ name: context.path, kind }, () => mask(context, inputs));
}

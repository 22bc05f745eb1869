import type { GraphBuilder, Value } from '@modelwright/core';
import {
  createLayer,
  type Layer,
  type LayerBuild,
  type LayerContext,
  type LayerDefinition,
  type LayerOptions,
} from '../layer.js';

const anyNumber = { min: 1, max: Number.POSITIVE_INFINITY };

/**
 * A layer without weights from a plain function of symbolic values.
 *
 * @param build - Adds nodes to the model's graph and returns its output.
 * @example
 * const absolute = lambda((builder, x) => builder.op('Abs', [x]));
 */
export function lambda(
  build: (builder: GraphBuilder, ...inputs: readonly Value[]) => Value,
  options: LayerOptions = {},
): Layer {
  return createLayer({
    kind: 'lambda',
    options,
    inputCount: anyNumber,
    build: ({ builder }, inputs) => build(builder, ...inputs),
  });
}

export interface CustomLayerOptions extends LayerOptions {
  /** Shown in summaries and errors, and the front part of default names. Default `custom`. */
  readonly kind?: string;
  /** What becomes of masks; see {@link LayerDefinition.mask}. Default `drop`. */
  readonly mask?: NonNullable<LayerDefinition['mask']>;
}

/**
 * A layer of one's own, with weights: a function of the context it builds in and its inputs. What it is called twice with, it
 * does twice; weights are created the first time.
 *
 * @param build - Returns one output, or several (then take them with `applyAll`).
 * @example
 * const scale = customLayer((context, x) => {
 *   const factor = context.addWeight({ name: 'factor', shape: [1], initializer: 'ones' });
 *   return context.builder.op('Mul', [x, factor]);
 * }, { kind: 'scale' });
 */
export function customLayer(
  build: (context: LayerContext, ...inputs: readonly Value[]) => ReturnType<LayerBuild>,
  { kind = 'custom', mask = 'drop', ...options }: CustomLayerOptions = {},
): Layer {
  return createLayer({
    kind,
    options,
    mask,
    inputCount: anyNumber,
    build: (context, inputs) => build(context, ...inputs),
  });
}

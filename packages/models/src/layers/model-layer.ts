import { type Bindings, inlineGraph, type Model, type Value } from '@modelwright/core';
import { createLayer, type Layer, type LayerOptions } from '../layer.js';
import { type KerasLayout, kerasAxes, sameLayout, toKeras } from '../weights/keras-layout.js';

/**
 * A whole model as a layer, one made here or read from a file. Its weights, as they are now, are copied into the model it
 * becomes part of, under `<layer>.<weight>`; what was frozen stays frozen.
 *
 * @throws {@link ModelwrightError} when applied: `shape-mismatch` if the inputs do not fit.
 */
export function modelLayer(inner: Model, options: LayerOptions = {}): Layer {
  const { graph } = inner;
  const layoutOf = (name: string, shape: readonly number[]): KerasLayout =>
    (inner as Model & { layoutOf?: (name: string) => KerasLayout }).layoutOf?.(name) ?? sameLayout(shape);
  const shape = graph.inputs[0]?.shape.slice(1);
  return createLayer({
    kind: 'model',
    options: { name: inner.name, ...(shape === undefined ? {} : { inputShape: shape }), ...options },
    inputCount: { min: graph.inputs.length, max: graph.inputs.length },
    inputDType: graph.inputs[0]?.dtype ?? 'float32',
    build(context, inputs) {
      const bindings: Bindings = new Map();
      graph.inputs.forEach((input, index) => {
        bindings.set(input, inputs[index] as Value);
      });
      for (const parameter of inner.parameters) {
        const weight = inner.weightOf(parameter);
        const layout = layoutOf(parameter.name, weight.shape);
        const { name, trainable, role, regularizer, constraint: held, value } = parameter;
        const constraint =
          held !== undefined && 'axes' in held ? { ...held, axes: kerasAxes(held.axes, layout) } : held;
        const request = {
          name,
          shape: layout.keras,
          layout,
          trainable,
          role,
          regularizer,
          constraint,
          dtype: value.dtype,
        };
        const initializer = Object.assign(() => toKeras(weight, layout), { deferred: true });
        bindings.set(value, context.addWeight({ ...request, initializer }));
      }
      return inlineGraph(context.builder, graph, bindings, { keepNames: false });
    },
  });
}

import {
  type Bindings,
  type Constraint,
  inlineGraph,
  type Model,
  type Parameter,
  removeDeadNodes,
  type Tensor,
  type Value,
} from '@modelwright/core';
import { createLayer, type Layer, type LayerContext, type LayerOptions } from '../layer.js';
import { type KerasLayout, kerasAxes, sameLayout, toKeras } from '../weights/keras-layout.js';

/**
 * A whole model as a layer, one made here or read from a file. Its weights, as they are now, are copied into the model it
 * becomes part of, under `<layer>.<weight>`; what was frozen stays frozen. Masks of its inputs end here, those that it makes
 * itself come out with its outputs.
 *
 * @throws {@link ModelwrightError} when applied: `shape-mismatch` if the inputs do not fit.
 */
export function modelLayer(inner: Model, options: LayerOptions = {}): Layer {
  const { graph, outputMasks } = inner;
  const shape = graph.inputs[0]?.shape.slice(1);
  return createLayer({
    kind: 'model',
    options: { name: inner.name, ...(shape === undefined ? {} : { inputShape: shape }), ...options },
    inputCount: { min: graph.inputs.length, max: graph.inputs.length },
    inputDType: graph.inputs[0]?.dtype ?? 'float32',
    mask: outputMasks.size === 0 ? 'drop' : (context, inputs) => masksOf(inner, context, inputs),
    build(context, inputs) {
      const bindings = bind(inner, context, inputs);
      const states = inner.states.map(({ name, value, next }) => {
        const initial = graph.constants.get(value) as Tensor;
        const state = context.addState({ name, dtype: initial.dtype, shape: initial.shape, initial });
        bindings.set(value, state.value);
        return { state, next };
      });
      const outputs = inlineGraph(context.builder, graph, bindings, { keepNames: false });
      for (const { state, next } of states) state.update(bindings.get(next) as Value);
      for (const { name, value } of inner.losses) context.addLoss(name, bindings.get(value) as Value);
      return outputs;
    },
  });
}

/** What stands for the inner model's inputs and weights. */
function bind(inner: Model, context: LayerContext, inputs: readonly Value[]): Bindings {
  const bindings: Bindings = new Map();
  inner.graph.inputs.forEach((input, index) => {
    bindings.set(input, inputs[index] as Value);
  });
  for (const parameter of inner.parameters) {
    const weight = inner.weightOf(parameter);
    const layout = layoutOf(inner, parameter.name, weight.shape);
    const { name, trainable, role, regularizer, value } = parameter;
    const constraint = constraintIn(parameter, layout);
    const request = { name, shape: layout.keras, layout, trainable, role, regularizer, constraint, dtype: value.dtype };
    const initializer = Object.assign(() => toKeras(weight, layout), { deferred: true });
    bindings.set(value, context.addWeight({ ...request, initializer }));
  }
  return bindings;
}

function layoutOf(inner: Model, name: string, shape: readonly number[]): KerasLayout {
  const layered = inner as Model & { layoutOf?: (name: string) => KerasLayout };
  return layered.layoutOf?.(name) ?? sameLayout(shape);
}

function constraintIn({ constraint }: Parameter, layout: KerasLayout): Constraint | undefined {
  return constraint !== undefined && 'axes' in constraint
    ? { ...constraint, axes: kerasAxes(constraint.axes, layout) }
    : constraint;
}

/** Masks of the outputs, by the part of the inner graph that makes them. */
function masksOf(inner: Model, context: LayerContext, inputs: readonly Value[]): readonly (Value | undefined)[] {
  const { graph, outputMasks } = inner;
  const masked = graph.outputs.filter(({ name }) => outputMasks.has(name));
  const masks = masked.map(({ name }) => ({ name, value: outputMasks.get(name) as Value }));
  const alone = removeDeadNodes.run({ ...graph, outputs: masks });
  const made = inlineGraph(context.builder, alone, bind(inner, context, inputs), { keepNames: false });
  return graph.outputs.map((output) => made[masked.indexOf(output)]);
}

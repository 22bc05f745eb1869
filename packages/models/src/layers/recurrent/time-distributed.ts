import type { GraphBuilder, Value } from '@modelwright/core';
import { createLayer, type Layer, type LayerContext, type LayerOptions } from '../../layer.js';
import { contextWith } from './cell.js';

export interface TimeDistributedOptions extends LayerOptions {
  /** Applied to each step. */
  readonly layer: Layer;
}

/**
 * Applies a layer to each step of a sequence, with the same weights: steps are folded into the batch and unfolded again.
 *
 * Input `[batch, time, …]`, output `[batch, time, …]`.
 *
 * @example
 * timeDistributed({ layer: conv2d({ filters: 8, kernelSize: 3 }) })(frames) // [batch, time, height, width, channels]
 */
export function timeDistributed({ layer, ...options }: TimeDistributedOptions): Layer {
  const { definition } = layer;
  return createLayer({
    kind: 'timeDistributed',
    options,
    ...(definition.inputCount === undefined ? {} : { inputCount: definition.inputCount }),
    ...(definition.inputDType === undefined ? {} : { inputDType: definition.inputDType }),
    mask: 'keep',
    build(context, inputs) {
      for (const { shape } of inputs) {
        if (shape.length < 2) context.fail('takes [batch, time, …], but its input has no steps', { given: shape });
      }
      const { builder } = context;
      const folded = inputs.map((input) => fold(builder, input));
      const scope = { name: context.path, kind: definition.kind };
      const built = builder.scoped(scope, () => definition.build(innerContext(context, layer), folded));
      const outputs = Array.isArray(built) ? (built as readonly Value[]) : [built as Value];
      return outputs.map((output) => unfold(builder, output, inputs[0] as Value));
    },
  });
}

/** `[batch, time, …]` → `[batch · time, …]` */
function fold(builder: GraphBuilder, input: Value): Value {
  const [batch, time, ...rest] = input.shape;
  const known = typeof batch === 'number' && typeof time === 'number' ? batch * time : -1;
  if (rest.every((extent) => typeof extent === 'number')) {
    return builder.op('Reshape', [input, builder.integers([known, ...(rest as readonly number[])])]);
  }
  const extents = builder.op('Shape', [input], { start: 2 });
  return builder.op('Reshape', [input, builder.op('Concat', [builder.integers([-1]), extents], { axis: 0 })]);
}

/** `[batch · time, …]` → `[batch, time, …]`, with the first extents of `like`. */
function unfold(builder: GraphBuilder, output: Value, like: Value): Value {
  const first = builder.op('Shape', [like], { start: 0, end: 2 });
  const rest = output.shape.slice(1);
  const inner = rest.every((extent) => typeof extent === 'number')
    ? builder.integers(rest as readonly number[])
    : builder.op('Shape', [output], { start: 1 });
  return builder.op('Reshape', [output, builder.op('Concat', [first, inner], { axis: 0 })]);
}

/** The context of the layer inside: no masks, since it sees no steps, and frozen if it is. */
function innerContext(context: LayerContext, { definition }: Layer): LayerContext {
  const { trainable = true } = definition.options;
  return contextWith(context, {
    masks: [],
    addWeight: (request) => context.addWeight({ ...request, trainable: trainable && (request.trainable ?? true) }),
  });
}

import { fullTensor, type GraphBuilder, onnxDataType, type Value } from '@modelwright/core';
import { createLayer, type Layer, type LayerContext, type LayerOptions, requireAxes } from '../layer.js';

export interface MaskingOptions extends LayerOptions {
  /** A step counts unless all its features have this value. Default 0. */
  readonly maskValue?: number;
}

/**
 * Leaves out the steps of a sequence whose features all equal `maskValue`: sets them to 0 and gives the output a mask, which
 * layers that know of steps (recurrent ones, attention, losses and metrics) go by.
 *
 * Input `[batch, steps, …features]`, output the same.
 *
 * @example
 * sequential({ inputShape: [null, 3], layers: [masking({ maskValue: -1 }), lstm({ units: 8 }), dense({ units: 1 })] });
 */
export function masking(options: MaskingOptions = {}): Layer {
  const { maskValue = 0 } = options;
  const counted = (builder: GraphBuilder, x: Value): Value =>
    anyAlongLast(builder, differsFrom(builder, x, maskValue), true);
  return createLayer({
    kind: 'masking',
    options,
    mask: ({ builder }, [x]) => [builder.op('Squeeze', [counted(builder, x as Value), builder.integers([-1])])],
    build({ builder }, [x]) {
      const { dtype } = x as Value;
      return builder.op('Mul', [x, builder.op('Cast', [counted(builder, x as Value)], { to: onnxDataType(dtype) })]);
    },
  });
}

/**
 * Gives a tensor a mask of one's own: `attachMask()(sequence, mask)` is the sequence, and the layers behind it go by the mask.
 *
 * Inputs `[batch, steps, …]` and `[batch, steps]`, bool or numbers that are not 0; output `[batch, steps, …]`.
 */
export function attachMask(options: LayerOptions = {}): Layer {
  return createLayer({
    kind: 'attachMask',
    options,
    inputCount: { min: 2, max: 2 },
    mask: ({ builder }, [, mask]) => [asMask(builder, mask as Value)],
    build(context, [x, mask]) {
      requireAxes(context, mask as Value, '[batch, steps]');
      return x as Value;
    },
  });
}

function asMask(builder: GraphBuilder, mask: Value): Value {
  return mask.dtype === 'bool' ? mask : builder.op('Cast', [mask], { to: onnxDataType('bool') });
}

/** Where `x` is not `number`. */
export function differsFrom(builder: GraphBuilder, x: Value, number: number): Value {
  return builder.op('Not', [builder.op('Equal', [x, builder.scalar(number, x.dtype)])]);
}

/** Whether any element along the last axis is true. */
function anyAlongLast(builder: GraphBuilder, x: Value, keepDims = false): Value {
  const numbers = builder.op('Cast', [x], { to: onnxDataType('float32') });
  const largest = builder.op('ReduceMax', [numbers, builder.integers([-1])], { keepdims: keepDims ? 1 : 0 });
  return builder.op('Cast', [largest], { to: onnxDataType('bool') });
}

/** Mask of what is merged element by element: a step counts if it does in any input; none if an input has none. */
export function unitedMask({ builder, masks }: LayerContext): Value | undefined {
  const known = masks.filter((mask) => mask !== undefined);
  return known.length < masks.length ? undefined : known.reduce((all, mask) => builder.op('Or', [all, mask]));
}

/**
 * Mask of inputs side by side. Along the steps: their masks side by side; along the features: a step counts if it does in any
 * input, and everything counts where one has no mask.
 */
export function concatenatedMask(context: LayerContext, inputs: readonly Value[], axis: number): Value | undefined {
  const { builder, masks } = context;
  const known = masks.filter((mask) => mask !== undefined);
  const rank = inputs[0]?.shape.length ?? 0;
  const at = axis < 0 ? axis + rank : axis;
  if (known.length === 0 || at < 0 || at >= rank) return undefined;
  const maskRank = known[0]?.shape.length ?? 0;
  if (at >= maskRank) return unitedMask(context);
  const all = inputs.map((input, index) => masks[index] ?? everyStep(builder, input, maskRank));
  return builder.op('Concat', all, { axis: at });
}

/** True for the first `rank` axes of `x`. */
function everyStep(builder: GraphBuilder, x: Value, rank: number): Value {
  const extents = builder.op('Shape', [x], { start: 0, end: rank });
  return builder.op('Expand', [builder.constant(fullTensor('bool', [1], 1)), extents]);
}

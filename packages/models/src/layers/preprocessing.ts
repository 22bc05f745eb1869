import { castTensor, type DType, isFloat, onnxDataType, type Tensor, tensor, type Value } from '@modelwright/core';
import { createLayer, type Layer, type LayerContext, type LayerOptions } from '../layer.js';

export interface RescalingOptions extends LayerOptions {
  /** One factor, or one for each element of the last axis. */
  readonly scale: number | readonly number[];
  /** Default 0. */
  readonly offset?: number | readonly number[];
}

/** `x · scale + offset`; integers become float32 first. `rescaling({ scale: 1 / 255 })` takes bytes to [0, 1]. */
export function rescaling(options: RescalingOptions): Layer {
  const { scale, offset = 0 } = options;
  return createLayer({
    kind: 'rescaling',
    options,
    mask: 'keep',
    build(context, [x]) {
      const { builder } = context;
      const input = asFloat(context, x as Value);
      const scaled = builder.op('Mul', [input, constantLike(context, scale, input.dtype)]);
      return offset === 0 ? scaled : builder.op('Add', [scaled, constantLike(context, offset, input.dtype)]);
    },
  });
}

export interface NormalizationLayerOptions extends LayerOptions {
  /** Mean of the data: one number, or one for each element of the last axis. */
  readonly mean: number | readonly number[];
  /** Variance of the data, likewise. */
  readonly variance: number | readonly number[];
  /** Undo it: from normalized data to the original scale. Default false. */
  readonly invert?: boolean;
}

/** `(x − mean) / √variance`, with what is known of the data. */
export function normalization(options: NormalizationLayerOptions): Layer {
  const { mean, variance, invert = false } = options;
  const deviation = typeof variance === 'number' ? deviationOf(variance) : variance.map(deviationOf);
  return createLayer({
    kind: 'normalization',
    options,
    build(context, [x]) {
      const { builder } = context;
      const input = asFloat(context, x as Value);
      const [center, spread] = [
        constantLike(context, mean, input.dtype),
        constantLike(context, deviation, input.dtype),
      ];
      if (invert) return builder.op('Add', [builder.op('Mul', [input, spread]), center]);
      return builder.op('Div', [builder.op('Sub', [input, center]), spread]);
    },
  });
}

// Constant data must not divide by zero.
function deviationOf(variance: number): number {
  return Math.max(Math.sqrt(variance), 1e-7);
}

function asFloat({ builder }: LayerContext, x: Value): Value {
  return isFloat(x.dtype) ? x : builder.op('Cast', [x], { to: onnxDataType('float32') });
}

function constantLike({ builder }: LayerContext, values: number | readonly number[], dtype: DType): Value {
  if (typeof values === 'number') return builder.scalar(values, dtype);
  const held: Tensor = castTensor(tensor(values), dtype);
  return builder.constant(held);
}

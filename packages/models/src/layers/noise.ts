import { ModelwrightError, onnxDataType, tensor, type Value } from '@modelwright/core';
import { createLayer, type Layer, type LayerContext, type LayerOptions, requireAxes } from '../layer.js';
import type { DataFormat } from './spatial.js';

export interface DropoutOptions extends LayerOptions {
  /** Share of elements set to 0, in [0, 1]. */
  readonly rate: number;
}

/**
 * While training, sets a random share of elements to 0 and scales the others by `1 / (1 − rate)`; otherwise passes its input.
 *
 * @see Srivastava et al., JMLR 15 (2014).
 */
export function dropout(options: DropoutOptions): Layer {
  const rate = requireRate('dropout', options.rate);
  return createLayer({
    kind: 'dropout',
    options,
    mask: 'keep',
    build: ({ builder }, [x]) => builder.op('Dropout', [x, builder.scalar(rate, (x as Value).dtype)]),
  });
}

export interface SpatialDropoutOptions extends DropoutOptions {
  /** Default `channelsLast`. */
  readonly dataFormat?: DataFormat;
}

/** Dropout of whole channels. Input `[batch, steps, channels]`. */
export function spatialDropout1d(options: DropoutOptions): Layer {
  return spatialDropout('spatialDropout1d', '[batch, steps, channels]', options);
}

/** Dropout of whole channels. Input `[batch, height, width, channels]`. @see Tompson et al., arXiv:1411.4280. */
export function spatialDropout2d(options: SpatialDropoutOptions): Layer {
  return spatialDropout('spatialDropout2d', '[batch, height, width, channels]', options);
}

/** Dropout of whole channels. Input `[batch, depth, height, width, channels]`. */
export function spatialDropout3d(options: SpatialDropoutOptions): Layer {
  return spatialDropout('spatialDropout3d', '[batch, depth, height, width, channels]', options);
}

function spatialDropout(kind: string, axes: string, options: SpatialDropoutOptions): Layer {
  const rate = requireRate(kind, options.rate);
  return createLayer({
    kind,
    options,
    mask: 'keep',
    build(context, [x]) {
      const { builder } = context;
      const input = x as Value;
      requireAxes(context, input, axes);
      const channelAxis = options.dataFormat === 'channelsFirst' ? 1 : input.shape.length - 1;
      // One number an example and channel, dropped or kept, and spread over space.
      const kept = builder.op('Dropout', [
        onesAlong(context, input, [0, channelAxis]),
        builder.scalar(rate, input.dtype),
      ]);
      return whenTraining(context, input, builder.op('Mul', [input, kept]));
    },
  });
}

/** While training, adds normal noise of mean 0 and the given standard deviation; otherwise passes its input. */
export function gaussianNoise(options: LayerOptions & { readonly stddev: number }): Layer {
  const { stddev } = options;
  if (!(stddev >= 0))
    throw new ModelwrightError('invalid-argument', `gaussianNoise: stddev is ${stddev}; a number ≥ 0 is expected`, {
      given: stddev,
    });
  return createLayer({
    kind: 'gaussianNoise',
    options,
    mask: 'keep',
    build(context, [x]) {
      const noise = context.builder.op('RandomNormalLike', [x], { mean: 0, scale: stddev });
      return whenTraining(context, x as Value, context.builder.op('Add', [x, noise]));
    },
  });
}

/** While training, multiplies by normal noise of mean 1 and variance `rate / (1 − rate)`; otherwise passes its input. */
export function gaussianDropout(options: DropoutOptions): Layer {
  const rate = requireRate('gaussianDropout', options.rate);
  return createLayer({
    kind: 'gaussianDropout',
    options,
    mask: 'keep',
    build(context, [x]) {
      const scale = Math.sqrt(rate / Math.max(1 - rate, 1e-7));
      const noise = context.builder.op('RandomNormalLike', [x], { mean: 1, scale });
      return whenTraining(context, x as Value, context.builder.op('Mul', [x, noise]));
    },
  });
}

// −α·scale of SELU: where it ends up for very negative inputs.
const seluFloor = -1.6732632423543772 * 1.0507009873554805;

/**
 * Dropout for SELU networks: dropped elements take SELU's lowest value, and mean and variance stay as they were.
 *
 * @see Klambauer et al., arXiv:1706.02515.
 */
export function alphaDropout(options: DropoutOptions): Layer {
  const rate = requireRate('alphaDropout', options.rate);
  return createLayer({
    kind: 'alphaDropout',
    options,
    mask: 'keep',
    build(context, [x]) {
      const { builder } = context;
      const { dtype } = x as Value;
      const number = (value: number): Value => builder.scalar(value, dtype);
      const draws = builder.op('RandomUniformLike', [x]);
      const kept = builder.op('Cast', [builder.op('GreaterOrEqual', [draws, number(rate)])], {
        to: onnxDataType(dtype),
      });
      const slope = 1 / Math.sqrt(Math.max((1 - rate) * (1 + rate * seluFloor ** 2), 1e-7));
      // a·(x·kept + floor·(1 − kept)) + b with b = −a·floor·rate
      const raised = builder.op('Mul', [builder.op('Sub', [x, number(seluFloor)]), kept]);
      const scaled = builder.op('Mul', [raised, number(slope)]);
      return whenTraining(context, x as Value, builder.op('Add', [scaled, number(slope * seluFloor * (1 - rate))]));
    },
  });
}

/** `training` while the model trains, `inference` otherwise. */
function whenTraining({ builder }: LayerContext, inference: Value, training: Value): Value {
  return builder.op('TrainingSwitch', [inference, training]);
}

/** Ones with the extents of `axes` of `input`, and 1 along all others. */
function onesAlong({ builder }: LayerContext, input: Value, axes: readonly number[]): Value {
  const shape = builder.op('Shape', [input]);
  const extents = input.shape.map((extent, axis) => {
    if (!axes.includes(axis)) return builder.integers([1]);
    return typeof extent === 'number'
      ? builder.integers([extent])
      : builder.op('Gather', [shape, builder.integers([axis])], { axis: 0 });
  });
  const value = tensor([1], { dtype: input.dtype });
  return builder.op('ConstantOfShape', [builder.op('Concat', extents, { axis: 0 })], { value });
}

function requireRate(kind: string, rate: number): number {
  if (rate >= 0 && rate <= 1) return rate;
  throw new ModelwrightError('invalid-argument', `${kind}: rate is ${rate}; a number in [0, 1] is expected`, {
    given: rate,
  });
}

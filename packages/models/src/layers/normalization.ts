import { fullTensor, type Value } from '@modelwright/core';
import type { InitializerLike } from '../initializers/initializer.js';
import { createLayer, floatDType, type Layer, type LayerContext, type LayerOptions, requireKnown } from '../layer.js';
import type { ConstraintLike } from '../weights/constraints.js';
import type { RegularizerLike } from '../weights/regularizers.js';

/** Options of layers that end with `gamma · x̂ + beta`. */
export interface NormalizationOptions extends LayerOptions {
  /** Added to the variance. Default 0.001. */
  readonly epsilon?: number;
  /** Whether to learn `beta`. Default true. */
  readonly center?: boolean;
  /** Whether to learn `gamma`. Default true. */
  readonly scale?: boolean;
  /** Default zeros. */
  readonly betaInitializer?: InitializerLike;
  /** Default ones. */
  readonly gammaInitializer?: InitializerLike;
  readonly betaRegularizer?: RegularizerLike;
  readonly gammaRegularizer?: RegularizerLike;
  readonly betaConstraint?: ConstraintLike;
  readonly gammaConstraint?: ConstraintLike;
}

export interface BatchNormalizationOptions extends NormalizationOptions {
  /** Axis of the channels. Default −1. */
  readonly axis?: number;
  /** Share of the running statistics that each step keeps. Default 0.99. */
  readonly momentum?: number;
  /** Default zeros. */
  readonly movingMeanInitializer?: InitializerLike;
  /** Default ones. */
  readonly movingVarianceInitializer?: InitializerLike;
}

/**
 * `gamma · (x − mean) / √(variance + epsilon) + beta` for each channel: with the statistics of the batch while training,
 * with running ones otherwise.
 *
 * Weights `gamma`, `beta`, `movingMean`, `movingVariance`, each `[channels]`.
 *
 * @see Ioffe and Szegedy, arXiv:1502.03167.
 */
export function batchNormalization(options: BatchNormalizationOptions = {}): Layer {
  const { epsilon = 1e-3, momentum = 0.99, axis = -1 } = options;
  return createLayer({
    kind: 'batchNormalization',
    options,
    mask: 'keep',
    build: (context, [x]) =>
      withAxisSecond(context, { input: x as Value, axis }, (first) => {
        const channels = requireKnown(context, first, 1);
        const { gamma, beta } = scaleAndShift(context, options, { shape: [channels], like: first });
        const statistic = (name: string, initializer: InitializerLike): Value =>
          context.addWeight({
            name,
            shape: [channels],
            initializer,
            role: 'statistic',
            dtype: floatDType(context, first),
          });
        const mean = statistic('movingMean', options.movingMeanInitializer ?? 'zeros');
        const variance = statistic('movingVariance', options.movingVarianceInitializer ?? 'ones');
        return context.builder.op('BatchNormalization', [first, gamma, beta, mean, variance], { epsilon, momentum });
      }),
  });
}

export interface LayerNormalizationOptions extends NormalizationOptions {
  /** Axes that are normalized together: the last, or the last few. Default −1. */
  readonly axis?: number | readonly number[];
}

/**
 * `gamma · (x − mean) / √(variance + epsilon) + beta` with mean and variance over the last axes of each example.
 *
 * Weights `gamma`, `beta`, of the shape of those axes.
 *
 * @throws {@link ModelwrightError} `invalid-argument` when the axes are not the last ones.
 * @see Ba et al., arXiv:1607.06450.
 */
export function layerNormalization(options: LayerNormalizationOptions = {}): Layer {
  const { epsilon = 1e-3 } = options;
  return createLayer({
    kind: 'layerNormalization',
    options,
    mask: 'keep',
    build(context, [x]) {
      const input = x as Value;
      const axis = firstTrailingAxis(context, input, options.axis ?? -1);
      const shape = input.shape.slice(axis).map((_, index) => requireKnown(context, input, axis + index));
      const { gamma, beta } = scaleAndShift(context, options, { shape, like: input });
      const shift = options.center === false ? undefined : beta;
      return context.builder.op('LayerNormalization', [input, gamma, shift], { axis, epsilon });
    },
  });
}

export interface GroupNormalizationOptions extends NormalizationOptions {
  /** Number of groups the channels are split into; −1: one a channel. Default 32. */
  readonly groups?: number;
  /** Axis of the channels. Default −1. */
  readonly axis?: number;
}

/**
 * `gamma · (x − mean) / √(variance + epsilon) + beta` with mean and variance over space and a group of channels.
 *
 * Weights `gamma`, `beta`, each `[channels]`.
 *
 * @throws {@link ModelwrightError} `shape-mismatch` when the groups do not divide the channels.
 * @see Wu and He, arXiv:1803.08494.
 */
export function groupNormalization(options: GroupNormalizationOptions = {}): Layer {
  const { epsilon = 1e-3, groups = 32, axis = -1 } = options;
  return createLayer({
    kind: 'groupNormalization',
    options,
    mask: 'keep',
    build: (context, [x]) =>
      withAxisSecond(context, { input: x as Value, axis }, (first) => {
        const channels = requireKnown(context, first, 1);
        const count = groups === -1 ? channels : groups;
        if (!Number.isInteger(count) || count < 1 || channels % count !== 0) {
          return context.fail(`groups = ${groups} has to divide its ${channels} channels`, {
            given: groups,
            allowed: channels,
          });
        }
        const { gamma, beta } = scaleAndShift(context, options, { shape: [channels], like: first });
        return context.builder.op('GroupNormalization', [first, gamma, beta], { epsilon, num_groups: count });
      }),
  });
}

/** Root mean square normalization: `gamma · x / √(mean(x²) + epsilon)` over the last axis. @see arXiv:1910.07467. */
export function rmsNormalization(
  options: Pick<
    NormalizationOptions,
    'epsilon' | 'gammaInitializer' | 'gammaRegularizer' | 'gammaConstraint' | 'scale'
  > &
    LayerOptions = {},
): Layer {
  const { epsilon = 1e-6 } = options;
  return createLayer({
    kind: 'rmsNormalization',
    options,
    mask: 'keep',
    build(context, [x]) {
      const { builder } = context;
      const input = x as Value;
      const shape = [requireKnown(context, input, -1)];
      const { gamma } = scaleAndShift(context, { ...options, center: false }, { shape, like: input });
      return builder.op('RMSNormalization', [input, gamma], { axis: -1, epsilon });
    },
  });
}

/** `x / √max(Σx², 1e-12)` along `axis` (default −1): vectors of length 1. */
export function unitNormalization(options: LayerOptions & { readonly axis?: number } = {}): Layer {
  const { axis = -1 } = options;
  return createLayer({
    kind: 'unitNormalization',
    options,
    mask: 'keep',
    build({ builder }, [x]) {
      const input = x as Value;
      const square = builder.op('ReduceSum', [builder.op('Mul', [input, input]), builder.integers([axis])]);
      const length = builder.op('Sqrt', [builder.op('Max', [square, builder.scalar(1e-12, input.dtype)])]);
      return builder.op('Div', [input, length]);
    },
  });
}

// ONNX's ops want both; what the user does not want learned stands as a constant.
function scaleAndShift(
  context: LayerContext,
  options: NormalizationOptions,
  { shape, like }: { readonly shape: readonly number[]; readonly like: Value },
): { readonly gamma: Value; readonly beta: Value } {
  const { builder } = context;
  const fixed = (value: number): Value => {
    return builder.constant(fullTensor(like.dtype, shape, value));
  };
  const gamma =
    options.scale === false
      ? fixed(1)
      : context.addWeight({
          name: 'gamma',
          shape,
          initializer: options.gammaInitializer ?? 'ones',
          regularizer: options.gammaRegularizer,
          constraint: options.gammaConstraint,
          dtype: floatDType(context, like),
        });
  const beta =
    options.center === false
      ? fixed(0)
      : context.addWeight({
          name: 'beta',
          shape,
          initializer: options.betaInitializer ?? 'zeros',
          regularizer: options.betaRegularizer,
          constraint: options.betaConstraint,
          dtype: floatDType(context, like),
        });
  return { gamma, beta };
}

/** Runs `build` with `axis` moved to place 1, where ONNX has the channels, and moves it back. */
function withAxisSecond(
  context: LayerContext,
  { input, axis }: { readonly input: Value; readonly axis: number },
  build: (input: Value) => Value,
): Value {
  const rank = input.shape.length;
  const at = axis < 0 ? axis + rank : axis;
  if (!Number.isInteger(axis) || at < 1 || at >= rank) {
    return context.fail(
      `axis ${axis} is not among those of its input, 1…${rank - 1}`,
      { given: axis },
      'invalid-argument',
    );
  }
  if (at === 1) return build(input);
  const others = Array.from({ length: rank - 1 }, (_, index) => index + 1).filter((other) => other !== at);
  const perm = [0, at, ...others];
  const back = perm.map((_, index) => perm.indexOf(index));
  const { builder } = context;
  return builder.op('Transpose', [build(builder.op('Transpose', [input], { perm }))], { perm: back });
}

function firstTrailingAxis(context: LayerContext, { shape }: Value, axis: number | readonly number[]): number {
  const rank = shape.length;
  const axes = (typeof axis === 'number' ? [axis] : axis)
    .map((each) => (each < 0 ? each + rank : each))
    .sort((a, b) => a - b);
  const first = axes[0] ?? rank;
  const trailing = first >= 1 && axes.every((each, index) => each === first + index) && first + axes.length === rank;
  if (trailing) return first;
  return context.fail(
    `axis [${axis}] has to be the last axis or the last few of ${rank}`,
    { given: axis },
    'invalid-argument',
  );
}

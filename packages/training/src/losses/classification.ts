import type { Value } from '@modelwright/core';
import { type Arithmetic, extents } from '../symbolic/arithmetic.js';
import { fuzz, type Loss, type LossContext, meanOfFeatures, sumOfFeatures } from './loss.js';
import { bounded, logitsOf, normalized, scoreLogarithms } from './probabilities.js';

export interface CrossEntropyOptions {
  /** The model's output is raw scores, not probabilities. Default false. */
  readonly fromLogits?: boolean;
  /** Moves each target this far towards the uniform one. Default 0. */
  readonly labelSmoothing?: number;
}

export interface SparseCrossEntropyOptions {
  /** The model's output is raw scores, not probabilities. Default false. */
  readonly fromLogits?: boolean;
  /** Positions with this label count for nothing. */
  readonly ignoreClass?: number;
}

export interface FocalOptions extends CrossEntropyOptions {
  /** Weight of the (positive) class, default 0.25. */
  readonly alpha?: number;
  /** How much easy examples are played down, default 2. */
  readonly gamma?: number;
}

function smooth(
  a: Arithmetic,
  target: Value,
  { by, towards }: { readonly by: number; readonly towards: number },
): Value {
  return by === 0 ? target : a.add(a.multiply(target, 1 - by), by * towards);
}

// −t·log p − (1 − t)·log(1 − p); from logits z: softplus(z) − t·z, which is the same without overflow.
function binaryElements(context: LossContext, fromLogits: boolean, target: Value): Value {
  const { arithmetic: a, prediction } = context;
  const logits = logitsOf(prediction, 'sigmoid', fromLogits);
  if (logits !== undefined) return a.subtract(a.softplus(logits), a.multiply(target, logits));
  const p = bounded(a, prediction.value);
  const positive = a.multiply(target, a.logarithm(p));
  const negative = a.multiply(a.subtract(1, target), a.logarithm(a.subtract(1, p)));
  return a.negate(a.add(positive, negative));
}

/**
 * Cross-entropy of independent yes/no outputs: `mean(−t·log p − (1 − t)·log(1 − p))` over the features.
 *
 * When the model ends in a sigmoid, the loss is computed from what stands before it.
 */
export function binaryCrossentropy({ fromLogits = false, labelSmoothing = 0 }: CrossEntropyOptions = {}): Loss {
  return {
    name: 'binaryCrossentropy',
    targets: 'dense',
    build(context) {
      const target = smooth(context.arithmetic, context.target, { by: labelSmoothing, towards: 0.5 });
      return meanOfFeatures(context.arithmetic, binaryElements(context, fromLogits, target));
    },
  };
}

/**
 * Cross-entropy of one-hot (or soft) targets: `−Σ t·log p` over the classes.
 *
 * When the model ends in a softmax, the loss is computed from what stands before it.
 */
export function categoricalCrossentropy({ fromLogits = false, labelSmoothing = 0 }: CrossEntropyOptions = {}): Loss {
  return {
    name: 'categoricalCrossentropy',
    targets: 'dense',
    build(context) {
      const { arithmetic: a, target, prediction } = context;
      const classes = extents(prediction.value.shape).at(-1) ?? 1;
      const smoothed = smooth(a, target, { by: labelSmoothing, towards: 1 / classes });
      return a.negate(sumOfFeatures(a, a.multiply(smoothed, scoreLogarithms(context, fromLogits))));
    },
  };
}

/**
 * Cross-entropy of integer labels: `−log p[label]`.
 *
 * When the model ends in a softmax, loss and gradient are computed in one step from what stands before it.
 *
 * @param options.ignoreClass - Label of positions that count for nothing, neither in the sum nor in the mean.
 */
export function sparseCategoricalCrossentropy({
  fromLogits = false,
  ignoreClass,
}: SparseCrossEntropyOptions = {}): Loss {
  return {
    name: 'sparseCategoricalCrossentropy',
    targets: 'classes',
    ...(ignoreClass === undefined ? {} : { ignoredClass: ignoreClass }),
    build({ arithmetic: a, target, prediction }) {
      // Ignored positions must still point at some class; their loss is weighted away.
      const labels = ignoreClass === undefined ? target : a.where(a.equal(target, ignoreClass), 0, target);
      const logits = logitsOf(prediction, 'softmax', fromLogits) ?? a.logarithm(normalized(a, prediction.value));
      const shape = extents(logits.shape);
      const classes = shape.at(-1) ?? 1;
      const count = shape.slice(0, -1).reduce((product, extent) => product * extent, 1);
      const [loss] = a.builder.node(
        'SparseSoftmaxCrossEntropy',
        [a.reshape(logits, [count, classes]), a.reshape(labels, [count])],
        {},
        { outputs: 2 },
      );
      return a.reshape(loss as Value, shape.slice(0, -1));
    },
  };
}

/**
 * Binary cross-entropy that plays down examples it has learnt: `(1 − pₜ)^γ · bce`.
 *
 * @param options.applyClassBalancing - Weight positives by α and negatives by 1 − α. Default false.
 * @see Lin et al., arXiv:1708.02002, §3.
 */
export function binaryFocalCrossentropy(options: FocalOptions & { readonly applyClassBalancing?: boolean } = {}): Loss {
  const { fromLogits = false, labelSmoothing = 0, alpha = 0.25, gamma = 2, applyClassBalancing = false } = options;
  return {
    name: 'binaryFocalCrossentropy',
    targets: 'dense',
    build(context) {
      const { arithmetic: a, prediction } = context;
      const target = smooth(a, context.target, { by: labelSmoothing, towards: 0.5 });
      const p = fromLogits ? a.sigmoid(prediction.value) : prediction.value;
      const right = a.add(a.multiply(target, p), a.multiply(a.subtract(1, target), a.subtract(1, p)));
      const focal = a.multiply(a.power(a.subtract(1, right), gamma), binaryElements(context, fromLogits, target));
      if (!applyClassBalancing) return meanOfFeatures(a, focal);
      const balance = a.add(a.multiply(target, alpha), a.multiply(a.subtract(1, target), 1 - alpha));
      return meanOfFeatures(a, a.multiply(balance, focal));
    },
  };
}

/**
 * Categorical cross-entropy that plays down examples it has learnt: `−Σ α·(1 − p)^γ · t·log p`.
 *
 * @see Lin et al., arXiv:1708.02002, §3.
 */
export function categoricalFocalCrossentropy(options: FocalOptions = {}): Loss {
  const { fromLogits = false, labelSmoothing = 0, alpha = 0.25, gamma = 2 } = options;
  return {
    name: 'categoricalFocalCrossentropy',
    targets: 'dense',
    build({ arithmetic: a, target, prediction }) {
      const classes = extents(prediction.value.shape).at(-1) ?? 1;
      const smoothed = smooth(a, target, { by: labelSmoothing, towards: 1 / classes });
      const p = normalized(a, fromLogits ? a.softmax(prediction.value) : prediction.value);
      const entropy = a.negate(a.multiply(smoothed, a.logarithm(p)));
      const modulation = a.multiply(a.power(a.subtract(1, p), gamma), alpha);
      return sumOfFeatures(a, a.multiply(modulation, entropy));
    },
  };
}

/** `Σ t·log(t / p)` over the classes. */
export function kullbackLeiblerDivergence(): Loss {
  return {
    name: 'kullbackLeiblerDivergence',
    targets: 'dense',
    build({ arithmetic: a, target, prediction }) {
      const [t, p] = [a.clip(target, fuzz, 1), a.clip(prediction.value, fuzz, 1)];
      return sumOfFeatures(a, a.multiply(t, a.logarithm(a.divide(t, p))));
    },
  };
}

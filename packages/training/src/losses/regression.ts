import type { Value } from '@modelwright/core';
import type { Arithmetic } from '../symbolic/arithmetic.js';
import { fuzz, type Loss, meanOfFeatures, sumOfFeatures } from './loss.js';

type Elementwise = (arithmetic: Arithmetic, target: Value, prediction: Value) => Value;

function meanOf(name: string, elements: Elementwise): Loss {
  return {
    name,
    targets: 'dense',
    build: ({ arithmetic, target, prediction }) =>
      meanOfFeatures(arithmetic, elements(arithmetic, target, prediction.value)),
  };
}

/** `mean((p − t)²)` over the features. */
export function meanSquaredError(): Loss {
  return meanOf('meanSquaredError', (a, t, p) => a.square(a.subtract(p, t)));
}

/** `mean(|p − t|)` over the features. */
export function meanAbsoluteError(): Loss {
  return meanOf('meanAbsoluteError', (a, t, p) => a.absolute(a.subtract(p, t)));
}

/** `100 · mean(|t − p| / max(|t|, 1e-7))` over the features. */
export function meanAbsolutePercentageError(): Loss {
  return meanOf('meanAbsolutePercentageError', (a, t, p) =>
    a.multiply(a.divide(a.absolute(a.subtract(t, p)), a.maximum(a.absolute(t), fuzz)), 100),
  );
}

/** `mean((log(1 + t) − log(1 + p))²)` over the features; negative values count as 0. */
export function meanSquaredLogarithmicError(): Loss {
  return meanOf('meanSquaredLogarithmicError', (a, t, p) => {
    const logarithm = (x: Value): Value => a.logarithm(a.add(a.maximum(x, fuzz), 1));
    return a.square(a.subtract(logarithm(t), logarithm(p)));
  });
}

/**
 * Quadratic near zero, linear beyond: `½e²` where `|e| ≤ δ`, else `δ|e| − ½δ²`; mean over the features.
 *
 * @param options.delta - δ, default 1.
 * @see Huber, Robust estimation of a location parameter, 1964.
 */
export function huber({ delta = 1 }: { readonly delta?: number } = {}): Loss {
  return meanOf('huber', (a, t, p) => {
    const error = a.subtract(p, t);
    const size = a.absolute(error);
    const linear = a.subtract(a.multiply(size, delta), 0.5 * delta * delta);
    return a.where(a.lessOrEqual(size, delta), a.multiply(a.square(error), 0.5), linear);
  });
}

/** `mean(log cosh(p − t))` over the features, as `e + softplus(−2e) − log 2`. */
export function logCosh(): Loss {
  return meanOf('logCosh', (a, t, p) => {
    const error = a.subtract(p, t);
    return a.subtract(a.add(error, a.softplus(a.multiply(error, -2))), Math.LN2);
  });
}

/** `mean(p − t·log p)` over the features: the likelihood of counts. */
export function poisson(): Loss {
  return meanOf('poisson', (a, t, p) => a.subtract(p, a.multiply(t, a.logarithm(a.add(p, fuzz)))));
}

/** `−Σ t·p / (‖t‖·‖p‖)` over the features: −1 for equal directions. */
export function cosineSimilarity(): Loss {
  return {
    name: 'cosineSimilarity',
    targets: 'dense',
    build: ({ arithmetic: a, target, prediction }) => {
      const direction = (x: Value): Value => {
        const squares = a.sum(a.square(x), [-1], true);
        return a.divide(x, a.squareRoot(a.maximum(squares, 1e-12)));
      };
      return a.negate(sumOfFeatures(a, a.multiply(direction(target), direction(prediction.value))));
    },
  };
}

// Labels 0/1 become −1/1; labels that are −1/1 stay.
function signedLabels(a: Arithmetic, target: Value): Value {
  return a.where(a.equal(target, 0), -1, target);
}

/** `mean(max(1 − t·p, 0))` over the features; targets −1/1 or 0/1. */
export function hinge(): Loss {
  return meanOf('hinge', (a, t, p) => a.maximum(a.subtract(1, a.multiply(signedLabels(a, t), p)), 0));
}

/** `mean(max(1 − t·p, 0)²)` over the features; targets −1/1 or 0/1. */
export function squaredHinge(): Loss {
  return meanOf('squaredHinge', (a, t, p) => a.square(a.maximum(a.subtract(1, a.multiply(signedLabels(a, t), p)), 0)));
}

/** `max(max((1 − t)·p) − Σ t·p + 1, 0)`; targets one-hot. */
export function categoricalHinge(): Loss {
  return {
    name: 'categoricalHinge',
    targets: 'dense',
    build: ({ arithmetic: a, target, prediction: { value } }) => {
      const positive = a.sum(a.multiply(target, value), [-1]);
      const negative = a.largest(a.multiply(a.subtract(1, target), value), [-1]);
      return a.maximum(a.add(a.subtract(negative, positive), 1), 0);
    },
  };
}

import { modelwrightDomain } from '../graph/graph.js';
import { compatibleShape, formatShape } from '../tensor/shape.js';
import type { NoAttributes, OpFamily } from './definition.js';
import { exactly } from './rules.js';

/** Attributes of the ops that depend on the mode a model runs in, by op. */
export interface ModeAttributes {
  /** Own domain: `(inference, training)` → the first when a model infers, the second when it trains. */
  TrainingSwitch: NoAttributes;
  /** Own domain: `(x, statistic, next)` → `x`; when a model trains, the parameter `statistic` becomes `next`. */
  TrackStatistic: NoAttributes;
}

/** Ops that a model's authored graph holds once and that `toTraining` and `toInference` resolve. */
export const mode: OpFamily<ModeAttributes> = {
  TrainingSwitch: {
    domain: modelwrightDomain,
    inputs: exactly(2),
    outputs: exactly(1),
    attributes: {},
    infer: (context) => {
      const [inference, training] = [context.input(0), context.input(1)];
      if (inference.dtype !== training.dtype || !compatibleShape(inference.shape, training.shape)) {
        const given = `${inference.dtype}${formatShape(inference.shape)} and ${training.dtype}${formatShape(training.shape)}`;
        context.fail(`both forms must have one type, they have ${given}`);
      }
      return [{ dtype: inference.dtype, shape: inference.shape }];
    },
    // Outside of training only the first form exists.
    gradient: ({ outputGradient: dy }) => [dy, undefined],
    evaluate: (context) => [context.input(0)],
    decompose: ({ builder, input }) => [builder.op('Identity', [input(0)])],
  },
  TrackStatistic: {
    domain: modelwrightDomain,
    inputs: exactly(3),
    outputs: exactly(1),
    attributes: {},
    infer: (context) => {
      const [x, statistic, next] = [context.input(0), context.input(1), context.input(2)];
      if (statistic.dtype !== next.dtype || !compatibleShape(statistic.shape, next.shape)) {
        const given = `${statistic.dtype}${formatShape(statistic.shape)} and ${next.dtype}${formatShape(next.shape)}`;
        context.fail(`a statistic and its next value must have one type, they have ${given}`);
      }
      return [{ dtype: x.dtype, shape: x.shape }];
    },
    gradient: ({ outputGradient: dy }) => [dy, undefined, undefined],
    evaluate: (context) => [context.input(0)],
    decompose: ({ builder, input }) => [builder.op('Identity', [input(0)])],
  },
};

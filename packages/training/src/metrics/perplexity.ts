import { categoricalCrossentropy, sparseCategoricalCrossentropy } from '../losses/classification.js';
import { type Metric, quotient, sumOf, weightedMean, withoutClass } from './metric.js';

/** Options of {@link perplexity}. */
export interface PerplexityOptions {
  /** The model's output is raw scores, not probabilities. Default false. */
  readonly fromLogits?: boolean;
  /** Positions with this label count for nothing. */
  readonly ignoreClass?: number;
}

/**
 * How many equally likely tokens a language model is as unsure as: `exp(mean(−log p[next]))`, the mean over all positions of
 * an epoch, however they were batched.
 *
 * @see Jelinek et al., "Perplexity: a measure of the difficulty of speech recognition tasks", 1977.
 */
export function perplexity({ fromLogits = false, ignoreClass }: PerplexityOptions = {}): Metric {
  return {
    name: 'perplexity',
    sums(context) {
      const counted = withoutClass(context, ignoreClass);
      const loss =
        context.targets === 'classes'
          ? sparseCategoricalCrossentropy({ fromLogits, ...(ignoreClass === undefined ? {} : { ignoreClass }) })
          : categoricalCrossentropy({ fromLogits });
      return weightedMean(counted, loss.build(counted));
    },
    result: (sums) => Math.exp(quotient(sumOf(sums, 'total'), sumOf(sums, 'count'))),
  };
}

import type { CpuTarget } from './cpu-target.js';
import type { QuantizationScheme } from './scheme.js';
import type { StaticQuantizationOptions } from './static/quantize-static.js';

/** A scheme worth trying, and why it stands where it stands. */
export interface CandidateScheme {
  readonly scheme: Partial<QuantizationScheme>;
  readonly reason: string;
  /** What static quantization does besides, where its options say nothing else. */
  readonly repairs?: Pick<StaticQuantizationOptions, 'calibrator' | 'equalize' | 'biasCorrection'>;
}

/**
 * Schemes by speed on a CPU, fastest first; each is correct there. With exact sums of 8-bit products all bits of the weights count;
 * without, weights of 7 bits are fastest, and uint8 weights slower but with all bits, since those kernels widen to 16 bits first.
 */
export function candidateSchemes({ vnni }: CpuTarget): readonly CandidateScheme[] {
  if (vnni)
    return [
      {
        scheme: { activation: 'uint8', weight: 'int8', reduceRange: false },
        reason: 'sums of 8-bit products are exact',
      },
    ];
  return [
    {
      scheme: { activation: 'uint8', weight: 'int8', reduceRange: true },
      reason: 'without VNNI 8-bit weights would saturate',
    },
    {
      scheme: { activation: 'uint8', weight: 'uint8', reduceRange: false },
      reason: '8-bit weights, summed exactly but slower',
    },
  ];
}

/** The same scheme with all that may win back accuracy at no cost when the model runs. */
export function repaired({ scheme }: CandidateScheme): CandidateScheme {
  return {
    scheme,
    reason: 'with rare activations cut off, channels evened out and biases corrected',
    repairs: { calibrator: 'percentile', equalize: true, biasCorrection: true },
  };
}

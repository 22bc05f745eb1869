/** How a model's numbers become 8-bit integers. */
export interface QuantizationScheme {
  /** Type of activations. With int8, which suits ARM, ONNX Runtime leaves convolutions in float on x86; uint8 runs everywhere. */
  readonly activation: 'uint8' | 'int8';
  /** Type of weights, always symmetric about zero (uint8 about 128). */
  readonly weight: 'int8' | 'uint8';
  /**
   * Weights take 7 bits, ±64 steps: two products then fit the 16-bit sums in which CPUs without VNNI (or ARM's dot product) add
   * them up. With 8 bits such sums saturate and results are silently wrong.
   */
  readonly reduceRange: boolean;
  /** One scale for each output channel of a weight rather than one for all. */
  readonly perChannel: boolean;
  /** Activation ranges centred at zero. */
  readonly symmetricActivations: boolean;
}

/** What most schemes share: a scale for each channel, activations in uint8 with a zero point of their own. */
export const defaultScheme: QuantizationScheme = {
  activation: 'uint8',
  weight: 'int8',
  reduceRange: false,
  perChannel: true,
  symmetricActivations: false,
};

/** How reports call a scheme: `U8S8`, `U8S8 with 7-bit weights`, `U8U8`. */
export function schemeName({ activation, weight, reduceRange }: QuantizationScheme): string {
  const letter = (dtype: 'uint8' | 'int8'): string => (dtype === 'uint8' ? 'U8' : 'S8');
  return `${letter(activation)}${letter(weight)}${reduceRange ? ' with 7-bit weights' : ''}`;
}

/** Largest step away from zero that a weight may take. */
export function weightLevels({ reduceRange }: Pick<QuantizationScheme, 'reduceRange'>): number {
  return reduceRange ? 64 : 127;
}

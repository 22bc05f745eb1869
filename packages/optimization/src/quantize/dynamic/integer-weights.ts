import type { GraphBuilder, Tensor, Value } from '@modelwright/core';
import { type AffineParameters, quantizeTensor, scaleTensor, weightParameters, zeroPointTensor } from '../affine.js';
import { type QuantizationScheme, weightLevels } from '../scheme.js';

/** A weight in integers, as constants of a graph. */
export interface IntegerWeight {
  /** In the layout of the float weight, under its name. */
  readonly q: Value;
  readonly scale: Value;
  readonly zeroPoint: Value;
  readonly parameters: AffineParameters;
}

/** Makes integer constants of float weights, one for each weight, whoever reads it. */
export class IntegerWeights {
  readonly #made: Map<Value, IntegerWeight> = new Map();
  readonly #builder: GraphBuilder;
  readonly #scheme: Pick<QuantizationScheme, 'weight' | 'reduceRange' | 'perChannel'>;
  readonly #range: 'max' | 'mse';

  constructor(
    builder: GraphBuilder,
    scheme: Pick<QuantizationScheme, 'weight' | 'reduceRange' | 'perChannel'>,
    range: 'max' | 'mse',
  ) {
    this.#builder = builder;
    this.#scheme = scheme;
    this.#range = range;
  }

  /** @param axis - Which counts what has a scale of its own, where channels have one. */
  of(value: Value, weight: Tensor, axis: number): IntegerWeight {
    const known = this.#made.get(value);
    if (known !== undefined) return known;
    const levels = weightLevels(this.#scheme);
    const parameters = weightParameters(weight, {
      dtype: this.#scheme.weight,
      levels,
      axis: this.#scheme.perChannel ? axis : undefined,
      range: this.#range,
    });
    const made = {
      q: this.#builder.constant(quantizeTensor(weight, parameters, levels), { name: value.name }),
      scale: this.#builder.constant(scaleTensor(parameters), { name: `${value.name}.scale` }),
      zeroPoint: this.#builder.constant(zeroPointTensor(parameters), { name: `${value.name}.zeroPoint` }),
      parameters,
    };
    this.#made.set(value, made);
    return made;
  }
}

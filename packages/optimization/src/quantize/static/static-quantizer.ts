import type { Model, Tensor, Value } from '@modelwright/core';
import { withGraph } from '../../with-graph.js';
import type { ValueRange } from '../affine.js';
import { calibrate } from '../calibrate/calibrate.js';
import { equalizeLayers } from '../equalize.js';
import { frozen } from '../frozen.js';
import { integerReadyForm } from '../prepare.js';
import { defaultScheme, type QuantizationScheme, schemeName } from '../scheme.js';
import type { NamePattern } from '../selection.js';
import { smoothActivations } from '../smooth.js';
import { correctedBiases } from './bias-correction.js';
import { planQuantization, type QuantizationPlan, valuesToObserve } from './plan.js';
import type { Quantized, StaticQuantizationOptions } from './quantize-static.js';
import { writeIntegerForm } from './write-integer-form.js';

/** Quantizes one model in several ways: what was seen on samples is kept between them. */
export class StaticQuantizer {
  readonly #options: StaticQuantizationOptions;
  readonly #scheme: QuantizationScheme;
  readonly #prepared: Model;
  readonly #ranges: Map<Value, ValueRange> = new Map();
  #biases: ReadonlyMap<Value, Tensor> | undefined;

  private constructor(prepared: Model, options: StaticQuantizationOptions) {
    this.#prepared = prepared;
    this.#options = options;
    this.#scheme = { ...defaultScheme, ...options.scheme };
  }

  static async create(model: Model, options: StaticQuantizationOptions): Promise<StaticQuantizer> {
    const { equalize = false, smooth = false } = options;
    let prepared = integerReadyForm(model);
    if (equalize) prepared = equalizeLayers(prepared);
    if (smooth !== false)
      prepared = await smoothActivations(prepared, { ...options, ...(smooth === true ? {} : { alpha: smooth.alpha }) });
    return new StaticQuantizer(prepared, options);
  }

  /** Names of the weights that would be quantized. */
  get layers(): readonly string[] {
    return [...this.#plan([]).weights.values()].map(({ value }) => value.name);
  }

  /** @param exclude - Layers that stay float besides those of the options. */
  async quantize(exclude: readonly NamePattern[] = []): Promise<Quantized> {
    const corrected = await this.#corrected();
    const plan = this.#plan(exclude);
    const missing = valuesToObserve(plan).filter((value) => !this.#ranges.has(value));
    const seen = await calibrate(this.#prepared, missing, this.#options.calibrator ?? 'minMax', this.#options);
    for (const [value, range] of seen) this.#ranges.set(value, range);
    const { weightRange = 'max' } = this.#options;
    const options = { scheme: this.#scheme, ranges: this.#ranges, weightRange, biases: corrected };
    const graph = writeIntegerForm(this.#prepared.graph, plan, options);
    return { model: frozen(withGraph(this.#prepared, graph)), notes: notesOf(plan, this.#scheme) };
  }

  #plan(exclude: readonly NamePattern[]): QuantizationPlan {
    const { exclude: always = [] } = this.#options;
    const options = { ...this.#options, exclude: [...always, ...exclude], absorbsRelu: absorbsRelu(this.#scheme) };
    return planQuantization(this.#prepared.graph, options);
  }

  async #corrected(): Promise<ReadonlyMap<Value, Tensor>> {
    if (this.#options.biasCorrection !== true) return new Map();
    const options = {
      ...this.#options,
      scheme: this.#scheme,
      weightRange: this.#options.weightRange ?? ('max' as const),
    };
    this.#biases ??= await correctedBiases(this.#prepared, this.#plan([]), options);
    return this.#biases;
  }
}

/** Whether the lowest integer means zero for what is never negative. */
export function absorbsRelu({ symmetricActivations, activation }: QuantizationScheme): boolean {
  return !symmetricActivations || activation === 'uint8';
}

function notesOf({ weights, left }: QuantizationPlan, scheme: QuantizationScheme): readonly string[] {
  const names = [...weights.values()].map(({ value }) => value.name);
  return [
    `int8 ${schemeName(scheme)}: ${names.length} of ${names.length + left.length} layers with weights (${names.join(', ')})`,
    ...left.map(({ name, reason }) => `${name} stays float: ${reason}`),
  ];
}

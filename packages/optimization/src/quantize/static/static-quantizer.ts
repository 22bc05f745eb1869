import type { Graph, Model, Tensor, Value } from '@modelwright/core';
import { optimizeGraph } from '../../graph/optimize-graph.js';
import type { ValueRange } from '../affine.js';
import { calibrate } from '../calibrate/calibrate.js';
import { type DynamicPlan, planSelected } from '../dynamic/plan.js';
import { writeDynamicForm } from '../dynamic/write-dynamic-form.js';
import { equalizeLayers } from '../equalize.js';
import { frozen } from '../frozen.js';
import { pinnedGraph, unpinned } from '../pinned-graph.js';
import { integerReadyForm } from '../prepare.js';
import { defaultScheme, type QuantizationScheme, schemeName } from '../scheme.js';
import { lenientSelectorOf, type NamePattern } from '../selection.js';
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
  /** Of the prepared model, pinned. */
  readonly #graph: Graph;
  readonly #ranges: Map<Value, ValueRange> = new Map();
  #biases: ReadonlyMap<Value, Tensor> | undefined;

  private constructor(prepared: Model, options: StaticQuantizationOptions) {
    this.#prepared = prepared;
    this.#graph = pinnedGraph(prepared);
    this.#options = options;
    this.#scheme = { ...defaultScheme, ...options.scheme };
  }

  static async create(model: Model, options: StaticQuantizationOptions): Promise<StaticQuantizer> {
    const { equalize = false, smooth = false } = options;
    let prepared = integerReadyForm(await optimizeGraph(model));
    if (equalize) prepared = equalizeLayers(prepared);
    if (smooth !== false)
      prepared = await smoothActivations(prepared, { ...options, ...(smooth === true ? {} : { alpha: smooth.alpha }) });
    return new StaticQuantizer(prepared, options);
  }

  /** Names of the weights that would be quantized. */
  get layers(): readonly string[] {
    const planned = [...this.#plan([]).weights.values()].map(({ value }) => value.name);
    const rest = this.#rest(this.#graph, []).values;
    return [...new Set([...planned, ...[...rest].map(({ name }) => name)])];
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
    const integer = writeIntegerForm(this.#graph, plan, options);
    const rest = this.#rest(integer, exclude);
    const { ops } = this.#options.backend.capabilities;
    const recurrent = ops.has('com.microsoft:DynamicQuantizeLSTM') ? 'runtime' : 'standard';
    const graph = writeDynamicForm(integer, rest, { scheme: this.#scheme, weightRange, recurrent });
    return { model: frozen(unpinned(this.#prepared, graph)), notes: notesOf({ plan, rest, scheme: this.#scheme }) };
  }

  /** Weights that have only a dynamic form. */
  #rest(graph: Graph, exclude: readonly NamePattern[]): DynamicPlan {
    const { include, exclude: always = [], rest = 'dynamic' } = this.#options;
    const selection = { ...(include === undefined ? {} : { include }), exclude: [...always, ...exclude] };
    return planSelected(graph, rest === 'dynamic' ? lenientSelectorOf(selection) : () => false);
  }

  #plan(exclude: readonly NamePattern[]): QuantizationPlan {
    const { exclude: always = [] } = this.#options;
    const options = { ...this.#options, exclude: [...always, ...exclude], absorbsRelu: absorbsRelu(this.#scheme) };
    return planQuantization(this.#graph, options);
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

interface Written {
  readonly plan: QuantizationPlan;
  readonly rest: DynamicPlan;
  readonly scheme: QuantizationScheme;
}

function notesOf({ plan: { weights, left }, rest, scheme }: Written): readonly string[] {
  const names = new Set([...weights.values()].map(({ value }) => value.name));
  const dynamic = new Set([...rest.values].map(({ name }) => name));
  const float = left.filter(({ name }) => !dynamic.has(name));
  const count = names.size + dynamic.size;
  return [
    `int8 ${schemeName(scheme)}: ${count} of ${count + float.length} weights (${[...names].join(', ') || 'none static'})`,
    ...(dynamic.size === 0 ? [] : [`of these dynamic: ${[...dynamic].join(', ')}`]),
    ...float.map(({ name, reason }) => `${name} stays float: ${reason}`),
  ];
}

import type { Graph, Model } from '@modelwright/core';
import { frozen } from '../frozen.js';
import { pinnedGraph, unpinned } from '../pinned-graph.js';
import { inferenceForm } from '../prepare.js';
import { defaultScheme, schemeName } from '../scheme.js';
import type { NamePattern } from '../selection.js';
import type { Quantized } from '../static/quantize-static.js';
import { type DynamicPlan, planDynamic } from './plan.js';
import type { DynamicQuantizationOptions } from './quantize-dynamic.js';
import { writeDynamicForm } from './write-dynamic-form.js';

/** Quantizes one model in several ways. */
export class DynamicQuantizer {
  readonly #options: DynamicQuantizationOptions;
  readonly #prepared: Model;
  /** Of the prepared model, pinned. */
  readonly #graph: Graph;

  constructor(model: Model, options: DynamicQuantizationOptions) {
    this.#prepared = inferenceForm(model);
    this.#graph = pinnedGraph(this.#prepared);
    this.#options = options;
  }

  /** What is quantized, and what stays float and why. */
  plan(exclude: readonly NamePattern[] = []): DynamicPlan {
    const { exclude: always = [] } = this.#options;
    return planDynamic(this.#graph, { ...this.#options, exclude: [...always, ...exclude] });
  }

  /** Names of the weights that would be quantized. */
  get layers(): readonly string[] {
    return [...this.plan().values].map(({ name }) => name);
  }

  /** @param exclude - Layers that stay float besides those of the options. */
  async quantize(exclude: readonly NamePattern[] = []): Promise<Quantized> {
    return this.quantized(exclude);
  }

  quantized(exclude: readonly NamePattern[] = []): Quantized {
    const plan = this.plan(exclude);
    const { weightRange = 'max', recurrent = 'runtime' } = this.#options;
    const scheme = { ...defaultScheme, ...this.#options.scheme };
    const graph = writeDynamicForm(this.#graph, plan, { scheme, weightRange, recurrent });
    const names = [...plan.values].map(({ name }) => name);
    const notes = [
      `int8 dynamic ${schemeName(scheme)}: ${names.length} of ${names.length + plan.left.length} weights (${names.join(', ')})`,
      ...plan.left.map(({ name, reason }) => `${name} stays float: ${reason}`),
    ];
    return { model: frozen(unpinned(this.#prepared, graph)), notes };
  }
}

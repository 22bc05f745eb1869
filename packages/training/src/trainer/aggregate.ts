import { Tensor, type TensorMap, toNumbers } from '@modelwright/core';
import type { MetricOutputs, NamedMetric } from '../program/objective.js';
import type { ObjectiveProgram } from '../program/training-program.js';

/** Numbers by name: `loss`, `accuracy`, … */
export type Logs = { readonly [name: string]: number };

/** What an aggregate is made of, as plain data; numbers that are not finite are written as strings. */
export interface AggregateState {
  readonly examples: number;
  readonly losses: { readonly [name: string]: number | string };
  readonly sums: { readonly [metric: string]: { readonly [sum: string]: readonly (number | string)[] } };
}

/** Loss and metrics over the batches seen so far: exact means over examples, whatever the sizes of the batches. */
export class Aggregate {
  #examples = 0;
  readonly #losses: Map<string, number> = new Map();
  readonly #sums: Map<string, { [sum: string]: Float64Array }> = new Map();
  readonly #metrics: readonly NamedMetric[];
  /** Loss of the last batch. */
  lastLoss: number = Number.NaN;

  constructor(metrics: readonly NamedMetric[]) {
    this.#metrics = metrics;
  }

  get examples(): number {
    return this.#examples;
  }

  /** Takes the results of a batch of `examples` examples. */
  add(program: ObjectiveProgram, results: TensorMap, examples: number): void {
    this.#examples += examples;
    if (program.loss !== undefined) {
      this.lastLoss = scalarOf(results[program.loss] as Tensor);
      this.#addLoss('loss', this.lastLoss * examples);
    }
    for (const name in program.losses) {
      this.#addLoss(name, scalarOf(results[program.losses[name] as string] as Tensor) * examples);
    }
    for (const metric of program.metrics) this.#addMetric(metric, results);
  }

  /** Loss and scalar metrics over everything added. */
  logs(): Logs {
    const logs: { [name: string]: number } = {};
    for (const [name, total] of this.#losses) logs[name] = total / this.#examples;
    for (const { name, value } of this.#results()) if (typeof value === 'number') logs[name] = value;
    return logs;
  }

  /** Metrics that are matrices. */
  tensors(): TensorMap {
    const tensors: { [name: string]: Tensor } = {};
    for (const { name, value } of this.#results()) if (value instanceof Tensor) tensors[name] = value;
    return tensors;
  }

  toJSON(): AggregateState {
    const sums = [...this.#sums].map(([metric, each]) => [
      metric,
      Object.fromEntries(Object.entries(each).map(([name, values]) => [name, Array.from(values, toJsonNumber)])),
    ]);
    const losses = [...this.#losses].map(([name, total]) => [name, toJsonNumber(total)]);
    return { examples: this.#examples, losses: Object.fromEntries(losses), sums: Object.fromEntries(sums) };
  }

  /** An aggregate that goes on where {@link toJSON} was called. */
  static fromJSON({ examples, losses, sums }: AggregateState, metrics: readonly NamedMetric[]): Aggregate {
    const aggregate = new Aggregate(metrics);
    aggregate.#examples = examples;
    for (const [name, total] of Object.entries(losses)) aggregate.#losses.set(name, Number(total));
    for (const [metric, each] of Object.entries(sums)) {
      const restored = Object.entries(each).map(([name, values]) => [name, Float64Array.from(values, Number)]);
      aggregate.#sums.set(metric, Object.fromEntries(restored));
    }
    return aggregate;
  }

  #results(): readonly { readonly name: string; readonly value: number | Tensor }[] {
    return this.#metrics.flatMap(({ name, metric }) => {
      const sums = this.#sums.get(name);
      return sums === undefined ? [] : [{ name, value: metric.result(sums) }];
    });
  }

  #addLoss(name: string, total: number): void {
    this.#losses.set(name, (this.#losses.get(name) ?? 0) + total);
  }

  #addMetric({ name, outputs, known }: MetricOutputs, results: TensorMap): void {
    let sums = this.#sums.get(name);
    if (sums === undefined) {
      sums = {};
      this.#sums.set(name, sums);
    }
    for (const sum in outputs) addInto(sums, sum, toNumbers(results[outputs[sum] as string] as Tensor));
    for (const sum in known) addInto(sums, sum, [known[sum] as number]);
  }
}

function addInto(sums: { [sum: string]: Float64Array }, name: string, values: ArrayLike<number>): void {
  const total = sums[name];
  if (total === undefined) sums[name] = Float64Array.from(values);
  else
    for (let index = 0; index < total.length; index++)
      total[index] = (total[index] as number) + (values[index] as number);
}

function scalarOf({ data }: Tensor): number {
  return Number(data[0]);
}

function toJsonNumber(value: number): number | string {
  return Number.isFinite(value) ? value : String(value);
}

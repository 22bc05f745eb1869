import { ModelwrightError } from '@modelwright/core';
import type { Logs } from '../trainer/aggregate.js';

/** Which number decides what is better. */
export interface MonitorOptions {
  /** Name in the logs, default `val_loss`. */
  readonly monitor?: string;
  /** Whether lower or higher is better; `auto` (the default) takes higher for names of scores. */
  readonly mode?: 'auto' | 'min' | 'max';
  /** A change smaller than this is none. */
  readonly minDelta?: number;
}

const scoreNames = /acc|auc|precision|recall|f1|r2|score/i;

/** The best value so far of a monitored number. */
export class Improvement {
  readonly monitor: string;
  readonly #minDelta: number;
  readonly #rising: boolean;
  best: number;

  constructor({ monitor = 'val_loss', mode = 'auto', minDelta = 0 }: MonitorOptions) {
    this.monitor = monitor;
    this.#minDelta = Math.abs(minDelta);
    this.#rising = mode === 'max' || (mode === 'auto' && scoreNames.test(monitor));
    this.best = this.#rising ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  }

  /** Whether the logged value is better than all before; if so, remembers it. */
  observe(who: string, logs: Logs): boolean {
    const value = logs[this.monitor];
    if (value === undefined) {
      const allowed = Object.keys(logs);
      throw new ModelwrightError(
        'invalid-argument',
        `${who} watches '${this.monitor}', which is not logged; logged are: ${allowed.join(', ')}`,
        { given: this.monitor, allowed },
      );
    }
    const better = this.#rising ? value > this.best + this.#minDelta : value < this.best - this.#minDelta;
    if (better) this.best = value;
    return better;
  }
}

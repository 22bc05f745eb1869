import { ModelwrightError } from '@modelwright/core';
import { type HistoryPlotOptions, historyPage, historySvg } from './history-plot.js';

/** Numbers of one epoch by name: `loss`, `accuracy`, `val_loss`, `learningRate`, … */
export type EpochLogs = { readonly [name: string]: number };

/** A history as plain data. */
export interface HistoryData {
  readonly epochs: readonly number[];
  /** One number an epoch; `null` where it was not recorded or not finite. */
  readonly values: { readonly [name: string]: readonly (number | null)[] };
}

/**
 * What training recorded, epoch by epoch.
 *
 * @example
 * const history = await trainer.fit(data, { epochs: 10 });
 * history.values['val_loss']; // [0.41, 0.33, …]
 * await writeFile('history.html', history.toHtml());
 */
export class History {
  readonly #epochs: number[] = [];
  readonly #values: Map<string, (number | null)[]> = new Map();

  /** Numbers of the recorded epochs, as the trainer counts them. */
  get epochs(): readonly number[] {
    return this.#epochs;
  }

  /** The numbers by name, one an epoch. */
  get values(): { readonly [name: string]: readonly (number | null)[] } {
    return Object.fromEntries(this.#values);
  }

  /** Appends the numbers of an epoch; names may come and go. */
  record(epoch: number, logs: EpochLogs): void {
    for (const name of Object.keys(logs)) {
      if (!this.#values.has(name))
        this.#values.set(
          name,
          this.#epochs.map(() => null),
        );
    }
    this.#epochs.push(epoch);
    for (const [name, numbers] of this.#values) {
      const value = logs[name];
      numbers.push(value !== undefined && Number.isFinite(value) ? value : null);
    }
  }

  /** What `JSON.stringify` writes. */
  toJSON(): HistoryData {
    return { epochs: [...this.#epochs], values: this.values };
  }

  /**
   * A history from its data.
   *
   * @throws {@link ModelwrightError} `invalid-data` when lengths differ.
   */
  static fromJSON({ epochs, values }: HistoryData): History {
    const history = new History();
    history.#epochs.push(...epochs);
    for (const [name, numbers] of Object.entries(values)) {
      if (numbers.length !== epochs.length) {
        throw new ModelwrightError(
          'invalid-data',
          `history: '${name}' has ${numbers.length} values for ${epochs.length} epochs`,
          {
            given: numbers.length,
            allowed: epochs.length,
          },
        );
      }
      history.#values.set(name, [...numbers]);
    }
    return history;
  }

  /** Charts of all numbers as one SVG image that needs nothing else; follows the viewer's light or dark scheme. */
  toSvg(options: HistoryPlotOptions = {}): string {
    return historySvg(this.toJSON(), options);
  }

  /** The charts with a table of the numbers, as one HTML page that needs nothing else. */
  toHtml(options: HistoryPlotOptions = {}): string {
    return historyPage(this.toJSON(), options);
  }
}

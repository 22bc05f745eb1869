import { readableNumber } from '../history/axis-ticks.js';

/** Where progress is shown; `process.stderr` and `process.stdout` fit. */
export interface ProgressStream {
  write(text: string): unknown;
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
}

export interface ProgressOptions {
  /** Default: the process's standard output, or lines through `console.log` where there is none. */
  readonly stream?: ProgressStream;
  /** `bar` redraws one line, `lines` prints one an epoch. Default: `bar` on a terminal, else `lines`. */
  readonly style?: 'bar' | 'lines' | 'silent';
  /** Milliseconds between two redraws. Default 80. */
  readonly intervalMilliseconds?: number;
  /** Milliseconds since any fixed moment; default `performance.now`. */
  readonly now?: () => number;
}

export interface EpochPlan {
  /** Shown as `Epoch 3/10`; counted from 1. */
  readonly epoch: number;
  readonly epochs: number;
  /** Steps of this epoch, where known. */
  readonly steps?: number | undefined;
}

/** Shows how training gets on. */
export interface ProgressDisplay {
  startEpoch(plan: EpochPlan): void;
  /** @param done - Steps finished in this epoch. */
  step(done: number, logs: { readonly [name: string]: number }): void;
  endEpoch(logs: { readonly [name: string]: number }): void;
  /** Leaves the terminal clean when training ends early. Idempotent. */
  stop(): void;
}

const barWidth = 24;

/**
 * A bar with time left, loss and metrics on a terminal; one plain line an epoch elsewhere, so that logs stay readable.
 *
 * @example
 * const progress = createProgress();
 * progress.startEpoch({ epoch: 1, epochs: 10, steps: 125 });
 * progress.step(17, { loss: 0.53 });
 * // Epoch 1/10 ━━━━────────────────────  14% 17/125 · 2 s left · 4.7 ms/step · loss 0.53
 */
export function createProgress(options: ProgressOptions = {}): ProgressDisplay {
  const stream = options.stream ?? standardOutput();
  const style = options.style ?? (stream.isTTY ? 'bar' : 'lines');
  const { intervalMilliseconds = 80, now = (): number => performance.now() } = options;
  if (style === 'silent') return silent;
  const display = new EpochDisplay({ stream, now, bar: style === 'bar', intervalMilliseconds });
  return display;
}

const silent: ProgressDisplay = { startEpoch() {}, step() {}, endEpoch() {}, stop() {} };

function standardOutput(): ProgressStream {
  const { process } = globalThis as { process?: { stdout?: ProgressStream } };
  return process?.stdout ?? { write: (text: string) => console.log(text.trimEnd()) };
}

interface DisplaySettings {
  readonly stream: ProgressStream;
  readonly now: () => number;
  readonly bar: boolean;
  readonly intervalMilliseconds: number;
}

class EpochDisplay implements ProgressDisplay {
  readonly #settings: DisplaySettings;
  #plan: EpochPlan = { epoch: 1, epochs: 1 };
  #done = 0;
  #startedAt = 0;
  #drawnAt = Number.NEGATIVE_INFINITY;
  #lineOpen = false;

  constructor(settings: DisplaySettings) {
    this.#settings = settings;
  }

  startEpoch(plan: EpochPlan): void {
    this.stop();
    this.#plan = plan;
    this.#done = 0;
    this.#startedAt = this.#settings.now();
    this.#drawnAt = Number.NEGATIVE_INFINITY;
  }

  step(done: number, logs: { readonly [name: string]: number }): void {
    this.#done = done;
    const { bar, now, intervalMilliseconds } = this.#settings;
    if (!bar || now() - this.#drawnAt < intervalMilliseconds) return;
    this.#drawnAt = now();
    this.#redraw([...this.#head(), this.#timeLeft(), ...this.#pace(), ...formatLogs(logs)]);
  }

  endEpoch(logs: { readonly [name: string]: number }): void {
    const elapsed = formatDuration(this.#settings.now() - this.#startedAt);
    const parts = [elapsed, ...this.#pace(), ...formatLogs(logs)];
    const { epoch, epochs } = this.#plan;
    if (this.#settings.bar) this.#redraw([...this.#head(true), ...parts]);
    else this.#settings.stream.write(`Epoch ${epoch}/${epochs} · ${this.#done} steps · ${parts.join(' · ')}\n`);
    this.stop();
  }

  stop(): void {
    if (this.#lineOpen) this.#settings.stream.write('\n');
    this.#lineOpen = false;
  }

  #head(finished = false): string[] {
    const { epoch, epochs, steps } = this.#plan;
    const name = `Epoch ${String(epoch).padStart(String(epochs).length)}/${epochs}`;
    if (steps === undefined || !Number.isFinite(steps)) return [`${name} ${this.#done} steps`];
    const share = finished ? 1 : Math.min(1, this.#done / Math.max(1, steps));
    const filled = Math.round(share * barWidth);
    const bar = '━'.repeat(filled) + '─'.repeat(barWidth - filled);
    return [`${name} ${bar} ${String(Math.floor(share * 100)).padStart(3)}% ${this.#done}/${steps}`];
  }

  #timeLeft(): string {
    const { steps } = this.#plan;
    const elapsed = this.#settings.now() - this.#startedAt;
    if (steps === undefined || !Number.isFinite(steps) || this.#done === 0) return formatDuration(elapsed);
    return `${formatDuration((elapsed / this.#done) * Math.max(0, steps - this.#done))} left`;
  }

  #pace(): string[] {
    if (this.#done === 0) return [];
    const perStep = (this.#settings.now() - this.#startedAt) / this.#done;
    return [
      perStep < 1000
        ? `${perStep.toPrecision(perStep < 100 ? 2 : 3)} ms/step`
        : `${(perStep / 1000).toFixed(1)} s/step`,
    ];
  }

  #redraw(parts: readonly string[]): void {
    const { stream } = this.#settings;
    const columns = stream.columns ?? 120;
    // A line longer than the terminal would wrap, and then not be overwritten.
    let line = parts[0] ?? '';
    for (const part of parts.slice(1)) if (line.length + 3 + part.length < columns) line += ` · ${part}`;
    stream.write(`\r\u001b[2K${line.slice(0, columns - 1)}`);
    this.#lineOpen = true;
  }
}

function formatLogs(logs: { readonly [name: string]: number }): string[] {
  return Object.entries(logs).map(
    ([name, value]) => `${name} ${Number.isFinite(value) ? readableNumber(value) : value}`,
  );
}

/** `850 ms`, `12 s`, `3 min 20 s`, `2 h 5 min` */
export function formatDuration(milliseconds: number): string {
  if (milliseconds < 1000) return `${Math.round(milliseconds)} ms`;
  const seconds = Math.round(milliseconds / 1000);
  if (seconds < 10) return `${(milliseconds / 1000).toFixed(1)} s`;
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  return minutes < 60 ? `${minutes} min ${seconds % 60} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

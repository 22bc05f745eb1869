import { ModelwrightError, type TensorMap } from '@modelwright/core';
import type { ServedResult } from '../contract/served-model.js';
import type { CheckedRequest } from './check-request.js';
import type { LateWatcher } from './late-watcher.js';
import type { WaitingRequest } from './request-queue.js';
import type { StatisticsCounter } from './statistics.js';

/** What a request waits with. */
export interface PendingOptions {
  readonly level: number;
  readonly signal: AbortSignal | undefined;
  readonly openSignal: (() => AbortSignal) | undefined;
  /** On the clock of `performance.now()`. */
  readonly deadline: number | undefined;
  readonly model: string;
  readonly statistics: StatisticsCounter;
  readonly resolve: (result: ServedResult) => void;
  readonly reject: (error: unknown) => void;
  /** Called when its caller gave up or its time is over. */
  readonly onGone: (request: WaitingRequest) => void;
  /** Comes back to requests that are not answered soon. */
  readonly watcher: LateWatcher;
}

/** A deadline so near is looked at from the start. */
const soonMilliseconds = 250;
/** The longest that a timer waits; a deadline further off is none. */
const longestTimer = 2 ** 31 - 1;

/** A request between its arrival and its answer: settled once, by a result, an error, its deadline or its caller's signal. */
export class PendingRequest implements WaitingRequest {
  readonly inputs: TensorMap;
  readonly outputs: readonly string[] | undefined;
  readonly rowCount: number;
  readonly key: string;
  readonly level: number;
  readonly arrivedAt: number = performance.now();
  readonly #options: PendingOptions;
  #isSettled = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #forget: (() => void) | undefined;

  constructor({ inputs, outputs, rowCount, key }: CheckedRequest, options: PendingOptions) {
    this.inputs = inputs;
    this.outputs = outputs;
    this.rowCount = rowCount;
    this.key = key;
    this.level = options.level;
    this.#options = options;
    this.#begin(options);
  }

  get isWanted(): boolean {
    return !this.#isSettled;
  }

  succeed(result: ServedResult): void {
    if (!this.#settle()) return;
    this.#options.statistics.success(this.rowCount, result.timing, this.#elapsedNanoseconds());
    this.#options.resolve(result);
  }

  fail(error: unknown): void {
    if (!this.#settle()) return;
    this.#options.statistics.failure(this.#elapsedNanoseconds());
    this.#options.reject(error);
  }

  /** Timers and listeners cost more than a short run; so they are for requests that are still here a while later. */
  #begin({ signal, deadline, watcher }: PendingOptions): void {
    const rest = deadline === undefined ? Number.POSITIVE_INFINITY : deadline - this.arrivedAt;
    if (signal?.aborted) this.fail(this.#aborted(signal));
    else if (rest <= 0) this.fail(this.#late());
    else if (signal !== undefined || rest < soonMilliseconds) this.watch();
    else watcher.add(this);
  }

  /** Begins to look at deadline and caller. */
  watch(): void {
    if (this.#isSettled) return;
    const { deadline, openSignal, signal = openSignal?.() } = this.#options;
    if (signal?.aborted) {
      this.#giveUp(this.#aborted(signal));
      return;
    }
    const rest = deadline === undefined ? Number.POSITIVE_INFINITY : deadline - performance.now();
    if (rest <= longestTimer) this.#timer = setTimeout(() => this.#giveUp(this.#late()), Math.max(0, Math.ceil(rest)));
    if (signal === undefined) return;
    const onAbort = (): void => this.#giveUp(this.#aborted(signal));
    signal.addEventListener('abort', onAbort, { once: true });
    this.#forget = () => signal.removeEventListener('abort', onAbort);
  }

  #giveUp(error: ModelwrightError): void {
    this.fail(error);
    this.#options.onGone(this);
  }

  #aborted({ reason }: AbortSignal): ModelwrightError {
    const { model } = this.#options;
    return new ModelwrightError('aborted', `the request to model '${model}' was cancelled`, { cause: reason });
  }

  #late(): ModelwrightError {
    const { model } = this.#options;
    return new ModelwrightError('deadline-exceeded', `model '${model}' did not answer in the time it was given`);
  }

  #settle(): boolean {
    if (this.#isSettled) return false;
    this.#isSettled = true;
    if (this.#timer !== undefined) clearTimeout(this.#timer);
    this.#forget?.();
    return true;
  }

  #elapsedNanoseconds(): number {
    return (performance.now() - this.arrivedAt) * 1e6;
  }
}

import { ModelwrightError, type TensorMap } from '@modelwright/core';
import type { ServedResult } from '../contract/served-model.js';
import type { CheckedRequest } from './check-request.js';
import type { WaitingRequest } from './request-queue.js';
import type { StatisticsCounter } from './statistics.js';

/** What a request waits with. */
export interface PendingOptions {
  readonly level: number;
  readonly signal: AbortSignal | undefined;
  /** On the clock of `performance.now()`. */
  readonly deadline: number | undefined;
  readonly model: string;
  readonly statistics: StatisticsCounter;
  readonly resolve: (result: ServedResult) => void;
  readonly reject: (error: unknown) => void;
  /** Called when its caller gave up or its time is over. */
  readonly onGone: (request: WaitingRequest) => void;
}

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
  #onAbort: (() => void) | undefined;

  constructor({ inputs, outputs, rowCount, key }: CheckedRequest, options: PendingOptions) {
    this.inputs = inputs;
    this.outputs = outputs;
    this.rowCount = rowCount;
    this.key = key;
    this.level = options.level;
    this.#options = options;
    this.#watch(options);
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

  #watch({ signal, deadline }: PendingOptions): void {
    const rest = deadline === undefined ? Number.POSITIVE_INFINITY : deadline - this.arrivedAt;
    if (signal?.aborted) this.fail(this.#aborted());
    else if (rest <= 0) this.fail(this.#late());
    if (this.#isSettled) return;
    if (rest <= longestTimer) this.#timer = setTimeout(() => this.#giveUp(this.#late()), Math.ceil(rest));
    if (signal === undefined) return;
    this.#onAbort = () => this.#giveUp(this.#aborted());
    signal.addEventListener('abort', this.#onAbort, { once: true });
  }

  #giveUp(error: ModelwrightError): void {
    this.fail(error);
    this.#options.onGone(this);
  }

  #aborted(): ModelwrightError {
    const { signal, model } = this.#options;
    return new ModelwrightError('aborted', `the request to model '${model}' was cancelled`, { cause: signal?.reason });
  }

  #late(): ModelwrightError {
    const { model } = this.#options;
    return new ModelwrightError('deadline-exceeded', `model '${model}' did not answer in the time it was given`);
  }

  #settle(): boolean {
    if (this.#isSettled) return false;
    this.#isSettled = true;
    if (this.#timer !== undefined) clearTimeout(this.#timer);
    if (this.#onAbort !== undefined) this.#options.signal?.removeEventListener('abort', this.#onAbort);
    return true;
  }

  #elapsedNanoseconds(): number {
    return (performance.now() - this.arrivedAt) * 1e6;
  }
}

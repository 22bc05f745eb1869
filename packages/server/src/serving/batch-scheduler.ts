import { ModelwrightError, type TensorMap } from '@modelwright/core';
import type { InferenceTiming } from '../contract/model-hub.js';
import { joinRows, splitRows } from './join-rows.js';
import type { ModelRunner } from './model-runner.js';
import { nextTurn } from './next-turn.js';
import { RequestQueue, type WaitingRequest } from './request-queue.js';
import type { StatisticsCounter } from './statistics.js';

/** How a scheduler forms batches. */
export interface BatchPolicy {
  /** Examples that run together at most; 1 runs every request by itself. */
  readonly mostRows: number;
  /** Ascending. */
  readonly preferredSizes: readonly number[];
  readonly maxDelayMilliseconds: number;
  readonly concurrency: number;
  readonly maxQueueSize: number;
  readonly levelCount: number;
}

/** What a scheduler works with. */
export interface SchedulerContext {
  readonly name: string;
  readonly runner: ModelRunner;
  readonly statistics: StatisticsCounter;
  /** Told of every batch that ran. */
  readonly onExecution: (rowCount: number, computeNanoseconds: number) => void;
}

/** Runs longer than this can be cancelled: shorter ones end sooner than a signal would reach them. */
const longRunMilliseconds = 20;
/** How much of the height of a past crowd is forgotten with each batch. */
const crowdDecay = 0.9;

/**
 * Lets requests run together. The first of a batch waits for others only while fewer are here than lately were at the same time:
 * a single client never waits, many fill a batch within the bound.
 */
export class BatchScheduler {
  readonly #policy: BatchPolicy;
  readonly #context: SchedulerContext;
  readonly #queue: RequestQueue;
  #running = 0;
  #runningRequests = 0;
  /** The most requests that were here at once, of late. */
  #crowd = 0;
  #isArmed = false;
  #typicalMilliseconds = 0;
  #onIdle: (() => void) | undefined;

  constructor(policy: BatchPolicy, context: SchedulerContext) {
    this.#policy = policy;
    this.#context = context;
    this.#queue = new RequestQueue(policy.levelCount);
  }

  /** Requests that wait. */
  get pendingCount(): number {
    return this.#queue.size;
  }

  /** @throws {@link ModelwrightError} `queue-full` with the time after which there should be room. */
  add(request: WaitingRequest): void {
    const { maxQueueSize } = this.#policy;
    if (this.#queue.size >= maxQueueSize) {
      const message = `${this.#queue.size} requests wait for model '${this.#context.name}' already`;
      throw new ModelwrightError('queue-full', message, {
        allowed: maxQueueSize,
        retryAfterSeconds: this.#secondsToEmpty(),
      });
    }
    this.#queue.add(request);
    this.#crowd = Math.max(this.#crowd, this.#queue.size + this.#runningRequests);
    if (!this.#isArmed) this.#start();
  }

  /** Takes back a request that nobody waits for any more. One that runs already goes on with its batch. */
  remove(request: WaitingRequest): void {
    if (this.#queue.delete(request)) this.#checkIdle();
  }

  /** Resolves when nothing waits or runs. */
  idle(): Promise<void> {
    if (this.#queue.size === 0 && this.#running === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const before = this.#onIdle;
      this.#onIdle = () => {
        before?.();
        resolve();
      };
    });
  }

  /** Fails all that wait. */
  failAll(error: unknown): void {
    for (const request of this.#queue.drain()) request.fail(error);
    this.#checkIdle();
  }

  /** Starts as many batches as may run, or comes back later where waiting pays. */
  #start(): void {
    while (this.#running < this.#policy.concurrency && this.#queue.size > 0) {
      const requests = this.#nextBatch();
      if (requests === undefined) return;
      for (const request of requests) this.#queue.delete(request);
      this.#crowd *= crowdDecay;
      void this.#run(requests);
    }
  }

  /** The next batch, or undefined when it is to wait for more. */
  #nextBatch(): readonly WaitingRequest[] | undefined {
    const { mostRows, preferredSizes, maxDelayMilliseconds } = this.#policy;
    const candidates = this.#queue.peek(mostRows);
    if (mostRows <= 1 || maxDelayMilliseconds === 0) return candidates;
    const rows = candidates.reduce((sum, { rowCount }) => sum + rowCount, 0);
    if (rows >= mostRows) return candidates;
    const preferred = preferredSizes.findLast((size) => size <= rows);
    if (preferred !== undefined) return this.#queue.peek(preferred);
    const isCrowdHere = this.#queue.size + this.#runningRequests >= Math.round(this.#crowd);
    if (isCrowdHere) return candidates;
    const waited = performance.now() - (candidates[0] as WaitingRequest).arrivedAt;
    if (waited >= maxDelayMilliseconds) return candidates;
    this.#arm(maxDelayMilliseconds - waited);
    return undefined;
  }

  /** Timers are a millisecond coarse: what is shorter goes by turns of the event loop. */
  #arm(milliseconds: number): void {
    this.#isArmed = true;
    const wake = (): void => {
      this.#isArmed = false;
      this.#start();
    };
    if (milliseconds >= 3) setTimeout(wake, milliseconds - 1);
    else nextTurn(wake);
  }

  async #run(requests: readonly WaitingRequest[]): Promise<void> {
    const startedAt = performance.now();
    this.#running += 1;
    this.#runningRequests += requests.length;
    let settle: () => void;
    try {
      settle = await this.#runBatch(requests, startedAt);
    } catch (error) {
      settle = () => {
        for (const request of requests) request.fail(error);
      };
    }
    // Before the answers are out: whoever gets one and asks again must not find itself still counted.
    this.#running -= 1;
    this.#runningRequests -= requests.length;
    settle();
    if (!this.#isArmed) this.#start();
    this.#checkIdle();
  }

  /** @returns what hands out the answers. */
  async #runBatch(requests: readonly WaitingRequest[], startedAt: number): Promise<() => void> {
    const { runner, statistics, onExecution } = this.#context;
    const inputs = joinRows(requests.map((request) => request.inputs));
    const rowCounts = requests.map(({ rowCount }) => rowCount);
    const joinedAt = performance.now();
    const outputs = await this.#compute(runner, inputs, requests);
    const ranAt = performance.now();
    const parts = splitRows(outputs, rowCounts);
    const splitAt = performance.now();
    const batchSize = rowCounts.reduce((sum, count) => sum + count, 0);
    this.#typicalMilliseconds = 0.8 * this.#typicalMilliseconds + 0.2 * (ranAt - joinedAt);
    const computeInfer = nanoseconds(ranAt - joinedAt);
    statistics.execution(batchSize, computeInfer);
    const computeInput = nanoseconds(joinedAt - startedAt);
    const computeOutput = nanoseconds(splitAt - ranAt);
    return () => {
      for (const [index, request] of requests.entries()) {
        const queue = nanoseconds(startedAt - request.arrivedAt);
        const timing: InferenceTiming = { queue, computeInput, computeInfer, computeOutput };
        request.succeed({ outputs: parts[index] as TensorMap, timing, batchSize });
      }
      onExecution(batchSize, computeInfer);
    };
  }

  async #compute(runner: ModelRunner, inputs: TensorMap, requests: readonly WaitingRequest[]): Promise<TensorMap> {
    const outputs = requests[0]?.outputs;
    const isWanted = (): boolean => requests.some((request) => request.isWanted);
    const wanted = outputs === undefined ? { isWanted } : { isWanted, outputs };
    if (this.#typicalMilliseconds <= longRunMilliseconds) return runner.run(inputs, wanted);
    const { signal, end } = watch(isWanted);
    try {
      return await runner.run(inputs, { ...wanted, signal });
    } finally {
      end();
    }
  }

  #secondsToEmpty(): number {
    const { mostRows, concurrency } = this.#policy;
    const batches = Math.ceil(this.#queue.rowCount / (mostRows * concurrency));
    return Math.max(1, Math.ceil((batches * this.#typicalMilliseconds) / 1000));
  }

  #checkIdle(): void {
    if (this.#queue.size > 0 || this.#running > 0) return;
    const onIdle = this.#onIdle;
    this.#onIdle = undefined;
    onIdle?.();
  }
}

const nanoseconds = (milliseconds: number): number => Math.round(milliseconds * 1e6);

/** How often it is looked whether anybody still waits for a long run. */
const watchMilliseconds = 10;

/** A signal that fires when nobody waits any more. */
function watch(isWanted: () => boolean): { readonly signal: AbortSignal; end(): void } {
  const controller = new AbortController();
  const timer = setInterval(() => {
    if (!isWanted()) controller.abort();
  }, watchMilliseconds);
  return { signal: controller.signal, end: () => clearInterval(timer) };
}

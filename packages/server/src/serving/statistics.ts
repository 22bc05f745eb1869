import type { InferenceTiming } from '../contract/model-hub.js';
import type { DurationStatistic, ModelStatistics } from '../contract/model-info.js';

class Duration implements DurationStatistic {
  count = 0;
  ns = 0;

  add(nanoseconds: number): void {
    this.count += 1;
    this.ns += nanoseconds;
  }

  read(): DurationStatistic {
    return { count: this.count, ns: Math.round(this.ns) };
  }
}

/** Counts what a version of a model does. */
export class StatisticsCounter {
  readonly #success = new Duration();
  readonly #fail = new Duration();
  readonly #queue = new Duration();
  readonly #computeInput = new Duration();
  readonly #computeInfer = new Duration();
  readonly #computeOutput = new Duration();
  readonly #batches = new Map<number, Duration>();
  #inferenceCount = 0;
  #executionCount = 0;
  #lastInference = 0;

  /** A batch ran: of `rowCount` examples. */
  execution(rowCount: number, computeNanoseconds: number): void {
    this.#executionCount += 1;
    let batch = this.#batches.get(rowCount);
    if (batch === undefined) {
      batch = new Duration();
      this.#batches.set(rowCount, batch);
    }
    batch.add(computeNanoseconds);
  }

  success(rowCount: number, timing: InferenceTiming, totalNanoseconds: number): void {
    this.#inferenceCount += rowCount;
    this.#lastInference = Date.now();
    this.#success.add(totalNanoseconds);
    this.#queue.add(timing.queue);
    this.#computeInput.add(timing.computeInput);
    this.#computeInfer.add(timing.computeInfer);
    this.#computeOutput.add(timing.computeOutput);
  }

  failure(totalNanoseconds: number): void {
    this.#fail.add(totalNanoseconds);
  }

  read(rest: Pick<ModelStatistics, 'name' | 'version' | 'pendingCount' | 'memoryBytes'>): ModelStatistics {
    const batches = [...this.#batches].sort(([a], [b]) => a - b);
    return {
      ...rest,
      lastInference: this.#lastInference,
      inferenceCount: this.#inferenceCount,
      executionCount: this.#executionCount,
      inferenceStats: {
        success: this.#success.read(),
        fail: this.#fail.read(),
        queue: this.#queue.read(),
        computeInput: this.#computeInput.read(),
        computeInfer: this.#computeInfer.read(),
        computeOutput: this.#computeOutput.read(),
      },
      batchStats: batches.map(([batchSize, computeInfer]) => ({ batchSize, computeInfer: computeInfer.read() })),
    };
  }
}

import type { EngineValue } from '../engine.js';

/** Runs shorter than this are not worth a change of threads, which costs 0.05–0.2 ms, and hold the event loop no longer than other code does. */
const shortRunMilliseconds = 2.5;
/** A run this long is no hiccup of a busy machine. */
const longRunMilliseconds = 10;
/** Sizes of input whose pace is remembered. */
const mostSizes = 64;
/** The event loop gets a turn at least this often while short runs follow each other. */
const turnMilliseconds = 4;

/** When the event loop last had a turn, shared by all plans of an engine. */
export class EventLoopTurns {
  #last = 0;

  mark(): void {
    this.#last = performance.now();
  }

  /** Whether the event loop had its turn a short while ago. */
  isFresh(): boolean {
    return performance.now() - this.#last < turnMilliseconds;
  }

  /** Gives timers and sockets a turn when they have waited long enough. */
  async yield(): Promise<void> {
    if (this.isFresh()) return;
    await new Promise<void>((resolve) => setImmediate(resolve));
    this.mark();
  }
}

/** Remembers how long runs of one plan take, by size of input, to decide whether they are run on the spot or on another thread. */
export class RunPace {
  readonly #typical = new Map<number, number>();

  isShort(inputElements: number): boolean {
    return (this.#typical.get(inputElements) ?? Number.POSITIVE_INFINITY) < shortRunMilliseconds;
  }

  /** Keeps to the fastest of late, since slower ones are mostly held up by others; a truly long one counts at once. */
  record(inputElements: number, milliseconds: number): void {
    const previous = this.#typical.get(inputElements) ?? milliseconds;
    if (this.#typical.size >= mostSizes) this.#typical.clear();
    const isLong = milliseconds > longRunMilliseconds;
    this.#typical.set(inputElements, isLong ? milliseconds : Math.min(1.1 * previous, milliseconds));
  }
}

/** @returns elements of all inputs together. */
export function inputElementsOf(inputs: readonly EngineValue[]): number {
  let sum = 0;
  for (const { tensor } of inputs) sum += tensor.data.length;
  return sum;
}

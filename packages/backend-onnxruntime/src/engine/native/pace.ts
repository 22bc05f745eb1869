/** Runs shorter than this are not worth a change of threads, which costs 0.05–0.2 ms, and hold the event loop no longer than other code does. */
const shortRunMilliseconds = 1.5;
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

/** Remembers how long the runs of one plan take, to decide whether they are run on the spot or on another thread. */
export class RunPace {
  #typicalMilliseconds = Number.POSITIVE_INFINITY;

  isShort(): boolean {
    return this.#typicalMilliseconds < shortRunMilliseconds;
  }

  record(milliseconds: number): void {
    const previous = this.#typicalMilliseconds;
    // A slow first run (memory, caches) must not count for long; a sudden long one counts at once.
    this.#typicalMilliseconds = Number.isFinite(previous) ? 0.6 * previous + 0.4 * milliseconds : milliseconds;
  }
}

/**
 * Lends the threads of libuv's pool. One is left to the rest of the process, whose file and DNS calls wait in the same queue.
 */
export class ThreadSlots {
  readonly #waiting: (() => void)[] = [];
  #free: number;

  constructor(poolSize: number = Number(process.env['UV_THREADPOOL_SIZE']) || 4) {
    this.#free = Math.max(1, poolSize - 1);
  }

  /** Runs `work` when a thread is free, in order of the calls. */
  async use<T>(work: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free -= 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free += 1;
      else next();
    }
  }
}

/** Runs tasks one after another, in the order they were added; a failed one does not stop the next. */
export class RunQueue {
  #last: Promise<unknown> = Promise.resolve();

  /** Adds a task and returns its result. */
  add<T>(task: () => Promise<T> | T): Promise<T> {
    const result = this.#last.then(task);
    this.#last = result.catch(() => undefined);
    return result;
  }

  /** Resolves when every task added so far has ended. */
  async idle(): Promise<void> {
    await this.#last;
  }
}

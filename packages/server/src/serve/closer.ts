/** What has been opened, to be closed in the opposite order. */
export class Closer {
  readonly #steps: ((drainMilliseconds: number) => Promise<void>)[] = [];
  #closing: Promise<void> | undefined;

  /** Adds what closes something that was opened just now. */
  add(step: (drainMilliseconds: number) => Promise<void>): void {
    this.#steps.push(step);
  }

  /** Closes all, each even if another one fails; then throws the first failure. Idempotent. */
  close(drainMilliseconds: number): Promise<void> {
    this.#closing ??= this.#close(drainMilliseconds);
    return this.#closing;
  }

  async #close(drainMilliseconds: number): Promise<void> {
    const failures: unknown[] = [];
    for (const step of this.#steps.toReversed()) {
      await step(drainMilliseconds).catch((error: unknown) => failures.push(error));
    }
    if (failures.length > 0) throw failures[0];
  }
}

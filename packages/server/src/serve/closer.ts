type Step = (drainMilliseconds: number) => Promise<void>;

/** What has been opened, to be closed in the opposite order. */
export class Closer {
  /** Steps of one group are taken at the same time. */
  readonly #groups: { readonly steps: Step[]; readonly isShared: boolean }[] = [];
  #closing: Promise<void> | undefined;

  /** Adds what closes something that was opened just now. */
  add(step: Step): void {
    this.#groups.push({ steps: [step], isShared: false });
  }

  /** As {@link add}; it closes together with what was added like this just before. */
  addTogether(step: Step): void {
    const last = this.#groups.at(-1);
    if (last?.isShared) last.steps.push(step);
    else this.#groups.push({ steps: [step], isShared: true });
  }

  /** Closes all, each even if another one fails; then throws the first failure. Idempotent. */
  close(drainMilliseconds: number): Promise<void> {
    this.#closing ??= this.#close(drainMilliseconds);
    return this.#closing;
  }

  async #close(drainMilliseconds: number): Promise<void> {
    const failures: unknown[] = [];
    for (const { steps } of this.#groups.toReversed()) {
      const results = await Promise.allSettled(steps.map((step) => step(drainMilliseconds)));
      for (const result of results) if (result.status === 'rejected') failures.push(result.reason);
    }
    if (failures.length > 0) throw failures[0];
  }
}

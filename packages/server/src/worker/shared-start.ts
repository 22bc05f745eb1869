/** How often those look that wait for what another request does. */
const lookMilliseconds = 2;
/** Past it what another request does is taken to be lost: it may have been ended. */
const patienceMilliseconds = 20_000;
/** How long what has failed is not tried again. */
const pauseMilliseconds = 5000;

type Outcome<T> = { readonly value: T } | { readonly error: unknown; readonly failedAt: number };

/**
 * What the first request makes and all others use. They do not wait for its promise but look again and again: on some platforms a
 * request that waits for nothing of its own is ended.
 */
export class SharedStart<T> {
  readonly #turns = new Turns();
  #outcome: Outcome<T> | undefined;

  /** @throws what `make` threw, for a while; then it is tried again. */
  async get(make: () => Promise<T>): Promise<T> {
    return this.#known() ?? this.#turns.take(async () => this.#known() ?? this.#make(make));
  }

  #known(): T | undefined {
    const outcome = this.#outcome;
    if (outcome === undefined) return undefined;
    if ('value' in outcome) return outcome.value;
    if (Date.now() - outcome.failedAt < pauseMilliseconds) throw outcome.error;
    return undefined;
  }

  async #make(make: () => Promise<T>): Promise<T> {
    try {
      const value = await make();
      this.#outcome = { value };
      return value;
    } catch (error) {
      this.#outcome = { error, failedAt: Date.now() };
      throw error;
    }
  }
}

/** One request at a time; the others look whether it is their turn, each by a timer of its own. */
export class Turns {
  #holder: { readonly since: number } | undefined;

  async take<T>(task: () => Promise<T>): Promise<T> {
    while (this.#holder !== undefined && Date.now() - this.#holder.since < patienceMilliseconds) {
      await new Promise((resolve) => setTimeout(resolve, lookMilliseconds));
    }
    const own = { since: Date.now() };
    this.#holder = own;
    try {
      return await task();
    } finally {
      if (this.#holder === own) this.#holder = undefined;
    }
  }
}

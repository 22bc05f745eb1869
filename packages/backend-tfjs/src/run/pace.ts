interface Surroundings {
  readonly performance?: { now(): number };
  readonly setImmediate?: (task: () => void) => unknown;
  readonly setTimeout?: (task: () => void, milliseconds: number) => unknown;
  readonly MessageChannel?: new () => {
    readonly port1: { onmessage: (() => void) | null; close(): void };
    readonly port2: { postMessage(message: undefined): void };
  };
}

const longestSpellMilliseconds = 8;

/** Lets timers and painting have their turn during a long series of runs, each of which blocks. */
export class Pace {
  readonly #surroundings: Surroundings;
  #turnedAt: number;

  constructor(surroundings: Surroundings = globalThis as unknown as Surroundings) {
    this.#surroundings = surroundings;
    this.#turnedAt = this.#now();
  }

  /** Gives the event loop a turn if it has had none for a while. */
  async keep(): Promise<void> {
    if (this.#now() - this.#turnedAt < longestSpellMilliseconds) return;
    await this.#turn();
    this.#turnedAt = this.#now();
  }

  #now(): number {
    return this.#surroundings.performance?.now() ?? Date.now();
  }

  #turn(): Promise<void> {
    const { setImmediate, setTimeout, MessageChannel } = this.#surroundings;
    return new Promise((resolve) => {
      if (setImmediate !== undefined) setImmediate(resolve);
      else if (MessageChannel !== undefined) {
        // Browsers hold nested timers back for 4 ms, messages not.
        const { port1, port2 } = new MessageChannel();
        port1.onmessage = () => {
          port1.close();
          resolve();
        };
        port2.postMessage(undefined);
      } else if (setTimeout !== undefined) setTimeout(resolve, 0);
      else resolve();
    });
  }
}

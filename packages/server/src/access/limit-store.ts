import type { AllowanceState } from './allowance.js';

/** Keeps what is left of allowances, by keys that the limiter makes. */
export interface LimitStore {
  get(key: string): AllowanceState | undefined;
  set(key: string, state: AllowanceState): void;
}

/**
 * Keeps allowances in memory, at most `maxEntries`: beyond, those used longest ago are forgotten, which are the fullest.
 *
 * @param entries - To begin with, as `entries()` of another gave them.
 */
export class MemoryLimitStore implements LimitStore {
  readonly #states: Map<string, AllowanceState>;
  readonly #maxEntries: number;

  constructor(entries: Iterable<readonly [string, AllowanceState]> = [], maxEntries = 100_000) {
    this.#states = new Map(entries);
    this.#maxEntries = maxEntries;
  }

  get(key: string): AllowanceState | undefined {
    return this.#states.get(key);
  }

  set(key: string, state: AllowanceState): void {
    this.#states.delete(key);
    this.#states.set(key, state);
    if (this.#states.size <= this.#maxEntries) return;
    const { value: oldest } = this.#states.keys().next();
    if (oldest !== undefined) this.#states.delete(oldest);
  }

  entries(): IterableIterator<[string, AllowanceState]> {
    return this.#states.entries();
  }
}

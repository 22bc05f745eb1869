/** What can be looked after once it has been here for a while. */
export interface Watchable {
  watch(): void;
}

const pauseMilliseconds = 50;

/** Comes back, with one timer for all, to those that have been here for 50 to 100 ms. */
export class LateWatcher {
  #young: Watchable[] = [];
  #old: Watchable[] = [];
  #isWaiting = false;

  add(one: Watchable): void {
    this.#young.push(one);
    if (!this.#isWaiting) this.#wait();
  }

  #wait(): void {
    this.#isWaiting = true;
    setTimeout(() => {
      const due = this.#old;
      this.#old = this.#young;
      this.#young = [];
      for (const one of due) one.watch();
      this.#isWaiting = false;
      if (this.#old.length > 0) this.#wait();
    }, pauseMilliseconds);
  }
}

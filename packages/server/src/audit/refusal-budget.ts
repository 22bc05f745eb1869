/**
 * Bounds how many lines strangers can have written: each second so many of their refusals have a line each, the rest are counted. Who has
 * no key could fill the disk otherwise.
 */
export class RefusalBudget {
  readonly #perSecond: number;
  #second = 0;
  #admitted = 0;
  #omitted = 0;

  constructor(perSecond: number) {
    this.#perSecond = perSecond;
  }

  /** Whether this one has a line. */
  admit(now: Date): boolean {
    const second = Math.floor(now.getTime() / 1000);
    if (second !== this.#second) [this.#second, this.#admitted] = [second, 0];
    if (this.#admitted++ < this.#perSecond) return true;
    this.#omitted++;
    return false;
  }

  /** How many had none in seconds that are over; asked once, they are settled. With `isLast`, in this second, too. */
  settle(now: Date, isLast = false): number {
    if (this.#omitted === 0 || (!isLast && Math.floor(now.getTime() / 1000) === this.#second)) return 0;
    const omitted = this.#omitted;
    this.#omitted = 0;
    return omitted;
  }
}

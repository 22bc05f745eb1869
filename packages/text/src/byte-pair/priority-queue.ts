/** A binary heap: `pop` gives the element that stands before all others. */
export class PriorityQueue<Element> {
  readonly #elements: Element[] = [];
  readonly #isBefore: (a: Element, b: Element) => boolean;

  /** @param isBefore - Whether `a` comes before `b`; what it leaves undecided comes in any order. */
  constructor(isBefore: (a: Element, b: Element) => boolean) {
    this.#isBefore = isBefore;
  }

  push(element: Element): void {
    const elements = this.#elements;
    let place = elements.length;
    while (place > 0) {
      const parent = (place - 1) >> 1;
      const above = elements[parent] as Element;
      if (!this.#isBefore(element, above)) break;
      elements[place] = above;
      place = parent;
    }
    elements[place] = element;
  }

  pop(): Element | undefined {
    const first = this.#elements[0];
    const last = this.#elements.pop();
    if (last !== undefined && this.#elements.length > 0) this.#sink(last);
    return first;
  }

  #sink(element: Element): void {
    const elements = this.#elements;
    let place = 0;
    for (let child = 1; child < elements.length; child = 2 * place + 1) {
      if (child + 1 < elements.length && this.#isBefore(elements[child + 1] as Element, elements[child] as Element)) {
        child++;
      }
      if (!this.#isBefore(elements[child] as Element, element)) break;
      elements[place] = elements[child] as Element;
      place = child;
    }
    elements[place] = element;
  }
}

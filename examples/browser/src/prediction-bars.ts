import { element } from './elements.js';

/** A bar a digit, the answer above them. */
export class PredictionBars {
  readonly #rows: readonly HTMLLIElement[];

  constructor() {
    this.#rows = Array.from({ length: 10 }, (_, digit) => {
      const row = document.createElement('li');
      row.innerHTML = `<span>${digit}</span><div class="track"><div class="fill"></div></div><span></span>`;
      return row;
    });
    element('bars').replaceChildren(...this.#rows);
    this.clear();
  }

  show(probabilities: Float32Array): void {
    const best = probabilities.indexOf(Math.max(...probabilities));
    element('answer').textContent = String(best);
    element('confidence').textContent = `${percent(probabilities[best] as number)} sure`;
    this.#rows.forEach((row, digit) => {
      this.#set(row, probabilities[digit] as number, percent(probabilities[digit] as number), digit === best);
    });
  }

  clear(): void {
    element('answer').textContent = '–';
    element('confidence').textContent = '\u00a0';
    for (const row of this.#rows) this.#set(row, 0, '', false);
  }

  #set(row: HTMLLIElement, value: number, text: string, isBest: boolean): void {
    row.classList.toggle('best', isBest);
    (row.querySelector('.fill') as HTMLElement).style.transform = `translateX(${100 * (value - 1)}%)`;
    (row.lastElementChild as HTMLElement).textContent = text;
  }
}

const percent = (value: number): string => `${(100 * value).toFixed(1)} %`;

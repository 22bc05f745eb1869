const height = 240;
const margin = { left: 44, right: 12, top: 12, bottom: 28 } as const;
const smoothing = 0.9;

/** A curve of the loss that grows with each step: every value faintly, their moving average on top. */
export class LossChart {
  readonly #host: HTMLElement;
  #losses: number[] = [];
  #expected = 1;
  #drawingDue = false;

  constructor(host: HTMLElement) {
    this.#host = host;
    this.reset(100);
  }

  /** Starts anew for a training of so many steps. */
  reset(expectedSteps: number): void {
    this.#losses = [];
    this.#expected = Math.max(1, expectedSteps);
    this.#draw();
  }

  add(loss: number): void {
    this.#losses.push(loss);
    if (this.#drawingDue) return;
    this.#drawingDue = true;
    requestAnimationFrame(() => {
      this.#drawingDue = false;
      this.#draw();
    });
  }

  #draw(): void {
    const losses = this.#losses;
    const width = Math.max(280, this.#host.clientWidth);
    const highest = Math.max(losses.length === 0 ? 2.5 : 0.1, ...losses);
    const interval = roundInterval(highest / 4);
    const top = interval * Math.ceil(highest / interval);
    const steps = Math.max(this.#expected, losses.length);
    const x = (step: number): number => margin.left + (step / steps) * (width - margin.left - margin.right);
    const y = (loss: number): number => height - margin.bottom - (loss / top) * (height - margin.top - margin.bottom);
    const line = (values: readonly number[]): string =>
      values
        .map((value, index) => `${index === 0 ? 'M' : 'L'}${x(index + 1).toFixed(1)} ${y(value).toFixed(1)}`)
        .join('');
    const grid = ticks(interval, top).map(
      (level) =>
        `<line class="grid" x1="${margin.left}" x2="${width - margin.right}" y1="${y(level)}" y2="${y(level)}"/>` +
        `<text x="${margin.left - 8}" y="${y(level) + 4}" text-anchor="end">${Number(level.toPrecision(3))}</text>`,
    );
    const marks = ticks(Math.max(1, roundInterval(steps / (width / 140))), steps).map(
      (step) => `<text x="${x(step)}" y="${height - 8}" text-anchor="middle">${step}</text>`,
    );
    this.#host.innerHTML =
      `<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="Loss by step">${grid.join('')}${marks.join('')}` +
      `<path class="each" d="${line(losses)}"/><path class="smooth" d="${line(smoothed(losses))}"/></svg>`;
  }
}

// Corrected for its start as Adam corrects its moments, so that the curve does not begin at 0.
function smoothed(values: readonly number[]): number[] {
  let mean = 0;
  return values.map((value, index) => {
    mean = smoothing * mean + (1 - smoothing) * value;
    return mean / (1 - smoothing ** (index + 1));
  });
}

/** The next of 1, 2, 5, 10, 20 … times a power of ten. */
function roundInterval(value: number): number {
  const unit = 10 ** Math.floor(Math.log10(value));
  return unit * ([1, 2, 5].find((factor) => factor * unit >= value) ?? 10);
}

function ticks(interval: number, last: number): number[] {
  return Array.from({ length: Math.floor(last / interval + 1e-9) + 1 }, (_, index) => index * interval);
}

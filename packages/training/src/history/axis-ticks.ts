/** Round numbers along an axis, with the range they span. */
export interface Ticks {
  readonly start: number;
  readonly end: number;
  readonly values: readonly number[];
  /** Labels with as many digits as the step needs. */
  readonly labels: readonly string[];
}

/** About `count` ticks at 1, 2 or 5 times a power of ten, reaching just past `least` and `greatest`. */
export function axisTicks(least: number, greatest: number, count: number): Ticks {
  const spread = greatest - least;
  const span = spread > 0 ? spread : Math.abs(greatest) || 1;
  const step = roundStep(span / count);
  const [low, high] = spread > 0 ? [least, greatest] : [least - span / 2, greatest + span / 2];
  const start = Math.floor(low / step + 1e-9) * step;
  const steps = Math.round((Math.ceil(high / step - 1e-9) * step - start) / step);
  const values = Array.from({ length: steps + 1 }, (_, index) => start + index * step);
  return { start, end: start + steps * step, values, labels: values.map((value) => tickLabel(value, step)) };
}

/** Whole numbers from the first epoch to the last, at most `count` of them. */
export function epochTicks(first: number, last: number, count: number): readonly number[] {
  const step = Math.max(1, Math.round(roundStep((last - first) / count)));
  const ticks: number[] = [];
  for (let epoch = Math.ceil(first / step) * step; epoch <= last; epoch += step) ticks.push(epoch);
  return ticks.length > 0 ? ticks : [first];
}

function roundStep(rough: number): number {
  const power = 10 ** Math.floor(Math.log10(rough));
  const factor = [1, 2, 5, 10].find((candidate) => candidate * power >= rough * (1 - 1e-9)) ?? 10;
  return factor * power;
}

function tickLabel(value: number, step: number): string {
  const magnitude = Math.max(Math.abs(value), step);
  if (Math.abs(value) < step * 1e-6) return '0';
  if (magnitude >= 1e5 || step < 1e-4)
    return value.toExponential(Math.max(0, Math.ceil(Math.log10(magnitude / step) - 1e-9))).replace('e+', 'e');
  return value.toFixed(Math.max(0, -Math.floor(Math.log10(step) + 1e-9)));
}

/** A number as people read it: four significant digits. */
export function readableNumber(value: number): string {
  if (value === 0) return '0';
  const magnitude = Math.abs(value);
  if (magnitude < 1e-3 || magnitude >= 1e6) return value.toExponential(2).replace('e+', 'e');
  return String(Number(value.toPrecision(4)));
}

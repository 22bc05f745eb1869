import type { Limit } from './access-policy.js';

/** What is left of an allowance. */
export interface AllowanceState {
  /** Below zero where more was used than there was: a completion's length is known at its end only. */
  readonly remaining: number;
  /** When that was so, milliseconds since the epoch. */
  readonly at: number;
}

/** A number of requests or tokens in a time. */
export interface Allowance {
  readonly limit: number;
  /** What there is at `now`, from what there was. */
  refill(state: AllowanceState | undefined, now: number): number;
  /** Seconds from `now` until there are `wanted`, if nobody takes any. */
  secondsUntil(wanted: number, remaining: number, now: number): number;
}

/** A bucket that refills steadily: `remaining' = min(limit, remaining + limit · Δt / period)`. */
export function steadyAllowance(limit: number, perSeconds: number): Allowance {
  const perMillisecond = limit / (1000 * perSeconds);
  return {
    limit,
    refill: (state, now) =>
      state === undefined ? limit : Math.min(limit, state.remaining + Math.max(0, now - state.at) * perMillisecond),
    secondsUntil: (wanted, remaining) => Math.max(0, wanted - remaining) / perMillisecond / 1000,
  };
}

/** One that is full again when the next hour, day or month (UTC) begins. */
export function calendarAllowance(limit: number, per: NonNullable<Limit['quota']>['per']): Allowance {
  return {
    limit,
    refill: (state, now) => (state === undefined || nextPeriod(state.at, per) <= now ? limit : state.remaining),
    secondsUntil: (wanted, remaining, now) => (remaining >= wanted ? 0 : (nextPeriod(now, per) - now) / 1000),
  };
}

function nextPeriod(time: number, per: 'hour' | 'day' | 'month'): number {
  const date = new Date(time);
  if (per === 'hour') return date.setUTCHours(date.getUTCHours() + 1, 0, 0, 0);
  if (per === 'day') return date.setUTCHours(24, 0, 0, 0);
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 1);
}

import { ModelwrightError } from '@modelwright/core';
import type { Principal } from '../contract/access.js';
import type { Amounts, Limit } from './access-policy.js';
import { type Allowance, calendarAllowance, steadyAllowance } from './allowance.js';
import type { LimitStore } from './limit-store.js';
import { compilePatterns, type ModelPatterns } from './model-pattern.js';

interface Rule {
  readonly limit: Limit;
  readonly models: ModelPatterns;
  readonly allowances: readonly (Allowance & { readonly name: string; readonly unit: Unit })[];
}

type Unit = keyof Amounts;

interface Standing {
  readonly key: string;
  readonly unit: Unit;
  readonly allowance: Allowance;
  readonly remaining: number;
  readonly cost: number;
}

/** Holds principals to the limits of a policy: a request passes all that concern it, or takes from none. */
export class Limiter {
  readonly #rules: readonly Rule[];
  readonly #store: LimitStore;

  constructor(limits: readonly Limit[], store: LimitStore) {
    this.#rules = limits.map((limit) => ({
      limit,
      models: compilePatterns(limit.models ?? ['*']),
      allowances: allowancesOf(limit),
    }));
    this.#store = store;
  }

  /** See {@link AccessControl.consume}. */
  consume(
    principal: Principal,
    model: string,
    amount: { readonly requests: number; readonly tokens?: number },
    now: number,
  ): Readonly<Record<string, string>> {
    const standings = this.#standings(principal, model, amount, now);
    if (amount.requests > 0) refuseIfSpent(standings, model, now);
    const after = standings.map((standing) => ({ ...standing, remaining: standing.remaining - standing.cost }));
    for (const { key, remaining } of after) this.#store.set(key, { remaining, at: now });
    return headersOf(after, now);
  }

  #standings(principal: Principal, model: string, amount: Amounts, now: number): readonly Standing[] {
    return this.#rules
      .filter(({ limit, models }) => concerns(limit, principal) && models.matches(model))
      .flatMap(({ limit, allowances }) =>
        allowances.map(({ name, unit, ...allowance }) => {
          const key = JSON.stringify([name, principal.id, ...(limit.eachModel ? [model] : [])]);
          const remaining = allowance.refill(this.#store.get(key), now);
          return { key, unit, allowance, remaining, cost: amount[unit] ?? 0 };
        }),
      );
  }
}

/** Allowances are named by what they say, so that what was used stays used when a policy is read again. */
function allowancesOf({ rate, quota, roles, principals, models }: Limit): Rule['allowances'] {
  const units: readonly Unit[] = ['requests', 'tokens'];
  const named = (unit: Unit, kind: string, allowance: Allowance): Rule['allowances'][number] => ({
    ...allowance,
    unit,
    name: JSON.stringify([kind, unit, allowance.limit, roles, principals, models]),
  });
  return units.flatMap((unit) => {
    const [ofRate, ofQuota] = [rate?.[unit], quota?.[unit]];
    return [
      ...(rate && ofRate ? [named(unit, `${rate.perSeconds} s`, steadyAllowance(ofRate, rate.perSeconds))] : []),
      ...(quota && ofQuota ? [named(unit, quota.per, calendarAllowance(ofQuota, quota.per))] : []),
    ];
  });
}

function concerns({ roles, principals }: Limit, principal: Principal): boolean {
  if (roles === undefined && principals === undefined) return true;
  return (
    (principals?.includes(principal.id) ?? false) || (roles?.some((role) => principal.roles.includes(role)) ?? false)
  );
}

function refuseIfSpent(standings: readonly Standing[], model: string, now: number): void {
  const waits = standings.map((standing) => ({ ...standing, seconds: waitOf(standing, now) }));
  const longest = waits.reduce<(typeof waits)[number] | undefined>(
    (most, each) => (each.seconds > (most?.seconds ?? 0) ? each : most),
    undefined,
  );
  if (longest === undefined) return;
  const retryAfterSeconds = Math.max(1, Math.ceil(longest.seconds));
  throw new ModelwrightError(
    'rate-limited',
    `The limit of ${longest.allowance.limit} ${longest.unit} for '${model}' is used up; try again in ${retryAfterSeconds} s.`,
    { allowed: longest.allowance.limit, retryAfterSeconds },
  );
}

/** A request that is larger than the whole allowance passes when that is full; tokens of an answer, unknown before, need at least one. */
function waitOf({ allowance, remaining, cost, unit }: Standing, now: number): number {
  const wanted = Math.min(allowance.limit, Math.max(cost, unit === 'tokens' ? 1 : 0));
  return remaining >= wanted ? 0 : allowance.secondsUntil(wanted, remaining, now);
}

/** `x-ratelimit-*` of the tightest allowance, and as OpenAI's API names them: `x-ratelimit-limit-requests`, …, `-tokens`. */
function headersOf(standings: readonly Standing[], now: number): Readonly<Record<string, string>> {
  const headers: Record<string, string> = {};
  for (const unit of ['requests', 'tokens'] as const) {
    const tightest = standings
      .filter((standing) => standing.unit === unit)
      .sort((a, b) => a.remaining / a.allowance.limit - b.remaining / b.allowance.limit)[0];
    if (tightest === undefined) continue;
    const { allowance, remaining } = tightest;
    const reset = Math.ceil(allowance.secondsUntil(allowance.limit, remaining, now));
    const values = { limit: allowance.limit, remaining: Math.max(0, Math.floor(remaining)), reset };
    for (const [name, value] of Object.entries(values)) {
      if (unit === 'requests') headers[`x-ratelimit-${name}`] = String(value);
      headers[`x-ratelimit-${name}-${unit}`] = name === 'reset' ? `${value}s` : String(value);
    }
  }
  return headers;
}

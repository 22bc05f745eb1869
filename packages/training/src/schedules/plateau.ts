import { ModelwrightError } from '@modelwright/core';

export interface PlateauOptions {
  /** Logged number to watch. */
  readonly monitor?: string;
  /** Whether lower or higher is better; `auto` takes higher for names that sound like scores. Default `auto`. */
  readonly mode?: 'auto' | 'min' | 'max';
  /** A change smaller than this is none. */
  readonly minDelta?: number;
  /** Epochs without improvement that are waited through. */
  readonly patience?: number;
}

const scoreNames = /acc|auc|precision|recall|f1|r2|score/i;

/** Whether `value` beats `best` by more than `minDelta`, in the direction that `monitor` and `mode` name. */
export function improvement(options: Required<Pick<PlateauOptions, 'monitor' | 'mode' | 'minDelta'>>): {
  readonly worst: number;
  readonly isBetter: (value: number, best: number) => boolean;
} {
  const { monitor, mode, minDelta } = options;
  const rising = mode === 'max' || (mode === 'auto' && scoreNames.test(monitor));
  return rising
    ? { worst: Number.NEGATIVE_INFINITY, isBetter: (value, best) => value > best + minDelta }
    : { worst: Number.POSITIVE_INFINITY, isBetter: (value, best) => value < best - minDelta };
}

/** The number `monitor` of an epoch's logs. */
export function monitored(who: string, monitor: string, logs: { readonly [name: string]: number }): number {
  const value = logs[monitor];
  if (value !== undefined) return value;
  throw new ModelwrightError(
    'invalid-argument',
    `${who} watches '${monitor}', which is not logged; logged are: ${Object.keys(logs).join(', ')}`,
    { given: monitor, allowed: Object.keys(logs) },
  );
}

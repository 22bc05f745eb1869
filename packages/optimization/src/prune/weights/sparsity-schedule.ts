import { ModelwrightError } from '@modelwright/core';

/** When weights are pruned while they are trained, and how many. Steps are batches, from 0. */
export interface SparsitySchedule {
  readonly name: string;
  /** Whether weights are chosen anew before this step. */
  isDue(step: number): boolean;
  /** Share of weights that are zero from this step on. */
  sparsityAt(step: number): number;
}

export interface ScheduleOptions {
  /** The first step that prunes. Default 0. */
  readonly begin?: number;
  /** Weights are chosen anew every this many steps. Default 100. */
  readonly frequency?: number;
}

export interface ConstantSparsityOptions extends ScheduleOptions {
  /** Share of weights that are zero. */
  readonly target: number;
  /** The last step that may prune; −1: for ever. Default −1. */
  readonly end?: number;
}

export interface PolynomialSparsityOptions extends ScheduleOptions {
  /** Share of weights that are zero at `begin`. Default 0. */
  readonly initial?: number;
  /** Share of weights that are zero at `end` and after. */
  readonly final: number;
  /** The last step that prunes. */
  readonly end: number;
  /** Default 3. */
  readonly power?: number;
}

/**
 * One sparsity from `begin` on: due where `begin ≤ step ≤ end` and `step − begin` is a multiple of `frequency`.
 *
 * @throws {@link ModelwrightError} `invalid-argument` for numbers out of range.
 * @see `ConstantSparsity` of the TensorFlow Model Optimization Toolkit.
 */
export function constantSparsity({
  target,
  begin = 0,
  end = -1,
  frequency = 100,
}: ConstantSparsityOptions): SparsitySchedule {
  const name = 'constantSparsity';
  requireSparsity(name, 'target', target);
  requireSteps(name, { begin, end: end === -1 ? Number.POSITIVE_INFINITY : end, frequency });
  return {
    name,
    isDue: (step) => isDue(step, { begin, end, frequency }),
    sparsityAt: () => target,
  };
}

/**
 * A sparsity that rises fast first and slowly towards the end:
 *
 * `s(step) = final + (initial − final)·(1 − p)^power`, `p = min(1, max(0, (step − begin) / (end − begin)))`
 *
 * Due as {@link constantSparsity} is, and at `end`, so that `final` is reached whatever the frequency.
 *
 * @throws {@link ModelwrightError} `invalid-argument` for numbers out of range.
 * @see Zhu and Gupta, arXiv:1710.01878; `PolynomialDecay` of the TensorFlow Model Optimization Toolkit.
 */
export function polynomialSparsity({
  initial = 0,
  final,
  begin = 0,
  end,
  power = 3,
  frequency = 100,
}: PolynomialSparsityOptions): SparsitySchedule {
  const name = 'polynomialSparsity';
  requireSparsity(name, 'initial', initial);
  requireSparsity(name, 'final', final);
  requireSteps(name, { begin, end, frequency });
  const length = Math.max(1, end - begin);
  return {
    name,
    isDue: (step) => isDue(step, { begin, end, frequency }) || step === end,
    sparsityAt(step) {
      const progress = Math.min(1, Math.max(0, (step - begin) / length));
      return final + (initial - final) * (1 - progress) ** power;
    },
  };
}

interface Steps {
  readonly begin: number;
  readonly end: number;
  readonly frequency: number;
}

function isDue(step: number, { begin, end, frequency }: Steps): boolean {
  return step >= begin && (end === -1 || step <= end) && (step - begin) % frequency === 0;
}

function requireSparsity(schedule: string, what: string, given: number): void {
  if (given >= 0 && given < 1) return;
  throw new ModelwrightError('invalid-argument', `${schedule}: ${what} is ${given}; from 0 to below 1 is allowed`, {
    given,
    allowed: '0 ≤ sparsity < 1',
  });
}

function requireSteps(schedule: string, { begin, end, frequency }: Steps): void {
  if (!Number.isInteger(frequency) || frequency < 1) {
    throw new ModelwrightError(
      'invalid-argument',
      `${schedule}: frequency is ${frequency}; an integer ≥ 1 is expected`,
      {
        given: frequency,
      },
    );
  }
  if (begin >= 0 && end >= begin) return;
  throw new ModelwrightError(
    'invalid-argument',
    `${schedule}: begin is ${begin} and end ${end}; 0 ≤ begin ≤ end is expected`,
    { given: { begin, end } },
  );
}

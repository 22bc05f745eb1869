import { ModelwrightError } from '@modelwright/core';

/** Where training stands, as schedules see it. */
export interface SchedulePosition {
  /** Updates made so far: 0 before the first. */
  readonly step: number;
  /** Updates of the whole run, where the length of an epoch is known. */
  readonly totalSteps: number | undefined;
}

/** A learning rate as a function of the step: pure, so that it resumes anywhere. */
export interface Schedule {
  readonly name: string;
  at(position: SchedulePosition): number;
}

/** The same rate throughout. */
export function constantSchedule(learningRate: number): Schedule {
  return { name: 'constant', at: () => learningRate };
}

/** A schedule of one's own. */
export function customSchedule(name: string, at: (position: SchedulePosition) => number): Schedule {
  return { name, at };
}

export interface StepScheduleOptions {
  readonly initialLearningRate: number;
  /** Steps between drops. */
  readonly dropEvery: number;
  /** What each drop multiplies by, default 0.1. */
  readonly factor?: number;
}

/** `initial · factor^⌊step / dropEvery⌋` */
export function stepDecay({ initialLearningRate, dropEvery, factor = 0.1 }: StepScheduleOptions): Schedule {
  return { name: 'stepDecay', at: ({ step }) => initialLearningRate * factor ** Math.floor(step / dropEvery) };
}

/** `values[i]` up to and including step `boundaries[i]`, the last value afterwards. */
export function piecewiseConstantDecay(options: {
  readonly boundaries: readonly number[];
  readonly values: readonly number[];
}): Schedule {
  const { boundaries, values } = options;
  if (values.length !== boundaries.length + 1) {
    throw new ModelwrightError(
      'invalid-argument',
      `piecewiseConstantDecay: ${boundaries.length} boundaries need ${boundaries.length + 1} values, ${values.length} were given`,
      { given: values.length, allowed: boundaries.length + 1 },
    );
  }
  return {
    name: 'piecewiseConstantDecay',
    at: ({ step }) => values[boundaries.filter((boundary) => step > boundary).length] as number,
  };
}

export interface ExponentialDecayOptions {
  readonly initialLearningRate: number;
  readonly decaySteps: number;
  readonly decayRate: number;
  /** Decay in steps of `decaySteps`. Default false. */
  readonly staircase?: boolean;
}

/** `initial · rate^(step / decaySteps)` */
export function exponentialDecay(options: ExponentialDecayOptions): Schedule {
  const { initialLearningRate, decaySteps, decayRate, staircase = false } = options;
  return {
    name: 'exponentialDecay',
    at({ step }) {
      const exponent = step / decaySteps;
      return initialLearningRate * decayRate ** (staircase ? Math.floor(exponent) : exponent);
    },
  };
}

export interface PolynomialDecayOptions {
  readonly initialLearningRate: number;
  /** Default: the whole run. */
  readonly decaySteps?: number;
  /** Default 1e-4. */
  readonly endLearningRate?: number;
  /** Default 1: a straight line. */
  readonly power?: number;
  /** Start over, stretched, when the end is reached. Default false. */
  readonly cycle?: boolean;
}

/** `(initial − end)·(1 − step/decaySteps)^power + end` */
export function polynomialDecay(options: PolynomialDecayOptions): Schedule {
  const { initialLearningRate: initial, endLearningRate: end = 1e-4, power = 1, cycle = false } = options;
  return {
    name: 'polynomialDecay',
    at(position) {
      const length = stepsOf('polynomialDecay', options.decaySteps, position);
      const stretched = cycle ? length * Math.max(1, Math.ceil(position.step / length)) : length;
      const left = 1 - Math.min(position.step, stretched) / stretched;
      return (initial - end) * left ** power + end;
    },
  };
}

export interface CosineDecayOptions {
  /** Rate at the beginning; with a warm-up, where that begins. */
  readonly initialLearningRate: number;
  /** Steps of the descent, after the warm-up. Default: the rest of the run. */
  readonly decaySteps?: number;
  /** Lowest rate, as a share of the highest. Default 0. */
  readonly alpha?: number;
  /** Rate at the end of the warm-up; default `initialLearningRate` with a warm-up from 0. */
  readonly warmupTarget?: number;
  /** Steps of the linear warm-up. Default 0. */
  readonly warmupSteps?: number;
}

/**
 * Half a cosine from the highest rate down to `alpha` times it, after a linear warm-up.
 *
 * @see Loshchilov and Hutter, arXiv:1608.03983.
 */
export function cosineDecay(options: CosineDecayOptions): Schedule {
  const { initialLearningRate, alpha = 0, warmupTarget, warmupSteps = 0 } = options;
  const [start, peak] = warmupTarget === undefined ? [0, initialLearningRate] : [initialLearningRate, warmupTarget];
  return {
    name: 'cosineDecay',
    at(position) {
      const { step } = position;
      if (step < warmupSteps) return start + (peak - start) * (step / warmupSteps);
      const rest = position.totalSteps === undefined ? undefined : Math.max(1, position.totalSteps - warmupSteps);
      const length = options.decaySteps ?? stepsOf('cosineDecay', undefined, { step, totalSteps: rest });
      const share = Math.min(step - warmupSteps, length) / length;
      return peak * ((1 - alpha) * 0.5 * (1 + Math.cos(Math.PI * share)) + alpha);
    },
  };
}

export interface OneCycleOptions {
  readonly maxLearningRate: number;
  /** Default: the whole run. */
  readonly totalSteps?: number;
  /** Share of the run that the rate rises, default 0.3. */
  readonly riseShare?: number;
  /** The first rate is the highest divided by this, default 25. */
  readonly divisor?: number;
  /** The last rate is the first divided by this, default 10 000. */
  readonly finalDivisor?: number;
}

/**
 * Up along half a cosine, then down along another one far below the start.
 *
 * @see Smith and Topin, arXiv:1708.07120; shape and defaults as PyTorch's `OneCycleLR`.
 */
export function oneCycle(options: OneCycleOptions): Schedule {
  const { maxLearningRate: highest, riseShare = 0.3, divisor = 25, finalDivisor = 1e4 } = options;
  const first = highest / divisor;
  const between = (from: number, to: number, share: number): number =>
    to + ((from - to) / 2) * (1 + Math.cos(Math.PI * share));
  return {
    name: 'oneCycle',
    at(position) {
      const total = stepsOf('oneCycle', options.totalSteps, position);
      const top = riseShare * total - 1;
      const { step } = position;
      if (step <= top) return between(first, highest, step / top);
      return between(highest, first / finalDivisor, Math.min(1, (step - top) / (total - 1 - top)));
    },
  };
}

function stepsOf(name: string, given: number | undefined, { totalSteps }: SchedulePosition): number {
  const steps = given ?? totalSteps;
  if (steps !== undefined && steps > 0) return steps;
  throw new ModelwrightError(
    'invalid-argument',
    `${name}: the number of steps is needed; it cannot be told from a data set of unknown length`,
    { given: steps },
  );
}

/** `learningRate` as a schedule. */
export function toSchedule(learningRate: number | Schedule): Schedule {
  if (typeof learningRate !== 'number') return learningRate;
  if (!Number.isFinite(learningRate) || learningRate < 0) {
    throw new ModelwrightError('invalid-argument', `the learning rate ${learningRate} is not a number ≥ 0`, {
      given: learningRate,
    });
  }
  return constantSchedule(learningRate);
}

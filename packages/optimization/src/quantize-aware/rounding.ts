import {
  fromNumbers,
  type GraphBuilder,
  type Parameter,
  type Tensor,
  toNumbers,
  type Value,
  zeros,
} from '@modelwright/core';
import { weightParameters } from '../quantize/affine.js';
import { weightLevels } from '../quantize/scheme.js';
import { Formulas } from './formulas.js';
import type { ResolvedOptions } from './options.js';

/** Name of the parameter that counts the steps of training. */
export const stepsName = 'quantization.steps';

/** Scales are at least this: what is all zeros needs one, too. */
const leastScale = 1e-12;

/** An activation on its way into rounding. */
export interface RoundedActivation {
  /** Its parameters are called `<name>.low`, `<name>.high`, `<name>.gain`. */
  readonly name: string;
  readonly isNonNegative: boolean;
}

/** A weight on its way into rounding. */
export interface RoundedWeight {
  readonly name: string;
  /** Counts output channels. */
  readonly axis: number;
  /** Its first value. */
  readonly initial: Tensor;
}

/** Adds rounding to a graph, with the parameters that it needs. */
export class Rounding {
  readonly options: ResolvedOptions;
  readonly formulas: Formulas;
  /** What the graph has been given, in order. */
  readonly parameters: Parameter[] = [];
  readonly #builder: GraphBuilder;
  #steps: Value | undefined;
  #share: Value | undefined;
  readonly #since: Map<number, Value> = new Map();

  constructor(builder: GraphBuilder, options: ResolvedOptions) {
    this.#builder = builder;
    this.options = options;
    this.formulas = new Formulas(builder);
  }

  /** Largest integer of a weight; the smallest is its negative. */
  get weightLevels(): number {
    const { weightBits, reduceRange } = this.options;
    return weightBits === 8 ? weightLevels({ reduceRange }) : 2 ** (weightBits - 1) - 1;
  }

  /**
   * Rounds an activation to unsigned integers of its observed range, zero being one of them.
   *
   * `scale = (high − low)/levels`, `zeroPoint = round(−low/scale)`
   */
  activation(x: Value, { name, isNonNegative }: RoundedActivation): Value {
    const f = this.formulas;
    const levels = 2 ** this.options.activationBits - 1;
    return this.#builder.scoped({ name, kind: 'quantization' }, () => {
      const high = f.maximum(this.#observed(x, `${name}.high`, 'ReduceMax'), 0);
      const low = isNonNegative ? undefined : f.minimum(this.#observed(x, `${name}.low`, 'ReduceMin'), 0);
      const span = low === undefined ? high : f.subtract(high, low);
      const scale = f.maximum(f.divide(span, levels), leastScale);
      const zeroPoint = low && this.#builder.op('Round', [f.divide(f.subtract(0, low), scale)]);
      const trained = this.#trained(scale, {
        name,
        initial: zeros('float32', []),
        levels,
        count: sizeOf(x.shape.slice(1)),
      });
      const attributes = { axis: 0, low: 0, high: levels };
      return this.#afterDelay(x, this.#builder.op('FakeQuantize', [x, trained, zeroPoint], attributes));
    });
  }

  /** Rounds a weight to signed integers, symmetrically: zeros stay zero. */
  weight(w: Value, { name, axis, initial }: RoundedWeight): Value {
    const f = this.formulas;
    const { perChannel } = this.options;
    const levels = this.weightLevels;
    return this.#builder.scoped({ name, kind: 'quantization' }, () => {
      const others = w.shape.map((_, each) => each).filter((each) => !perChannel || each !== axis);
      const sizes = this.#builder.op('Abs', [w]);
      const bound = this.#builder.op('ReduceMax', [sizes, this.#builder.integers(others)], { keepdims: 0 });
      const scale = f.maximum(f.divide(f.held(bound), levels), leastScale);
      const count = sizeOf(others.map((each) => w.shape[each] as number));
      const gain = this.options.ranges === 'learned' ? this.#bestGain(initial, axis) : zeros('float32', []);
      const trained = this.#trained(scale, { name, initial: gain, levels, count });
      const attributes = { axis, low: -levels, high: levels };
      const rounded = this.#builder.op('FakeQuantize', [w, trained], attributes, { nodeName: `${name}/FakeQuantize` });
      return this.#afterDelay(w, rounded);
    });
  }

  /** Whether so many steps of training are over, as a bool scalar; undefined where that never comes. */
  since(steps: number): Value | undefined {
    if (steps === Number.POSITIVE_INFINITY) return undefined;
    const known = this.#since.get(steps);
    if (known !== undefined) return known;
    const over = this.#builder.op('GreaterOrEqual', [this.#stepsTaken(), this.#builder.scalar(steps, 'float32')]);
    this.#since.set(steps, over);
    return over;
  }

  // range′ = range + (batch − range)·share; in its first step training sees the range of its first batch.
  #observed(x: Value, name: string, op: 'ReduceMax' | 'ReduceMin'): Value {
    const f = this.formulas;
    const range = this.#parameter(name, zeros('float32', []), 'statistic');
    const batch = this.#builder.op(op, [x], { keepdims: 0 });
    const next = f.add(range, f.multiply(f.subtract(batch, range), this.#batchShare()));
    return f.held(f.byMode(range, f.tracking(next, range, next)));
  }

  // share = max(1 − momentum, 1/(n + 1)): the mean of the first batches; 0 once ranges are frozen.
  #batchShare(): Value {
    if (this.#share !== undefined) return this.#share;
    const f = this.formulas;
    const steps = this.#stepsTaken();
    const share = f.maximum(f.divide(1, f.add(steps, 1)), 1 - this.options.momentum);
    const frozen = this.since(this.options.freezeRangesAfter);
    // The first batch counts in any case.
    const last = f.subtract(1, f.minimum(steps, 1));
    this.#share = frozen === undefined ? share : f.choose(frozen, last, share);
    return this.#share;
  }

  #stepsTaken(): Value {
    if (this.#steps !== undefined) return this.#steps;
    const f = this.formulas;
    const steps = this.#parameter(stepsName, zeros('float32', []), 'statistic');
    this.#steps = f.byMode(steps, f.tracking(steps, steps, f.add(steps, 1)));
    return this.#steps;
  }

  /*
   * scale·eᵍ with a trained gain g, so that scales stay positive and a step of g means the same for large and small ones. Its gradient is
   * weighed by 1/(scale²·√(count·levels)): to first order a step of gradient descent is then that of LSQ on the scale itself.
   */
  #trained(
    scale: Value,
    { name, initial, levels, count }: { name: string; initial: Tensor; levels: number; count: number },
  ): Value {
    if (this.options.ranges !== 'learned') return scale;
    const f = this.formulas;
    const gain = this.#parameter(`${name}.gain`, initial, 'weight');
    const exact = f.multiply(scale, this.#builder.op('Exp', [gain]));
    const weight = f.divide(1 / Math.sqrt(count * levels), f.held(f.multiply(exact, exact)));
    const still = f.held(gain);
    const graded = f.add(f.multiply(f.subtract(gain, still), weight), still);
    return f.multiply(scale, this.#builder.op('Exp', [f.byMode(gain, graded)]));
  }

  /** Logarithm of the share of the range that a weight is best rounded in. */
  #bestGain(initial: Tensor, axis: number): Tensor {
    const request = {
      dtype: 'int8',
      levels: this.weightLevels,
      axis: this.options.perChannel ? axis : undefined,
    } as const;
    const largest = weightParameters(initial, request).scales;
    const best = weightParameters(initial, { ...request, range: 'mse' }).scales;
    const gains = best.map((scale, index) => Math.log(scale / (largest[index] as number)));
    return fromNumbers('float32', this.options.perChannel ? [gains.length] : [], gains);
  }

  #afterDelay(exact: Value, rounded: Value): Value {
    const { delay } = this.options;
    if (delay === 0) return rounded;
    const begun = this.since(delay);
    const trained = begun === undefined ? exact : this.formulas.choose(begun, rounded, exact);
    return this.formulas.byMode(rounded, trained);
  }

  #parameter(name: string, initial: Tensor, role: Parameter['role']): Value {
    const value = this.#builder.constant(initial, { name });
    this.parameters.push({ name: value.name, value, role, trainable: role === 'weight' });
    return value;
  }
}

/** Number of elements; extents that are not known count as one. */
function sizeOf(shape: readonly (number | string)[]): number {
  return shape.reduce<number>((product, extent) => product * (typeof extent === 'number' ? extent : 1), 1);
}

/** Whether any step of training has been made with rounding. */
export function stepsTaken(steps: Tensor | undefined): number {
  return steps === undefined ? 0 : (toNumbers(steps)[0] as number);
}

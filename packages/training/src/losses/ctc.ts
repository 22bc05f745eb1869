import { fromNumbers, fullTensor, type Graph, ModelwrightError, type Value } from '@modelwright/core';
import { Arithmetic, extents } from '../symbolic/arithmetic.js';
import type { Loss, LossContext } from './loss.js';
import { scoreLogarithms } from './probabilities.js';

/** Options of {@link ctc}. */
export interface CtcOptions {
  /** The model's output is raw scores, not probabilities. Default false. */
  readonly fromLogits?: boolean;
  /** The class that stands for "no label here". Default 0. */
  readonly blank?: number;
  /**
   * A row whose labels do not fit into its steps has an infinite loss; true counts it as 0. Its gradient is 0 either way.
   * Default false.
   */
  readonly zeroInfinity?: boolean;
}

/**
 * Connectionist temporal classification: minus the log of the probability of all paths that spell the labels, where a path
 * names a class each step, repeats are read once and blanks are dropped.
 *
 * The model gives `[batch, steps, classes]`; steps that its mask leaves out do not count. Targets are integer labels
 * `[batch, labels]`; what is negative or the blank fills up short rows.
 *
 * @throws {@link ModelwrightError} `shape-mismatch` when the output is not `[batch, steps, classes]`.
 * @see Graves et al., "Connectionist Temporal Classification", ICML 2006, §4.1.
 */
export function ctc({ fromLogits = false, blank = 0, zeroInfinity = false }: CtcOptions = {}): Loss {
  return {
    name: 'ctc',
    targets: 'sequences',
    build(context) {
      const { arithmetic: a, prediction, mask } = context;
      requireSteps(prediction.value, blank);
      const logarithms = scoreLogarithms(context, fromLogits);
      const { path, skip, ends } = labelPath(context, blank);
      const [, steps] = extents(logarithms.shape) as [number, number];
      const [batch, places] = extents(path.shape) as [number, number];
      const chosen = a.expand(a.reshape(path, [batch, 1, places]), [batch, steps, places]);
      const emissions = a.builder.op('GatherElements', [logarithms, chosen], { axis: 2 });
      const reached = forwardScores(a, { emissions, skip, mask });
      const loss = a.negate(logSumExp(a, a.add(reached, ends)));
      // Where no path spells the labels, what was added for each impossible step is left.
      return a.where(a.greater(loss, -impossible / 2), zeroInfinity ? 0 : Number.POSITIVE_INFINITY, loss);
    },
  };
}

/** Logarithm of a probability of nought, finite so that differences of two are numbers. */
const impossible = -1e30;

function requireSteps(prediction: Value, blank: number): void {
  const shape = extents(prediction.shape);
  if (shape.length === 3 && Number.isInteger(blank) && blank >= 0 && blank < (shape[2] as number)) return;
  throw new ModelwrightError(
    'shape-mismatch',
    `ctc takes an output [batch, steps, classes] and a blank among its classes; the output is [${shape}], the blank ${blank}`,
    { given: shape },
  );
}

interface LabelPath {
  /** int64 `[batch, 2·labels + 1]`: the labels with blanks before, between and behind them. */
  readonly path: Value;
  /** `[batch, 2·labels + 1]`: 0 where a path may come from two places before, a label from a different one, else impossible. */
  readonly skip: Value;
  /** `[batch, 2·labels + 1]`: 0 at the last label of each row and at the blank behind it, else impossible. */
  readonly ends: Value;
}

function labelPath({ arithmetic: a, target, prediction }: LossContext, blank: number): LabelPath {
  const { dtype } = prediction.value;
  const { builder } = a;
  const [batch, count] = extents(target.shape) as [number, number];
  const isLabel = builder.op('And', [a.greater(target, -1), builder.op('Not', [a.equal(target, blank)])]);
  const labels = a.where(isLabel, target, blank);
  const column = builder.constant(fullTensor('int64', [batch, 1], blank));
  const pairs = builder.op(
    'Concat',
    [a.reshape(a.expand(column, [batch, count]), [batch, count, 1]), a.reshape(labels, [batch, count, 1])],
    { axis: 2 },
  );
  const path = builder.op('Concat', [a.reshape(pairs, [batch, 2 * count]), column], { axis: 1 });
  const last = a.multiply(a.sum(a.cast(isLabel, 'int64'), [1], true), 2);
  const place = builder.constant(
    Array.from({ length: 2 * count + 1 }, (_, index) => index),
    { dtype: 'int64' },
  );
  const isEnd = builder.op('Or', [a.equal(place, last), a.equal(place, a.subtract(last, 1))]);
  const scored = (allowed: Value): Value => a.multiply(a.subtract(1, a.cast(allowed, dtype)), impossible);
  return { path, skip: scored(differsFromBefore(a, path)), ends: scored(isEnd) };
}

/** Whether a place differs from the one two before it; never true of blanks, which all are the same. */
function differsFromBefore(a: Arithmetic, path: Value): Value {
  const { builder } = a;
  const [batch, places] = extents(path.shape) as [number, number];
  const none = builder.constant(fullTensor('bool', [batch, Math.min(places, 2)], 0));
  if (places < 3) return none;
  const differs = builder.op('Not', [a.equal(sliceOf(a, path, 2, places), sliceOf(a, path, 0, places - 2))]);
  return builder.op('Concat', [none, differs], { axis: 1 });
}

function sliceOf({ builder }: Arithmetic, x: Value, from: number, to: number): Value {
  return builder.op('Slice', [x, builder.integers([from]), builder.integers([to]), builder.integers([1])]);
}

interface ForwardRequest {
  /** `[batch, steps, places]`: the logarithm of the probability of each place at each step. */
  readonly emissions: Value;
  readonly skip: Value;
  readonly mask: Value | undefined;
}

// α′[s] = log(e^α[s] + e^α[s−1] + e^(α[s−2] + skip[s])) + emission[s], from α = log [1, 0, 0, …], the place before the first step.
function forwardScores(a: Arithmetic, { emissions, skip, mask }: ForwardRequest): Value {
  const { builder } = a;
  const [batch, , places] = extents(emissions.shape) as [number, number, number];
  const { dtype } = emissions;
  const outset = Array.from({ length: batch * places }, (_, index) => (index % places === 0 ? 0 : impossible));
  const start = builder.constant(fromNumbers(dtype, [batch, places], outset));
  const before = builder.constant(fullTensor(dtype, [batch, 2], impossible));
  const timeFirst = builder.op('Transpose', [emissions], { perm: [1, 0, 2] });
  const steps = mask === undefined ? undefined : stepsFirst(a, mask);
  const body = builder.subgraph('ctc', (inner) => {
    const b = new Arithmetic(inner);
    const scores = inner.input('ctc_scores', dtype, [batch, places]);
    const emission = inner.input('ctc_emission', dtype, [batch, places]);
    const counts = steps === undefined ? undefined : inner.input('ctc_counts', 'bool', [batch, 1]);
    const shifted = inner.op('Concat', [before, scores], { axis: 1 });
    const skipped = b.add(sliceOf(b, shifted, 0, places), skip);
    const arrived = logAddExp(b, [scores, sliceOf(b, shifted, 1, places + 1), skipped]);
    const next = b.add(arrived, emission);
    inner.output('ctc_next', counts === undefined ? next : b.where(counts, next, scores));
  });
  return scanLast(a, { body, start, sequences: steps === undefined ? [timeFirst] : [timeFirst, steps] });
}

function stepsFirst(a: Arithmetic, mask: Value): Value {
  const [batch, steps] = extents(mask.shape) as [number, number];
  return a.reshape(a.builder.op('Transpose', [mask], { perm: [1, 0] }), [steps, batch, 1]);
}

interface ScanRequest {
  readonly body: Graph;
  readonly start: Value;
  readonly sequences: readonly Value[];
}

function scanLast(a: Arithmetic, { body, start, sequences }: ScanRequest): Value {
  const attributes = { body, num_scan_inputs: sequences.length };
  const [last] = a.builder.node('Scan', [start, ...sequences], attributes, { outputs: 1 });
  return last as Value;
}

// The largest is taken out of the sum, so that nothing overflows; it needs no gradient, since it cancels.
function logAddExp(a: Arithmetic, values: readonly Value[]): Value {
  const largest = a.stopGradient(a.builder.op('Max', values));
  const powers = values.map((value) => a.exponential(a.subtract(value, largest)));
  return a.add(largest, a.logarithm(powers.reduce((sum, power) => a.add(sum, power))));
}

function logSumExp(a: Arithmetic, values: Value): Value {
  const largest = a.stopGradient(a.largest(values, [-1], true));
  const sum = a.sum(a.exponential(a.subtract(values, largest)), [-1]);
  return a.add(a.reshape(largest, extents(sum.shape)), a.logarithm(sum));
}

import type { Value } from '../graph/graph.js';
import { capturesOf } from '../graph/graph.js';
import type { GraphBuilder } from '../graph/graph-builder.js';
import { zerosOf } from '../graph/shape-ops.js';
import { isFloat } from '../tensor/dtype.js';
import { concreteShape } from '../tensor/shape.js';
import type { GradientContext } from './definition.js';
import { type BackwardPlan, planBackward } from './scan-backward-plan.js';
import { BackwardRun } from './scan-backward-run.js';
import { backwardStep } from './scan-backward-step.js';
import type { ScanAttributes } from './scan-layout.js';
import { type ScanSteps, scanSteps } from './scan-steps.js';

/**
 * A `Scan` the other way round, with only what is recurrent left inside. One step of it,
 *
 * `dstate, (state[t], x[t], dy[t]) → dstate′, dw[t], dx[t]`
 *
 * falls into three parts: what depends on the forward run alone is computed for all steps at once before the loop, what the
 * next `dstate` does not need for all steps at once after it, and sums over steps become one product or reduction there.
 */
export function scanGradient(context: GradientContext<ScanAttributes>): readonly (Value | undefined)[] {
  const { builder, inputs, attributes, needs } = context;
  const captured = [...capturesOf(attributes.body)];
  const targets = captured.filter((value, index) => isFloat(value.dtype) && needs(inputs.length + index));
  const steps = scanSteps(context);
  const { layout } = steps;
  const states = indicesOf(layout.stateCount).filter((index) => isFloat((inputs[index] as Value).dtype));
  const sequences = indicesOf(inputs.length - layout.stateCount).filter(
    (index) => needs(layout.stateCount + index) && isFloat((inputs[layout.stateCount + index] as Value).dtype),
  );
  if (states.length + targets.length + sequences.length === 0) return inputs.map(() => undefined);
  const incoming = states.map(
    (index) => context.outputGradients[index] ?? zerosLike(builder, context.outputs[index] as Value),
  );
  const results: (Value | undefined)[] = inputs.map(() => undefined);
  if (steps.length === 0) {
    for (const [at, index] of states.entries()) results[index] = incoming[at];
    return [...results, ...captured.map(() => undefined)];
  }
  const plan = planOf(context, steps, { states, sequences, targets });
  const run = new BackwardRun(builder, steps, plan);
  const initial = run.loop(incoming);
  for (const [at, index] of states.entries()) results[index] = initial[at];
  for (const [at, index] of sequences.entries()) {
    results[layout.stateCount + index] = steps.asSequence(index, run.stacked(plan.step.sequenceGradients[at] as Value));
  }
  const sums = targets.map((_, at) => run.summed(plan.step.targetGradients[at] as Value));
  return [...results, ...captured.map((value) => sums[targets.indexOf(value)])];
}

function planOf(
  context: GradientContext<ScanAttributes>,
  steps: ScanSteps,
  wanted: {
    readonly states: readonly number[];
    readonly sequences: readonly number[];
    readonly targets: readonly Value[];
  },
): BackwardPlan {
  return planBackward(context.builder, backwardStep(context, steps, wanted), steps.length);
}

function indicesOf(count: number): readonly number[] {
  return [...Array(count).keys()];
}

function zerosLike(builder: GraphBuilder, value: Value): Value {
  return zerosOf(builder, value.dtype, concreteShape(value.shape, `'${value.name}'`));
}

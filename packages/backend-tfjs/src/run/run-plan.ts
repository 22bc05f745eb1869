import { isModelwrightError, ModelwrightError, Tensor } from '@modelwright/core';
import { Held } from '../device/held.js';
import type { Kernels } from '../device/kernels.js';
import type { TensorInfo } from '../device/tfjs-core.js';
import type { StepResult, StepScope } from '../lowering/lowering.js';
import type { Plan, PlanStep } from './compile-plan.js';
import { runControlFlow } from './control-flow.js';
import { NodeScope, type ScalarCache } from './node-scope.js';
import type { Pace } from './pace.js';

/** What runs of one backend share. */
export interface RunContext {
  readonly kernels: Kernels;
  readonly scalars: ScalarCache;
  readonly pace: Pace;
  /** Told how long each node took, when somebody wants to know. */
  readonly onNode?: ((node: PlanStep['node'], milliseconds: number) => void) | undefined;
  readonly now?: (() => number) | undefined;
}

/** A value the frame holds a reference to, by place. */
export type Frame = (Held | undefined)[];

/**
 * Runs a plan from beginning to end without waiting.
 *
 * @param inputs - One for each input of the graph; the caller keeps its references.
 * @param outer - Frame of the graph around this one.
 * @returns the graph's outputs; the caller owns a reference to each.
 */
export function runPlan(plan: Plan, context: RunContext, inputs: readonly Held[], outer?: Frame): readonly Held[] {
  const frame: Frame = new Array<Held | undefined>(plan.placeCount);
  plan.inputs.forEach((place, index) => {
    frame[place] = inputs[index]?.retain();
  });
  for (const { place, held } of plan.constants) frame[place] = held.retain();
  for (const { place, outer: from } of plan.captures) frame[place] = outer?.[from]?.retain();
  try {
    for (const step of plan.steps) runStep(step, context, frame);
    return plan.outputs.map(({ place }) => (frame[place] as Held).retain());
  } finally {
    for (const held of frame) held?.release();
  }
}

function runStep(planned: PlanStep, context: RunContext, frame: Frame): void {
  const { node, inputs, outputs, freed } = planned;
  const values = inputs.map((place) => (place === undefined ? undefined : (frame[place] as Held)));
  const started = context.now?.();
  const results =
    planned.step === undefined ? runSubgraphs(planned, context, values, frame) : compute(planned, context, values);
  if (started !== undefined) context.onNode?.(node, (context.now?.() ?? started) - started);
  outputs.forEach(({ place }, index) => {
    frame[place] = results[index];
  });
  for (const place of freed) {
    frame[place]?.release();
    frame[place] = undefined;
  }
}

function runSubgraphs(
  planned: PlanStep,
  context: RunContext,
  values: readonly (Held | undefined)[],
  frame: Frame,
): readonly Held[] {
  const run = (attribute: string, given: readonly Held[]): readonly Held[] => {
    const found = planned.subgraphs.find((each) => each.attribute === attribute);
    return runPlan((found as { plan: Plan }).plan, context, given, frame);
  };
  return named(planned, () => runControlFlow(planned.node, { context, values, run }));
}

function compute(planned: PlanStep, context: RunContext, values: readonly (Held | undefined)[]): readonly Held[] {
  const scope = new NodeScope(context.kernels, context.scalars, values);
  const isEmpty = values.some((value) => value?.shape.includes(0) && value.dtype !== 'int64');
  const step = isEmpty ? planned.onHost : planned.step;
  return named(planned, () => {
    try {
      const made = step?.(scope) ?? [];
      const results = (Array.isArray(made) ? made : [made]) as readonly StepResult[];
      return planned.outputs.map(({ dtype }, index) => holdResult(results[index] as StepResult, dtype, scope, context));
    } finally {
      scope.end();
    }
  });
}

function holdResult(result: StepResult, dtype: Held['dtype'], scope: NodeScope, { kernels }: RunContext): Held {
  if (result instanceof Held) return result.retain();
  if (result instanceof Tensor) return new Held(kernels, dtype, result);
  const input = scope.inputs.find((each) => each?.isAt(result as TensorInfo));
  // A step that had nothing to do gives back its input's tensor.
  if (input !== undefined) return input.retain();
  scope.keep(result as TensorInfo);
  return new Held(kernels, dtype, result as TensorInfo);
}

/** Failures of kernels tell the node they happened in. */
function named<T>({ node }: PlanStep, task: () => T): T {
  try {
    return task();
  } catch (cause) {
    if (isModelwrightError(cause)) throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new ModelwrightError('backend-failure', `${node.op} '${node.name}': ${reason}`, {
      op: node.op,
      layer: node.name,
      cause,
    });
  }
}

export type { StepScope };

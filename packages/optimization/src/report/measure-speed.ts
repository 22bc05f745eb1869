import {
  type Backend,
  type Executable,
  inferenceProgram,
  type Model,
  specialize,
  type TensorMap,
} from '@modelwright/core';
import { type Estimate, estimateMedian, medianOf } from './confidence.js';
import { fittedTo } from './fitted-inputs.js';

/** How one model compares with the first. */
export interface Speed {
  /** Of one run. */
  readonly milliseconds: Estimate;
  /** Examples in a run. */
  readonly batch: number;
  readonly examplesPerSecond: Estimate;
  /** Time of the first model by that of this one, measured in the same rounds: above 1 this one is faster. */
  readonly speedup: Estimate;
}

export interface SpeedOptions {
  /** Of one run of any of the models; they have the same inputs. */
  readonly inputs: TensorMap;
  readonly batch: number;
  /** How long each model runs altogether, warm-up aside. */
  readonly seconds: number;
  readonly signal?: AbortSignal | undefined;
}

const fewestRounds = 9;
const mostRounds = 101;
const warmUpRuns = 3;

/**
 * Measures models side by side: round by round each has its turn, so that whatever else the machine does meets all of
 * them alike. Of each round the median run counts.
 */
export async function measureSpeeds(
  models: readonly Model[],
  backend: Backend,
  options: SpeedOptions,
): Promise<readonly Speed[]> {
  const executables: Executable[] = [];
  try {
    for (const model of models) executables.push(await compileFor(model, backend, options.inputs));
    const plan: Plan[] = [];
    for (const [at, executable] of executables.entries()) {
      plan.push(await planRuns(executable, fittedTo((models[at] as Model).graph, options.inputs), options.seconds));
    }
    const rounds = await runRounds(plan, options);
    return rounds.map((own, at) => speedOf(own, rounds[0] ?? own, { batch: options.batch, at }));
  } finally {
    for (const executable of executables) await executable.dispose();
  }
}

/** Concrete shapes wherever the inputs give them: what a deployed model is compiled for. */
async function compileFor(model: Model, backend: Backend, inputs: TensorMap): Promise<Executable> {
  const program = inferenceProgram(model);
  const shapes = Object.fromEntries(Object.entries(inputs).map(([name, { shape }]) => [name, shape]));
  const graph = model.states.length > 0 ? program.graph : specialize(program.graph, { inputs: shapes });
  return backend.compile({ ...program, graph }, { name: model.name });
}

interface Plan {
  readonly executable: Executable;
  /** In the model's own dtypes: a step may have narrowed them. */
  readonly inputs: TensorMap;
  /** As many runs as fill a turn. */
  readonly runsATurn: number;
  readonly rounds: number;
}

async function planRuns(executable: Executable, inputs: TensorMap, seconds: number): Promise<Plan> {
  const first: number[] = [];
  for (let run = 0; run < warmUpRuns; run++) first.push(await timeRun(executable, inputs));
  const milliseconds = Math.max(Math.min(...first), 1e-3);
  const total = Math.max(1, (seconds * 1000) / milliseconds);
  const rounds = Math.min(mostRounds, Math.max(fewestRounds, Math.floor(total / 3)));
  return { executable, inputs, rounds, runsATurn: Math.max(1, Math.round(total / rounds)) };
}

async function runRounds(plan: readonly Plan[], { signal }: SpeedOptions): Promise<readonly (readonly number[])[]> {
  const rounds = Math.min(...plan.map((each) => each.rounds));
  const times = plan.map((): number[] => []);
  for (let round = 0; round < rounds; round++) {
    for (let turn = 0; turn < plan.length; turn++) {
      // Each round begins with another model: none is always the one after the slowest.
      const at = (turn + round) % plan.length;
      const { executable, inputs, runsATurn } = plan[at] as Plan;
      signal?.throwIfAborted();
      const runs: number[] = [];
      for (let run = 0; run < runsATurn; run++) runs.push(await timeRun(executable, inputs));
      times[at]?.push(medianOf(runs));
    }
  }
  return times;
}

async function timeRun(executable: Executable, inputs: TensorMap): Promise<number> {
  const started = performance.now();
  await executable.run(inputs);
  return performance.now() - started;
}

function speedOf(
  own: readonly number[],
  first: readonly number[],
  { batch, at }: { readonly batch: number; readonly at: number },
): Speed {
  const ratios = at === 0 ? own.map(() => 1) : own.map((milliseconds, round) => (first[round] ?? 0) / milliseconds);
  return {
    milliseconds: estimateMedian(own),
    batch,
    examplesPerSecond: estimateMedian(own.map((milliseconds) => (batch * 1000) / milliseconds)),
    speedup: estimateMedian(ratios),
  };
}

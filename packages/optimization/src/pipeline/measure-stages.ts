import type { Backend, Model, TensorMap } from '@modelwright/core';
import { type Estimate, estimateMedian } from '../report/confidence.js';
import { measureSpeeds } from '../report/measure-speed.js';
import type { BackendSpeed } from '../report/record.js';
import type { OptimizationProgress, OptimizeOptions } from './optimize.js';
import { labelOf } from './require-support.js';
import type { SampleInputs } from './sample-inputs.js';

/**
 * Runs a model where nothing else runs and tells by how many bytes the process grew at most; undefined where it cannot.
 * The command line starts a process for it.
 */
export type MeasureMemory = (model: Model, backend: Backend, inputs: TensorMap) => Promise<number | undefined>;

/** How results are measured. */
export interface MeasureOptions {
  /** Examples at once for throughput. Default 64. */
  readonly batch?: number;
  /** How long each model runs for each of latency and throughput, on each backend. Default 1. */
  readonly seconds?: number;
  /** Others to measure on besides the one that the steps use. */
  readonly backends?: readonly Backend[];
  /** Compare layer by layer what each step changed. Default true. */
  readonly layers?: boolean;
  /** Measures peak memory with a batch for throughput. Default: none is measured, only computed from the graph. */
  readonly memory?: MeasureMemory;
}

interface Measured {
  readonly model: Model;
  readonly record: { readonly name: string };
}

type Options = Pick<OptimizeOptions, 'backend' | 'steps' | 'progress' | 'signal'> & {
  readonly measure: MeasureOptions;
};

/** Speeds, and memory where it is wanted, of each stage on each backend. */
export async function measureStages(
  stages: readonly Measured[],
  options: Options,
  samples: SampleInputs | undefined,
): Promise<readonly (readonly BackendSpeed[])[]> {
  const result: BackendSpeed[][] = stages.map(() => []);
  if (samples === undefined) return result;
  const { backend, signal } = options;
  const { batch = 64, seconds = 1, backends = [], memory } = options.measure;
  const models = stages.map(({ model }) => model);
  for (const each of [backend, ...backends]) {
    tell(stages, options, labelOf(each));
    const latency = await measureSpeeds(models, each, { ...samples.of(1), seconds, signal });
    const throughput = await measureSpeeds(models, each, { ...samples.of(batch), seconds, signal });
    for (const [at, speeds] of result.entries()) {
      const [one, many] = [latency[at], throughput[at]];
      if (one === undefined || many === undefined) continue;
      const { inputs } = samples.of(batch);
      const peak = memory && (await measureMemory(() => memory(models[at] as Model, each, inputs), signal));
      const { threads } = each.capabilities;
      const growth = peak === undefined ? {} : { memoryBytes: peak };
      speeds.push({ backend: labelOf(each), threads, latency: one, throughput: many, ...growth });
    }
  }
  return result;
}

const memoryRuns = 3;

async function measureMemory(
  run: () => Promise<number | undefined>,
  signal: AbortSignal | undefined,
): Promise<Estimate | undefined> {
  const found: number[] = [];
  for (let count = 0; count < memoryRuns; count++) {
    signal?.throwIfAborted();
    const bytes = await run();
    if (bytes === undefined) return undefined;
    found.push(bytes);
  }
  return estimateMedian(found);
}

function tell(stages: readonly Measured[], { progress, steps }: Options, what: string): void {
  const event: OptimizationProgress = {
    step: stages.at(-1)?.record.name ?? 'original',
    index: steps.length,
    steps: steps.length,
    phase: 'measure',
    what,
  };
  progress?.(event);
}

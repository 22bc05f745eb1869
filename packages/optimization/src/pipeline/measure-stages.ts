import { type Backend, isModelwrightError, type Model, supportOf, type TensorMap } from '@modelwright/core';
import { type Estimate, estimateMedian } from '../report/confidence.js';
import { measureSpeeds, type Speed } from '../report/measure-speed.js';
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

/** What was measured of a stage, and what could not be. */
export interface MeasuredStage {
  readonly speeds: BackendSpeed[];
  readonly notes: string[];
}

/** Speeds, and memory where it is wanted, of each stage on each backend that can run it. */
export async function measureStages(
  stages: readonly Measured[],
  options: Options,
  samples: SampleInputs | undefined,
): Promise<readonly MeasuredStage[]> {
  const result = stages.map((): MeasuredStage => ({ speeds: [], notes: [] }));
  if (samples === undefined) return result;
  const { backend, signal, measure } = options;
  for (const each of [backend, ...(measure.backends ?? [])]) {
    tell(stages, options, labelOf(each));
    const able = stages.flatMap(({ model }, at) => (supportOf(model, each.capabilities).runs ? [at] : []));
    try {
      const models = able.map((at) => (stages[at] as Measured).model);
      const speeds = await measureOn(each, models, { ...options, samples });
      for (const [index, speed] of speeds.entries()) result[able[index] as number]?.speeds.push(speed);
    } catch (error) {
      if (!isModelwrightError(error) || signal?.aborted) throw error;
      // Hours of training are not to be lost for a measurement.
      result.at(-1)?.notes.push(`not measured on ${labelOf(each)}: ${error.message}`);
    }
  }
  return result;
}

async function measureOn(
  backend: Backend,
  models: readonly Model[],
  { samples, signal, measure }: Options & { readonly samples: SampleInputs },
): Promise<readonly BackendSpeed[]> {
  if (models.length === 0) return [];
  const { batch = 64, seconds = 1, memory } = measure;
  const latency = await measureSpeeds(models, backend, { ...samples.of(1), seconds, signal });
  const throughput = await measureSpeeds(models, backend, { ...samples.of(batch), seconds, signal });
  const { threads } = backend.capabilities;
  const found: BackendSpeed[] = [];
  for (const [at, model] of models.entries()) {
    const { inputs } = samples.of(batch);
    const peak = memory && (await measureMemory(() => memory(model, backend, inputs), signal));
    found.push({
      backend: labelOf(backend),
      threads,
      latency: latency[at] as Speed,
      throughput: throughput[at] as Speed,
      ...(peak === undefined ? {} : { memoryBytes: peak }),
    });
  }
  return found;
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

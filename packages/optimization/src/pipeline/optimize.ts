import {
  type Backend,
  isModelwrightError,
  type Model,
  ModelwrightError,
  type TensorMap,
  type TrainingExtension,
} from '@modelwright/core';
import { compareLayers } from '../report/compare-layers.js';
import { shareInterval } from '../report/confidence.js';
import type { LayerErrors, OptimizationRecord, Quality, StageRecord } from '../report/record.js';
import { withMetadata, withoutRecord, withRecord } from '../report/record-in-metadata.js';
import { OptimizationReport } from '../report/report.js';
import type { OptimizationContext, OptimizationStep } from '../step.js';
import { type CalibrationSamples, calibrationBatches } from './calibration.js';
import { type MeasureOptions, measureStages } from './measure-stages.js';
import { requireSupport, requireSupportAfter } from './require-support.js';
import { type SampleInputs, sampleInputs } from './sample-inputs.js';
import { flowingElements, staticFacts } from './stage.js';

/** What a user's function says of a model: a number, larger is better, or one with how many examples it rests on. */
export type Evaluation =
  | number
  | {
      readonly value: number;
      /** Examples judged: gives shares their 95 % range. */
      readonly count?: number;
      /** Default `accuracy`. */
      readonly name?: string;
    };

/** Where {@link optimize} is. */
export interface OptimizationProgress {
  /** Name of the step, or `original`. */
  readonly step: string;
  /** Its number, from 0; the last one is followed by measuring all. */
  readonly index: number;
  readonly steps: number;
  readonly phase: 'check' | 'apply' | 'evaluate' | 'compare' | 'measure';
  /** Within the phase, where the step tells; `what` of a check is what the backend computes slowly. */
  readonly done?: number;
  readonly total?: number;
  readonly what?: string;
}

export interface OptimizeOptions {
  /** Where samples are run and results measured. */
  readonly backend: Backend;
  readonly steps: readonly OptimizationStep[];
  /** Typical inputs: ranges of activations come from them, and results are measured with them. */
  readonly calibration?: CalibrationSamples;
  /** Judges a model; larger is better. */
  readonly evaluate?: (model: Model) => Promise<Evaluation> | Evaluation;
  /** `false` leaves out everything that runs the models for the report. */
  readonly measure?: MeasureOptions | false;
  readonly progress?: (progress: OptimizationProgress) => void;
  readonly signal?: AbortSignal;
}

/** The model as the last step left it, and what each step cost and gained. */
export interface OptimizationResult {
  /** Holds the record in its metadata: `recordOf(model)`, `modelwright inspect`. */
  readonly model: Model;
  readonly report: OptimizationReport;
}

/**
 * Applies steps to a model one after the other and reports what each cost and gained: quality by the user's own function,
 * bytes, weights, multiply-adds, and speed measured side by side. The model that is given is not changed.
 *
 * @throws {@link ModelwrightError} `unsupported-op` before anything runs if the backend lacks ops or dtypes that the model
 *   or a step needs, `invalid-argument`, `aborted`, and whatever a step throws.
 * @example
 * const { model, report } = await optimize(digits, {
 *   backend, calibration: samples, evaluate: async (m) => accuracy(m),
 *   steps: [pruneChannels({ ratio: 0.5 }), fineTune(train), quantize({ mode: 'static' })],
 * });
 * report.print();
 */
export async function optimize(model: Model, options: OptimizeOptions): Promise<OptimizationResult> {
  requireOptions(options);
  try {
    return await run(model, options);
  } catch (error) {
    const { signal } = options;
    if (!signal?.aborted || isModelwrightError(error, 'aborted')) throw error;
    throw new ModelwrightError('aborted', 'optimizing was aborted', { cause: signal.reason });
  }
}

async function run(model: Model, options: OptimizeOptions): Promise<OptimizationResult> {
  const { steps, measure = {} } = options;
  const remarks = checkSupport(model, options);
  for (const remark of remarks) teller(options, 'original', 0)({ phase: 'check', what: remark });
  const calibration = options.calibration === undefined ? undefined : calibrationBatches(model, options.calibration);
  const pipeline: Pipeline = { options, calibration, samples: await sampleInputs(model, calibration) };
  const first = copyOf(withoutRecord(model));
  const stages: Stage[] = [
    { model: first, record: await recordStage(pipeline, first, { name: 'original', index: 0 }) },
  ];
  let extensions: readonly TrainingExtension[] = [];
  for (const [index, step] of steps.entries()) {
    const before = stages.at(-1) as Stage;
    const applied = await applyStep(pipeline, before, { step, index, extensions });
    extensions = [...extensions, ...applied.extensions];
    stages.push(applied.stage);
  }
  const measured = measure === false ? [] : await measureStages(stages, { ...options, measure }, pipeline.samples);
  const records = stages.map(({ record }, at) => ({
    ...record,
    speeds: measured[at]?.speeds ?? [],
    notes: [...record.notes, ...(measured[at]?.notes ?? [])],
  }));
  const notes = [...remarks, ...(pipeline.samples === undefined && measure !== false ? [noSamples] : [])];
  const record: OptimizationRecord = {
    format: 'modelwright-optimization',
    version: 1,
    model: model.name,
    date: new Date().toISOString(),
    stages: records.map((each, at) => (at === 0 ? { ...each, notes: [...notes, ...each.notes] } : each)),
  };
  const last = (stages.at(-1) as Stage).model;
  return { model: withRecord(last, record), report: new OptimizationReport(record) };
}

/** The backend of the steps has to run everything; what further ones lack is not measured there. */
function checkSupport(model: Model, { backend, steps, measure = {} }: OptimizeOptions): readonly string[] {
  if (measure === false) return [];
  const others = (measure.backends ?? []).flatMap((each) => {
    try {
      return requireSupport(model, each, steps);
    } catch (error) {
      if (isModelwrightError(error, 'unsupported-op')) return [`${error.message}; it is not measured there`];
      throw error;
    }
  });
  return [...requireSupport(model, backend, steps), ...others];
}

const noSamples =
  'not measured: the model leaves axes open besides the batch, and there are no calibration samples that say how long they are';

interface Pipeline {
  readonly options: OptimizeOptions;
  readonly calibration: (() => AsyncIterable<TensorMap>) | undefined;
  readonly samples: SampleInputs | undefined;
}

interface Stage {
  readonly model: Model;
  readonly record: StageRecord;
}

interface StepAt {
  readonly step: OptimizationStep;
  readonly index: number;
  readonly extensions: readonly TrainingExtension[];
}

async function applyStep(
  pipeline: Pipeline,
  before: Stage,
  { step, index, extensions }: StepAt,
): Promise<{ readonly stage: Stage; readonly extensions: readonly TrainingExtension[] }> {
  const { options } = pipeline;
  const tell = teller(options, step.name, index + 1);
  tell({ phase: 'apply' });
  const started = performance.now();
  // Steps may train in place; the stage before is still to be measured.
  const result = await step.apply(copyOf(before.model), contextOf(pipeline, { extensions, tell }));
  const seconds = (performance.now() - started) / 1000;
  const measured = options.measure !== false;
  const remarks = measured ? requireSupportAfter(step.name, result.model, options.backend) : [];
  const record = await recordStage(pipeline, result.model, { name: step.name, index: index + 1 });
  const compared = await compareStages(pipeline, { before: before.model, after: result.model, step, tell });
  const notes = [...(result.notes ?? []), ...remarks, ...compared.notes];
  const errors = compared.errors === undefined ? {} : { errors: compared.errors };
  return {
    stage: { model: result.model, record: { ...record, ...errors, seconds, notes } },
    extensions: result.extensions ?? [],
  };
}

type Teller = (progress: Omit<OptimizationProgress, 'step' | 'index' | 'steps'>) => void;

function teller({ progress, steps, signal }: OptimizeOptions, step: string, index: number): Teller {
  return (event) => {
    if (signal?.aborted) {
      throw new ModelwrightError('aborted', `optimizing was aborted at '${step}'`, { cause: signal.reason });
    }
    progress?.({ step, index, steps: steps.length, ...event });
  };
}

function contextOf(
  { options, calibration }: Pipeline,
  { extensions, tell }: { readonly extensions: readonly TrainingExtension[]; readonly tell: Teller },
): OptimizationContext {
  const { backend, evaluate, signal } = options;
  return {
    backend,
    extensions,
    progress: (done, total, what) => tell({ phase: 'apply', done, total, what }),
    ...(calibration === undefined ? {} : { calibration }),
    ...(evaluate === undefined ? {} : { evaluate: async (model) => qualityOf(await evaluate(model)).value }),
    ...(signal === undefined ? {} : { signal }),
  };
}

async function recordStage(
  { options, samples }: Pipeline,
  model: Model,
  { name, index }: { readonly name: string; readonly index: number },
): Promise<StageRecord> {
  const tell = teller(options, name, index);
  tell({ phase: 'evaluate' });
  const quality = options.evaluate === undefined ? {} : { quality: qualityOf(await options.evaluate(copyOf(model))) };
  return { name, seconds: 0, ...quality, ...(await staticFacts(model, samples)), speeds: [], notes: [] };
}

function qualityOf(evaluation: Evaluation): Quality {
  const {
    value,
    count,
    name = 'accuracy',
  } = typeof evaluation === 'object' && evaluation !== null ? evaluation : { value: evaluation };
  if (typeof value !== 'number' || Number.isNaN(value)) {
    const message = `evaluate must give a number or { value, count }; it gave ${JSON.stringify(evaluation)}`;
    throw new ModelwrightError('invalid-argument', message, { given: evaluation });
  }
  const isShare = value >= 0 && value <= 1 && count !== undefined && count > 0;
  return { name, value, ...(count === undefined ? {} : { count }), ...(isShare ? shareInterval(value, count) : {}) };
}

const comparedExamples = 8;

/** All that flows in a model is held at once to compare layers: of large ones, fewer examples. */
const comparedElements = 2 ** 25;

async function compareStages(
  { options, samples }: Pipeline,
  { before, after, step, tell }: { before: Model; after: Model; step: OptimizationStep; tell: Teller },
): Promise<{ readonly errors?: LayerErrors; readonly notes: readonly string[] }> {
  const { measure = {}, backend, signal } = options;
  const unchanged = before.graph === after.graph || before.states.length > 0;
  const wanted = measure !== false && measure.layers !== false && step.trains !== true;
  if (samples === undefined || !wanted || unchanged) return { notes: [] };
  tell({ phase: 'compare' });
  const most = Math.floor(comparedElements / Math.max(1, flowingElements(after, samples.of(1).inputs)));
  const { inputs } = samples.of(Math.max(1, Math.min(comparedExamples, samples.examples, most)));
  try {
    const errors = await compareLayers(before, after, { backend, samples: inputs, signal });
    // Of a model with other widths the few layers left to compare would stand for all.
    return errors.layers.length <= errors.otherLayers ? { notes: [] } : { errors, notes: [] };
  } catch (error) {
    if (!isModelwrightError(error) || signal?.aborted) throw error;
    return { notes: [`layers could not be compared: ${error.message}`] };
  }
}

/** Weights set on the copy do not reach the original. */
function copyOf(model: Model): Model {
  return withMetadata(model, model.metadata);
}

function requireOptions({ backend, steps }: OptimizeOptions): void {
  if (typeof backend?.compile !== 'function') {
    throw new ModelwrightError('invalid-argument', 'optimize needs a backend to run on', {
      given: backend,
      hint: "backend: await loadBackend('onnxruntime')",
    });
  }
  const wrong = Array.isArray(steps) ? steps.findIndex((step) => typeof step?.apply !== 'function') : 0;
  if (wrong >= 0) {
    const given = Array.isArray(steps) ? steps[wrong] : steps;
    throw new ModelwrightError('invalid-argument', `steps[${wrong}] is no optimization step`, {
      given,
      hint: "steps: [pruneChannels({ ratio: 0.5 }), quantize({ mode: 'static' })]",
    });
  }
}

import { availableParallelism } from 'node:os';
import { ModelwrightError } from '@modelwright/core';
import type { ServedModelFactory, ServedModelOptions } from '../contract/hub.js';
import type { ModelArtifact } from '../contract/served-model.js';
import type { DecodingPlan, RowDecoder } from '../generation/row-decoder.js';
import { servingTexts } from '../generation/serve-model.js';
import type { HostProcessOptions } from '../isolate/host-process.js';
import { openProcessDecoder, openProcessRunner, type ProcessRunnerOptions } from '../isolate/process-runner.js';
import { SpareProcess } from '../isolate/spare-process.js';
import { createServedModel } from '../serving/create-served-model.js';
import type { ModelRunner, OpenRunner } from '../serving/model-runner.js';
import type { BackendModule } from './backend-module.js';
import { openWorkerDecoder, openWorkerRunner, type WorkerRunnerOptions } from './worker-runner.js';

/** Where models run that are served in Node. */
export interface NodeServingOptions {
  /** How workers and processes open the backend. Without it every model runs in the server's own thread. */
  readonly backendModule?: BackendModule;
  /** Gives every model a process of its own that does not say otherwise. Default false. */
  readonly isIsolated?: boolean;
  /** After how long a run of a process that nobody waits for any more is taken for one that hangs. Default 5000. */
  readonly hangMilliseconds?: number;
  /** Code of the workers instead of the package's own. */
  readonly workerEntry?: WorkerRunnerOptions['entry'];
  /** Code of the processes instead of the package's own. */
  readonly processEntry?: NonNullable<HostProcessOptions['entry']>;
}

/**
 * Serves each model where its configuration wants it: `isIsolated` in a process of its own, `workers` in as many threads, else in the
 * server's own thread, which the engine leaves free. An engine that blocks its thread (the stock binding of ONNX Runtime) gets workers
 * by itself, half as many as there are cores.
 *
 * @throws {@link ModelwrightError} when a model is made: `invalid-configuration` if it wants threads or a process and `backendModule`
 *   is missing.
 * @example
 * const backendModule = { module: import.meta.resolve('@modelwright/backend-onnxruntime') };
 * await serve({ models: 'models', backend, createServedModel: nodeServing({ backendModule, isIsolated: true }) });
 */
export function nodeServing(options: NodeServingOptions = {}): ServedModelFactory {
  const { backendModule, processEntry } = options;
  const processes =
    backendModule === undefined ? undefined : new SpareProcess({ backend: backendModule, entry: processEntry });
  const choiceOf = ({ name: model, version, sha256 }: ModelArtifact, context: ServedModelOptions): RunnerChoice => {
    const { backend, events } = context;
    const blocks = backend.capabilities.blocksCaller ?? false;
    return {
      ...options,
      processes,
      onChange: ({ isRunning, reason }) => {
        const state = isRunning ? 'READY' : 'UNAVAILABLE';
        events.emit({ kind: 'model-state', model, version, sha256, state, reason });
      },
      automaticWorkers: blocks ? Math.max(1, Math.floor(availableParallelism() / 2)) : 0,
    };
  };
  const serve: ServedModelFactory = (artifact, context) => {
    const openRunner: OpenRunner = (one) => openRunnerFor(one, choiceOf(one, context));
    return createServedModel(artifact, { ...context, openRunner });
  };
  return servingTexts(serve, (artifact, plan, context) => openDecoderFor(artifact, plan, choiceOf(artifact, context)));
}

interface RunnerChoice extends NodeServingOptions {
  readonly processes: SpareProcess | undefined;
  readonly onChange: NonNullable<ProcessRunnerOptions['onChange']>;
  /** Threads for a model that says nothing. */
  readonly automaticWorkers: number;
}

/** Where a model runs. */
type Place =
  | 'here'
  | { readonly processes: SpareProcess }
  | { readonly threads: number; readonly backend: BackendModule };

function placeOf({ name, configuration }: ModelArtifact, choice: RunnerChoice): Place {
  const { backendModule: backend, processes } = choice;
  const isIsolated = configuration.isIsolated ?? choice.isIsolated ?? false;
  const workers = configuration.workers ?? 0;
  if (backend === undefined || processes === undefined) {
    if (isIsolated || workers > 0) throw noModule(name);
    return 'here';
  }
  if (isIsolated) return { processes };
  const threads = workers > 0 ? workers : choice.automaticWorkers;
  return threads === 0 ? 'here' : { threads, backend };
}

async function openRunnerFor(artifact: ModelArtifact, choice: RunnerChoice): Promise<ModelRunner | undefined> {
  const place = placeOf(artifact, choice);
  if (place === 'here') return undefined;
  if ('processes' in place) return openProcessRunner(artifact, processOptions(artifact, place, choice));
  const { threads, backend } = place;
  return openWorkerRunner(artifact, { backend, workers: threads, ...entry(choice.workerEntry) });
}

async function openDecoderFor(
  artifact: ModelArtifact,
  plan: DecodingPlan,
  choice: RunnerChoice,
): Promise<RowDecoder | undefined> {
  const place = placeOf(artifact, choice);
  if (place === 'here') return undefined;
  if ('processes' in place) return openProcessDecoder(artifact, plan, processOptions(artifact, place, choice));
  return openWorkerDecoder(artifact, plan, { backend: place.backend, ...entry(choice.workerEntry) });
}

function processOptions(
  { configuration }: ModelArtifact,
  { processes }: { readonly processes: SpareProcess },
  { hangMilliseconds, onChange }: RunnerChoice,
): ProcessRunnerOptions {
  return { processes, concurrency: configuration.concurrency, hangMilliseconds, onChange };
}

function entry<Entry>(given: Entry | undefined): { readonly entry?: Entry } {
  return given === undefined ? {} : { entry: given };
}

function noModule(name: string): ModelwrightError {
  return new ModelwrightError(
    'invalid-configuration',
    `model '${name}' wants threads or a process of its own, but the server does not know how those open the backend`,
    {
      hint: "give nodeServing() a backendModule, or leave 'workers' and 'isIsolated' out of the model's configuration",
    },
  );
}

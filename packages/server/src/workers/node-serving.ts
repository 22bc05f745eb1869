import { availableParallelism } from 'node:os';
import { ModelwrightError } from '@modelwright/core';
import type { ServedModelFactory } from '../contract/hub.js';
import type { ModelArtifact } from '../contract/served-model.js';
import type { HostProcessOptions } from '../isolate/host-process.js';
import { openProcessRunner, type ProcessRunnerOptions } from '../isolate/process-runner.js';
import { SpareProcess } from '../isolate/spare-process.js';
import { createServedModel } from '../serving/create-served-model.js';
import type { ModelRunner, OpenRunner } from '../serving/model-runner.js';
import type { BackendModule } from './backend-module.js';
import { openWorkerRunner, type WorkerRunnerOptions } from './worker-runner.js';

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
  return (artifact, context) => {
    const { backend, events } = context;
    const blocks = backend.capabilities.blocksCaller ?? false;
    const openRunner: OpenRunner = async (one) =>
      openRunnerFor(one, {
        ...options,
        processes,
        onChange: ({ isRunning, reason }) =>
          events.emit({
            kind: 'model-state',
            model: one.name,
            version: one.version,
            sha256: one.sha256,
            state: isRunning ? 'READY' : 'UNAVAILABLE',
            reason,
          }),
        automaticWorkers: blocks ? Math.max(1, Math.floor(availableParallelism() / 2)) : 0,
      });
    return createServedModel(artifact, { ...context, openRunner });
  };
}

interface RunnerChoice extends NodeServingOptions {
  readonly processes: SpareProcess | undefined;
  readonly onChange: NonNullable<ProcessRunnerOptions['onChange']>;
  /** Threads for a model that says nothing. */
  readonly automaticWorkers: number;
}

async function openRunnerFor(artifact: ModelArtifact, choice: RunnerChoice): Promise<ModelRunner | undefined> {
  const { name, configuration } = artifact;
  const { backendModule, processes, onChange } = choice;
  const isIsolated = configuration.isIsolated ?? choice.isIsolated ?? false;
  const workers = configuration.workers ?? 0;
  if (backendModule === undefined || processes === undefined) {
    if (configuration.isIsolated || workers > 0) throw noModule(name);
    return undefined;
  }
  if (isIsolated) {
    const { concurrency } = configuration;
    return openProcessRunner(artifact, { processes, concurrency, hangMilliseconds: choice.hangMilliseconds, onChange });
  }
  const count = workers > 0 ? workers : choice.automaticWorkers;
  if (count === 0) return undefined;
  return openWorkerRunner(artifact, { backend: backendModule, workers: count, ...entry(choice.workerEntry) });
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

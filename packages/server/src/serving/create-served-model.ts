import { type Backend, dtypeFacts, type Model, ModelwrightError, type TensorMap } from '@modelwright/core';
import type { EventStream } from '../contract/events.js';
import type { GenerationService } from '../contract/generation.js';
import type { ModelConfiguration } from '../contract/model-configuration.js';
import type { ModelInfo, ModelStatistics } from '../contract/model-info.js';
import type { InferenceOptions, ModelArtifact, ServedModel, ServedResult } from '../contract/served-model.js';
import { type BatchPolicy, BatchScheduler } from './batch-scheduler.js';
import { RequestChecker } from './check-request.js';
import { joinRows, sliceRows } from './join-rows.js';
import { LateWatcher } from './late-watcher.js';
import { type ModelRunner, type OpenRunner, openLocalRunner, unavailable } from './model-runner.js';
import { PendingRequest } from './pending-request.js';
import { type Signature, signatureOf } from './signature.js';
import { StatisticsCounter } from './statistics.js';
import { type BatchVerdict, prepareRunner } from './warm-up.js';

/** What a model is served with. */
export interface ServingOptions {
  readonly backend: Backend;
  /** Opens what computes instead of `backend`: workers, a process of its own. */
  readonly openRunner?: OpenRunner;
  /** Told of every batch that ran. */
  readonly events?: Pick<EventStream, 'emit'>;
  /** Answers that go on token by token, if the model is one of language. */
  readonly generation?: GenerationService;
}

const defaultDelayMicroseconds = 500;
const defaultQueueSize = 1024;
const defaultDrainMilliseconds = 30_000;
const graceMilliseconds = 5000;

/**
 * Makes a model ready for requests: compiles it, warms it up, and puts a queue with dynamic batching before it.
 *
 * Requests whose shapes agree but for the number of examples run together, along the first axis, without padding. Whether the model
 * answers an example in company as it does alone is tried out first; if not, `notes` says so and requests run one by one.
 *
 * @throws {@link ModelwrightError} what compiling throws; `invalid-configuration` naming the option.
 * @example
 * const digits = await createServedModel(artifact, { backend });
 * const { outputs } = await digits.infer({ image }, { deadline: performance.now() + 100 });
 */
export async function createServedModel(artifact: ModelArtifact, options: ServingOptions): Promise<ServedModel> {
  const { model, configuration, name } = artifact;
  const signature = signatureOf(model, configuration);
  const { program } = signature;
  const { backend } = options;
  const runner =
    (await options.openRunner?.(artifact, program)) ??
    (await openLocalRunner(program, { backend, name, concurrency: configuration.concurrency }));
  try {
    const verdict = await prepareRunner(signature, configuration, runner);
    return new QueuedModel({ artifact, signature, runner, verdict, options });
  } catch (error) {
    await runner.dispose();
    throw error;
  }
}

interface QueuedModelParts {
  readonly artifact: ModelArtifact;
  readonly signature: Signature;
  readonly runner: ModelRunner;
  readonly verdict: BatchVerdict;
  readonly options: ServingOptions;
}

class QueuedModel implements ServedModel {
  readonly info: ModelInfo;
  readonly memoryBytes: number;
  readonly notes: readonly string[];
  readonly generation?: GenerationService;
  readonly #checker: RequestChecker;
  readonly #scheduler: BatchScheduler;
  readonly #statistics = new StatisticsCounter();
  readonly #watcher = new LateWatcher();
  readonly #runner: ModelRunner;
  /** Requests with more examples are cut. */
  readonly #mostRows: number;
  readonly #mostAtOnce: number;
  readonly #levelCount: number;
  readonly #timeoutMilliseconds: number | undefined;
  #closing: Promise<void> | undefined;

  constructor({ artifact, signature, runner, verdict, options }: QueuedModelParts) {
    const { name, version, configuration } = artifact;
    this.info = infoOf(artifact, signature, options.generation !== undefined);
    this.memoryBytes = weightBytes(artifact.model) * runner.copies;
    this.notes = verdict.notes;
    if (options.generation !== undefined) this.generation = options.generation;
    const policy = policyOf(configuration, verdict, runner);
    this.#runner = runner;
    // Without the program: the runner holds the weights, if anybody has to.
    const { program: _program, ...declared } = signature;
    this.#checker = new RequestChecker(name, declared);
    this.#mostRows = verdict.isIndependent ? policy.mostRows : Number.POSITIVE_INFINITY;
    this.#mostAtOnce = verdict.mostAtOnce;
    this.#levelCount = policy.levelCount;
    this.#timeoutMilliseconds = configuration.queue?.defaultTimeoutMilliseconds;
    this.#scheduler = new BatchScheduler(policy, {
      name,
      runner,
      statistics: this.#statistics,
      onExecution: (batchSize, computeNanoseconds) =>
        options.events?.emit({ kind: 'execution', model: name, version, batchSize, computeNanoseconds }),
    });
  }

  infer(inputs: TensorMap, options: InferenceOptions = {}): Promise<ServedResult> {
    try {
      const checked = this.#checker.check(inputs, options.outputs);
      if (checked.rowCount > this.#mostRows) return this.#inferInPieces(checked.inputs, checked.rowCount, options);
      if (checked.rowCount > this.#mostAtOnce)
        throw tooManyExamples(this.info.name, checked.rowCount, this.#mostAtOnce);
      if (this.#closing !== undefined) throw unavailable(this.info.name, 'is being unloaded', 1);
      return new Promise((resolve, reject) => {
        const request = new PendingRequest(checked, {
          ...this.#limitsOf(options),
          resolve,
          reject,
          model: this.info.name,
          statistics: this.#statistics,
          watcher: this.#watcher,
          onGone: (gone) => this.#scheduler.remove(gone),
        });
        if (!request.isWanted) return;
        try {
          this.#scheduler.add(request);
        } catch (error) {
          request.fail(error);
        }
      });
    } catch (error) {
      return Promise.reject(error);
    }
  }

  statistics(): ModelStatistics {
    const { name, version } = this.info;
    const { memoryBytes } = this;
    return this.#statistics.read({ name, version, pendingCount: this.#scheduler.pendingCount, memoryBytes });
  }

  dispose(drainMilliseconds: number = defaultDrainMilliseconds): Promise<void> {
    this.#closing ??= this.#close(drainMilliseconds);
    return this.#closing;
  }

  async #close(drainMilliseconds: number): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, drainMilliseconds);
    });
    await Promise.race([this.#scheduler.idle(), late]);
    clearTimeout(timer);
    this.#scheduler.failAll(unavailable(this.info.name, 'was unloaded', 1));
    // A run that does not end is left behind: whoever waits for this has waited long enough.
    const freed = this.#runner.dispose();
    await Promise.race([freed, new Promise<void>((resolve) => setTimeout(resolve, graceMilliseconds).unref?.())]);
  }

  #limitsOf({ signal, openSignal, deadline, priority }: InferenceOptions): {
    readonly level: number;
    readonly signal: AbortSignal | undefined;
    readonly openSignal: (() => AbortSignal) | undefined;
    readonly deadline: number | undefined;
  } {
    const level = Math.min(Math.max((priority ?? this.#levelCount) - 1, 0), this.#levelCount - 1);
    const ownLimit = this.#timeoutMilliseconds;
    const limit = ownLimit === undefined ? undefined : performance.now() + ownLimit;
    const earlier = deadline === undefined || (limit ?? deadline) < deadline ? limit : deadline;
    return { level, signal, openSignal, deadline: earlier };
  }

  /**
   * More examples than run at once: pieces of them wait by themselves, a few at a time so that one request does not fill the queue. If one
   * fails, the others are not wanted any more.
   */
  async #inferInPieces(inputs: TensorMap, rowCount: number, options: InferenceOptions): Promise<ServedResult> {
    const gone = new AbortController();
    const { openSignal, signal: given = openSignal?.(), ...rest } = options;
    const signal = given === undefined ? gone.signal : AbortSignal.any([given, gone.signal]);
    const results: ServedResult[] = [];
    let next = 0;
    const work = async (): Promise<void> => {
      while (next < rowCount) {
        const start = next;
        next += this.#mostRows;
        const piece = sliceRows(inputs, start, Math.min(rowCount, next));
        results[start / this.#mostRows] = await this.infer(piece, { ...rest, signal });
      }
    };
    const workers = Array.from({ length: this.#runner.concurrency + 1 }, work);
    try {
      await Promise.all(workers);
      return joinResults(results);
    } catch (error) {
      gone.abort();
      await Promise.allSettled(workers);
      throw error;
    }
  }
}

/** The answer to a request that ran in pieces. */
function joinResults(results: readonly ServedResult[]): ServedResult {
  const sum = (key: keyof ServedResult['timing']): number =>
    results.reduce((total, { timing }) => total + timing[key], 0);
  return {
    outputs: joinRows(results.map(({ outputs }) => outputs)),
    timing: {
      queue: Math.min(...results.map(({ timing }) => timing.queue)),
      computeInput: sum('computeInput'),
      computeInfer: sum('computeInfer'),
      computeOutput: sum('computeOutput'),
    },
    batchSize: Math.max(...results.map(({ batchSize }) => batchSize)),
  };
}

function infoOf(
  { name, version, sha256, processing }: ModelArtifact,
  signature: Signature,
  generates: boolean,
): ModelInfo {
  const { inputs, outputs, maxBatchSize } = signature;
  const embeds = Object.values(processing?.outputs ?? {}).some(({ kind }) => kind === 'embedding');
  const takesRawInputs = Object.keys(processing?.inputs ?? {}).length > 0;
  return {
    ...{ name, version, sha256, inputs, outputs, maxBatchSize },
    platform: 'onnx_onnxv1',
    abilities: { generates, embeds, takesRawInputs },
    ...(processing === undefined ? {} : { processing }),
    loadedAt: new Date(),
  };
}

function policyOf(configuration: ModelConfiguration, verdict: BatchVerdict, runner: ModelRunner): BatchPolicy {
  const { queue = {}, dynamicBatching = {} } = configuration;
  const { preferredBatchSizes = [], maxQueueDelayMicroseconds = defaultDelayMicroseconds } = dynamicBatching;
  const sizes = preferredBatchSizes.filter((size) => size <= verdict.mostRows);
  return {
    mostRows: verdict.mostRows,
    preferredSizes: [...sizes].sort((a, b) => a - b),
    maxDelayMilliseconds: requireCount('maxQueueDelayMicroseconds', maxQueueDelayMicroseconds, 0) / 1000,
    concurrency: requireCount('concurrency', runner.concurrency, 1),
    maxQueueSize: requireCount('queue.maxSize', queue.maxSize ?? defaultQueueSize, 1),
    levelCount: requireCount('queue.priorityLevels', queue.priorityLevels ?? 1, 1),
  };
}

function tooManyExamples(name: string, given: number, allowed: number): ModelwrightError {
  const message = `the inputs of model '${name}' hold ${given} examples; it takes ${allowed} at once`;
  return new ModelwrightError('invalid-argument', message, { given, allowed });
}

function requireCount(name: string, given: number, least: number): number {
  if (Number.isFinite(given) && given >= least) return given;
  throw new ModelwrightError('invalid-configuration', `${name} is ${given}; it must be a number ≥ ${least}`, {
    given,
    allowed: `≥ ${least}`,
  });
}

function weightBytes({ graph }: Model): number {
  let bytes = 0;
  for (const { dtype, elementCount } of graph.constants.values()) bytes += elementCount * dtypeFacts[dtype].bytes;
  return bytes;
}

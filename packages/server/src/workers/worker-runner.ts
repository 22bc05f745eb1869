import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { ModelArtifact } from '../contract/served-model.js';
import type { DecodingPlan, RowDecoder } from '../generation/row-decoder.js';
import { type ModelRunner, type RunnerOptions, unavailable } from '../serving/model-runner.js';
import type { BackendModule } from './backend-module.js';
import { type DecoderHost, hostDecoder } from './host-decoder.js';
import { hostEntry } from './host-entry.js';
import { HostLine, type LoadedHost } from './host-line.js';
import type { HostAnswer } from './host-messages.js';

/** What worker threads are started with. */
export interface WorkerRunnerOptions {
  readonly backend: BackendModule;
  /** Threads, each with a copy of the model. */
  readonly workers: number;
  /** Code that the threads run instead of the package's own, with the arguments for node that it needs. */
  readonly entry?: { readonly url: URL; readonly execArgv?: readonly string[] };
}

const closeMilliseconds = 5000;
/** Before a thread that could not be started is tried again. */
const pauseMilliseconds = 1000;

interface Member {
  readonly worker: Worker;
  readonly line: HostLine;
}

/**
 * Runs a model in worker threads, for engines that hold the thread that calls them: as many runs at once as there are threads, and
 * the event loop stays free. A thread that dies fails its runs with `model-unavailable` and is replaced.
 */
export async function openWorkerRunner(artifact: ModelArtifact, options: WorkerRunnerOptions): Promise<ModelRunner> {
  const pool = new WorkerPool(artifact, options);
  await pool.open();
  return pool;
}

/** Decodes a model's texts in a worker thread. */
export async function openWorkerDecoder(
  artifact: ModelArtifact,
  plan: DecodingPlan,
  options: Omit<WorkerRunnerOptions, 'workers'>,
): Promise<RowDecoder> {
  const pool = new WorkerPool(artifact, { ...options, workers: 1 }, plan);
  return hostDecoder(plan, await pool.open(), pool);
}

class WorkerPool implements ModelRunner, DecoderHost {
  readonly concurrency: number;
  readonly copies: number;
  readonly #artifact: Pick<ModelArtifact, 'name' | 'bytes'>;
  readonly #options: WorkerRunnerOptions;
  readonly #plan: DecodingPlan | undefined;
  readonly #members = new Set<Member>();
  #startingCount = 0;
  #nextStartAt = 0;
  #closing: Promise<void> | undefined;

  constructor({ name, bytes }: ModelArtifact, options: WorkerRunnerOptions, plan?: DecodingPlan) {
    this.#artifact = { name, bytes };
    this.#options = options;
    this.#plan = plan;
    this.concurrency = options.workers;
    this.copies = options.workers;
  }

  async open(): Promise<LoadedHost> {
    try {
      const loaded = await Promise.all(Array.from({ length: this.#options.workers }, () => this.#start()));
      return loaded[0] as LoadedHost;
    } catch (error) {
      await this.dispose();
      throw error;
    }
  }

  run(inputs: Parameters<ModelRunner['run']>[0], options?: RunnerOptions): ReturnType<ModelRunner['run']> {
    return this.use((line) => line.run(inputs, options));
  }

  async use<Result>(task: (line: HostLine) => Promise<Result>): Promise<Result> {
    this.#replaceLost();
    const [first, ...others] = this.#members;
    if (first === undefined) throw unavailable(this.#artifact.name, 'is starting again', 1);
    let free = first;
    for (const member of others) if (member.line.waitingCount < free.line.waitingCount) free = member;
    return task(free.line);
  }

  dispose(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const members = [...this.#members];
    await Promise.all(
      members.map(async ({ worker, line }) => {
        // One that hangs does not answer.
        const timer = setTimeout(() => void worker.terminate(), closeMilliseconds);
        await line.close().catch(() => undefined);
        clearTimeout(timer);
        await worker.terminate();
      }),
    );
  }

  async #start(): Promise<LoadedHost> {
    const { entry, backend } = this.#options;
    const { name, bytes } = this.#artifact;
    const worker = new Worker(entry?.url ?? hostEntry('./thread-entry', import.meta.url), {
      name: `model ${name}`,
      ...(entry?.execArgv === undefined ? {} : { execArgv: [...entry.execArgv] }),
    });
    const line = new HostLine((call) => worker.postMessage(call));
    const member: Member = { worker, line };
    const lost = (why: string): void => this.#lose(member, why);
    worker.on('message', (answer: HostAnswer) => line.take(answer));
    worker.on('error', (error: Error) => lost(error.message));
    worker.on('exit', () => lost('it ended'));
    try {
      const parts = { name, backend: divided(backend, this.#options.workers), bytes, decoding: this.#plan };
      const loaded = await line.load(parts);
      if (this.#closing !== undefined) throw unavailable(name, 'was unloaded');
      this.#members.add(member);
      return loaded;
    } catch (error) {
      await worker.terminate();
      throw error;
    }
  }

  #lose(member: Member, why: string): void {
    member.line.fail(unavailable(this.#artifact.name, `lost the thread that ran it: ${why}`, 1));
    if (!this.#members.delete(member) || this.#closing !== undefined) return;
    this.#replaceLost();
  }

  /** Starts what is missing; what cannot be started is tried again by a later run. */
  #replaceLost(): void {
    const missing = this.#options.workers - this.#members.size - this.#startingCount;
    if (missing <= 0 || this.#closing !== undefined || performance.now() < this.#nextStartAt) return;
    this.#startingCount += missing;
    for (let count = 0; count < missing; count++)
      this.#start()
        .catch(() => {
          this.#nextStartAt = performance.now() + pauseMilliseconds;
        })
        .finally(() => {
          this.#startingCount -= 1;
        });
  }
}

/** Threads share the cores, unless the options say otherwise. */
function divided({ module, options }: BackendModule, workers: number): BackendModule {
  const threads = Math.max(1, Math.floor(availableParallelism() / workers));
  return { module, options: { threads, ...options } };
}

import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { ModelArtifact } from '../contract/served-model.js';
import { type ModelRunner, type RunnerOptions, unavailable } from '../serving/model-runner.js';
import type { BackendModule } from './backend-module.js';
import { hostEntry } from './host-entry.js';
import { HostLine } from './host-line.js';
import type { HostAnswer } from './host-messages.js';

/** What worker threads are started with. */
export interface WorkerRunnerOptions {
  readonly backend: BackendModule;
  /** Threads, each with a copy of the model. */
  readonly workers: number;
  /** Code that the threads run instead of the package's own, with the arguments for node that it needs. */
  readonly entry?: { readonly url: URL; readonly execArgv?: readonly string[] };
}

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

class WorkerPool implements ModelRunner {
  readonly concurrency: number;
  readonly copies: number;
  readonly #artifact: Pick<ModelArtifact, 'name' | 'bytes'>;
  readonly #options: WorkerRunnerOptions;
  readonly #members = new Set<Member>();
  #closing: Promise<void> | undefined;

  constructor({ name, bytes }: ModelArtifact, options: WorkerRunnerOptions) {
    this.#artifact = { name, bytes };
    this.#options = options;
    this.concurrency = options.workers;
    this.copies = options.workers;
  }

  async open(): Promise<void> {
    try {
      await Promise.all(Array.from({ length: this.#options.workers }, () => this.#start()));
    } catch (error) {
      await this.dispose();
      throw error;
    }
  }

  async run(inputs: Parameters<ModelRunner['run']>[0], options?: RunnerOptions): ReturnType<ModelRunner['run']> {
    const [first, ...others] = this.#members;
    if (first === undefined) throw unavailable(this.#artifact.name, 'is starting again', 1);
    let free = first;
    for (const member of others) if (member.line.waitingCount < free.line.waitingCount) free = member;
    return free.line.run(inputs, options);
  }

  dispose(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const members = [...this.#members];
    await Promise.all(
      members.map(async ({ worker, line }) => {
        await line.close().catch(() => undefined);
        await worker.terminate();
      }),
    );
  }

  async #start(): Promise<void> {
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
      await line.load({ name, backend: divided(backend, this.#options.workers), bytes });
    } catch (error) {
      await worker.terminate();
      throw error;
    }
    this.#members.add(member);
  }

  #lose(member: Member, why: string): void {
    member.line.fail(unavailable(this.#artifact.name, `lost the thread that ran it: ${why}`, 1));
    if (!this.#members.delete(member) || this.#closing !== undefined) return;
    // What cannot be replaced is missed by the next run at the latest.
    this.#start().catch(() => undefined);
  }
}

/** Threads share the cores, unless the options say otherwise. */
function divided({ module, options }: BackendModule, workers: number): BackendModule {
  const threads = Math.max(1, Math.floor(availableParallelism() / workers));
  return { module, options: { threads, ...options } };
}

import type { ModelArtifact } from '../contract/served-model.js';
import type { DecodingPlan, RowDecoder } from '../generation/row-decoder.js';
import { type ModelRunner, type RunnerOptions, unavailable } from '../serving/model-runner.js';
import { type DecoderHost, hostDecoder } from '../workers/host-decoder.js';
import type { HostLine, LoadedHost } from '../workers/host-line.js';
import type { HostProcess } from './host-process.js';
import type { SpareProcess } from './spare-process.js';

/** What a model's process is started with. */
export interface ProcessRunnerOptions {
  /** Where processes come from. */
  readonly processes: SpareProcess;
  /** Runs at once; default what the backend there says. */
  readonly concurrency?: number | undefined;
  /** A run that goes on for so long when nobody waits for it any more hangs: its process is ended. Default 5000. */
  readonly hangMilliseconds?: number | undefined;
  /** Told when the process was lost and when it is back. */
  readonly onChange?: (change: { readonly isRunning: boolean; readonly reason: string }) => void;
}

interface Running extends LoadedHost {
  readonly host: HostProcess;
}

/** A process that lived so long is not one that ends at once again. */
const healthyMilliseconds = 2000;
/** How long it is waited before the first, second, … start in a row. */
const pauses: readonly number[] = [0, 0, 250, 1000, 5000, 15_000];
/** Runs wait for a start that comes so soon; else they are refused. */
const worthWaitingMilliseconds = 500;
const defaultHangMilliseconds = 5000;

/**
 * Runs a model in a process of its own: whatever happens to it, the server and its other models go on. When the process dies, runs
 * under way fail with `model-unavailable`, another one takes over at once, and runs that come meanwhile wait for it.
 */
export async function openProcessRunner(artifact: ModelArtifact, options: ProcessRunnerOptions): Promise<ModelRunner> {
  const runner = new ProcessRunner(artifact, options);
  try {
    await runner.open();
    return runner;
  } catch (error) {
    await runner.dispose();
    throw error;
  }
}

/** Decodes a model's texts in a process of its own, as {@link openProcessRunner} runs tensors. */
export async function openProcessDecoder(
  artifact: ModelArtifact,
  plan: DecodingPlan,
  options: ProcessRunnerOptions,
): Promise<RowDecoder> {
  const runner = new ProcessRunner(artifact, options, plan);
  try {
    return hostDecoder(plan, await runner.open(), runner);
  } catch (error) {
    await runner.dispose();
    throw error;
  }
}

class ProcessRunner implements ModelRunner, DecoderHost {
  readonly copies = 1;
  readonly #artifact: Pick<ModelArtifact, 'name' | 'bytes'>;
  readonly #options: ProcessRunnerOptions;
  readonly #plan: DecodingPlan | undefined;
  readonly #letGo: () => void;
  #running: Promise<Running>;
  #concurrency = 1;
  /** Starts in a row without a healthy life between. */
  #starts = 0;
  #nextStartAt = 0;
  #closing: Promise<void> | undefined;

  constructor({ name, bytes }: ModelArtifact, options: ProcessRunnerOptions, plan?: DecodingPlan) {
    this.#artifact = { name, bytes };
    this.#options = options;
    this.#plan = plan;
    this.#letGo = options.processes.hold();
    this.#running = this.#start();
  }

  get concurrency(): number {
    return this.#options.concurrency ?? this.#concurrency;
  }

  async open(): Promise<LoadedHost> {
    const running = await this.#running;
    this.#concurrency = running.concurrency;
    return running;
  }

  run(inputs: Parameters<ModelRunner['run']>[0], options?: RunnerOptions): ReturnType<ModelRunner['run']> {
    return this.use((line) => line.run(inputs, options), options);
  }

  async use<Result>(
    task: (line: HostLine) => Promise<Result>,
    options?: Pick<RunnerOptions, 'isWanted'>,
  ): Promise<Result> {
    const rest = this.#nextStartAt - performance.now();
    if (rest > worthWaitingMilliseconds)
      throw unavailable(this.#artifact.name, 'has failed several times in a row', Math.ceil(rest / 1000));
    const { host } = await this.#running;
    let looks = 0;
    const watch = setInterval(
      () => {
        looks = options?.isWanted?.() === false ? looks + 1 : 0;
        if (looks === 2) host.kill();
      },
      (this.#options.hangMilliseconds ?? defaultHangMilliseconds) / 2,
    );
    try {
      return await task(host.line);
    } finally {
      clearInterval(watch);
    }
  }

  dispose(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const running = await this.#running.catch(() => undefined);
    await running?.host.close();
    this.#letGo();
  }

  #restart(reason: string): void {
    if (this.#closing !== undefined) return;
    this.#options.onChange?.({ isRunning: false, reason });
    const pause = pauses[Math.min(this.#starts, pauses.length - 1)] as number;
    this.#nextStartAt = performance.now() + pause;
    const paused = new Promise<void>((resolve) => {
      if (pause === 0) resolve();
      else setTimeout(resolve, pause);
    });
    this.#running = paused.then(() => {
      if (this.#closing !== undefined) throw unavailable(this.#artifact.name, 'was unloaded');
      return this.#start();
    });
    this.#running.then(
      () => this.#options.onChange?.({ isRunning: true, reason: '' }),
      () => undefined,
    );
  }

  async #start(): Promise<Running> {
    const { name, bytes } = this.#artifact;
    this.#starts += 1;
    const startedAt = performance.now();
    const host = this.#options.processes.take();
    void host.ended.then((reason) => {
      if (performance.now() - startedAt > healthyMilliseconds) this.#starts = 0;
      this.#restart(reason);
    });
    try {
      await host.opened;
      return { host, ...(await host.load(name, bytes, this.#plan)) };
    } catch (error) {
      host.kill();
      throw error;
    }
  }
}

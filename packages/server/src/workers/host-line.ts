import type { TensorMap } from '@modelwright/core';
import type { DecoderFacts } from '../generation/row-decoder.js';
import type { ModelRunner, RunnerOptions } from '../serving/model-runner.js';
import type { BackendModule } from './backend-module.js';
import {
  fromPlain,
  fromPlainError,
  type HeldRow,
  type HostAnswer,
  type HostCall,
  type HostRequest,
  toPlain,
} from './host-messages.js';

interface Waiting {
  resolve(answer: HostAnswer): void;
  reject(error: unknown): void;
}

/** What a host tells of the model it has loaded. */
export interface LoadedHost {
  readonly concurrency: number;
  readonly decoder: DecoderFacts | undefined;
}

/** The server's end of the line to a thread or process that holds a model. */
export class HostLine {
  readonly #send: (call: HostCall) => void;
  readonly #waiting = new Map<number, Waiting>();
  #calls = 0;
  #failure: unknown;

  constructor(send: (call: HostCall) => void) {
    this.#send = send;
  }

  /** Calls without an answer. */
  get waitingCount(): number {
    return this.#waiting.size;
  }

  async open(backend: BackendModule): Promise<void> {
    await this.#call({ kind: 'open', backend }).answer;
  }

  async load(request: Omit<HostRequest & { readonly kind: 'load' }, 'kind'>): Promise<LoadedHost> {
    const { concurrency = 1, decoder } = await this.#call({ kind: 'load', ...request }).answer;
    return { concurrency, decoder };
  }

  /** The scores of each row after its last token, in their order: `[rows, vocabulary]`. */
  async feed(rows: readonly HeldRow[]): Promise<Float32Array> {
    const { outputs = {} } = await this.#call({ kind: 'feed', rows }).answer;
    return outputs['scores']?.data as Float32Array;
  }

  async run(inputs: TensorMap, { outputs, signal }: RunnerOptions = {}): ReturnType<ModelRunner['run']> {
    const isCancellable = signal !== undefined;
    const { id, answer } = this.#call({ kind: 'run', inputs: toPlain(inputs), outputs, isCancellable });
    const cancel = (): void => {
      if (this.#failure === undefined) void this.#call({ kind: 'cancel', run: id }).answer.catch(() => undefined);
    };
    signal?.addEventListener('abort', cancel, { once: true });
    try {
      return fromPlain((await answer).outputs ?? {});
    } finally {
      signal?.removeEventListener('abort', cancel);
    }
  }

  /** Asks it to free everything and end. */
  async close(): Promise<void> {
    await this.#call({ kind: 'close' }).answer;
  }

  /** Hands over an answer that came. */
  take(answer: HostAnswer): void {
    const waiting = this.#waiting.get(answer.id);
    this.#waiting.delete(answer.id);
    if (answer.failure === undefined) waiting?.resolve(answer);
    else waiting?.reject(fromPlainError(answer.failure));
  }

  /** The other end is gone: everything that waits fails, and all that will be asked. */
  fail(error: unknown): void {
    this.#failure = error;
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }

  #call(request: HostRequest): { readonly id: number; readonly answer: Promise<HostAnswer> } {
    this.#calls += 1;
    const id = this.#calls;
    const answer = new Promise<HostAnswer>((resolve, reject) => {
      if (this.#failure !== undefined) throw this.#failure;
      this.#waiting.set(id, { resolve, reject });
      this.#send({ ...request, id });
    });
    return { id, answer };
  }
}

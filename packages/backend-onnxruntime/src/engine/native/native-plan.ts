import { ModelwrightError, type Tensor } from '@modelwright/core';
import type { EngineRunOptions, EngineValue, RunPlan } from '../engine.js';
import { NativeValue } from './native-value.js';
import type { OrtApi } from './ort-api.js';
import { type EventLoopTurns, inputElementsOf, RunPace } from './pace.js';
import { readValue } from './read-value.js';
import type { ThreadSlots } from './thread-slots.js';

/** What a plan needs of its session. */
export interface PlanContext {
  readonly api: OrtApi;
  readonly threads: ThreadSlots;
  readonly turns: EventLoopTurns;
  /** The `OrtSession`; throws once it is disposed. */
  handle(): bigint;
  /** Counts runs, so that the session is freed after the last of them. */
  track<T>(work: () => Promise<T>): Promise<T>;
}

/** Pointer arrays of one run: inputs first, then outputs. Kept for the next run. */
interface Frame {
  readonly pointers: BigUint64Array;
  readonly inputs: bigint;
  readonly outputs: bigint;
}

/** A run of the C API with its argument arrays laid out once. */
export class NativePlan implements RunPlan {
  readonly #context: PlanContext;
  readonly #names: CStrings;
  readonly #outputNames: bigint;
  readonly #inputCount: number;
  readonly #outputCount: number;
  readonly #frames: Frame[] = [];
  readonly #pace = new RunPace();

  constructor(context: PlanContext, inputNames: readonly string[], outputNames: readonly string[]) {
    this.#context = context;
    this.#names = new CStrings(context.api, [...inputNames, ...outputNames]);
    this.#outputNames = this.#names.address + BigInt(8 * inputNames.length);
    this.#inputCount = inputNames.length;
    this.#outputCount = outputNames.length;
  }

  run(
    inputs: readonly EngineValue[],
    outputs: readonly (EngineValue | null)[],
    options: EngineRunOptions = {},
  ): Promise<Tensor[]> {
    const isShort = options.signal === undefined && this.#pace.isShort(inputElementsOf(inputs));
    if (!isShort || !this.#context.turns.isFresh())
      return this.#context.track(() => this.#runAside(inputs, outputs, options));
    try {
      return Promise.resolve(this.#runNow(inputs, outputs));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Runs here and now: nothing can be disposed meanwhile, so nothing is counted. */
  #runNow(inputs: readonly EngineValue[], outputs: readonly (EngineValue | null)[]): Tensor[] {
    const frame = this.#frames.pop() ?? this.#createFrame();
    try {
      this.#fill(frame, inputs, outputs);
      const start = performance.now();
      const { api } = this.#context;
      const session = this.#context.handle();
      const { length: inputCount } = inputs;
      const outputNames = this.#outputNames;
      const names = this.#names.address;
      api.check(
        api.functions.Run(session, null, names, frame.inputs, inputCount, outputNames, outputs.length, frame.outputs),
      );
      this.#pace.record(inputElementsOf(inputs), performance.now() - start);
      return this.#collect(frame, outputs);
    } finally {
      this.#frames.push(frame);
    }
  }

  async #runAside(
    inputs: readonly EngineValue[],
    outputs: readonly (EngineValue | null)[],
    { signal }: EngineRunOptions,
  ): Promise<Tensor[]> {
    if (signal?.aborted) throw new ModelwrightError('aborted', 'The run was aborted before it began.');
    const values = [...inputs, ...outputs].filter((value) => value !== null).map(toNative);
    for (const value of values) value.retain();
    const frame = this.#frames.pop() ?? this.#createFrame();
    try {
      this.#fill(frame, inputs, outputs);
      await this.#execute(frame, inputElementsOf(inputs), signal);
      return this.#collect(frame, outputs);
    } finally {
      for (const value of values) value.release();
      this.#frames.push(frame);
    }
  }

  #createFrame(): Frame {
    const pointers = new BigUint64Array(this.#inputCount + this.#outputCount + 1);
    const inputs = this.#context.api.address(pointers);
    return { pointers, inputs, outputs: inputs + BigInt(8 * this.#inputCount) };
  }

  #fill(frame: Frame, inputs: readonly EngineValue[], outputs: readonly (EngineValue | null)[]): void {
    if (inputs.length !== this.#inputCount || outputs.length !== this.#outputCount)
      throw new ModelwrightError('invalid-argument', 'The number of values is not that of the plan.');
    let index = 0;
    for (const value of inputs) frame.pointers[index++] = toNative(value).handle;
    for (const value of outputs) frame.pointers[index++] = value === null ? 0n : toNative(value).handle;
  }

  async #execute(frame: Frame, inputElements: number, signal: AbortSignal | undefined): Promise<void> {
    const { turns, threads, api } = this.#context;
    if (signal === undefined && this.#pace.isShort(inputElements)) {
      await turns.yield();
      const start = performance.now();
      api.call('Run', ...this.#parameters(frame, null));
      this.#pace.record(inputElements, performance.now() - start);
      return;
    }
    await threads.use(async () => {
      const start = performance.now();
      await this.#executeAside(frame, signal);
      this.#pace.record(inputElements, performance.now() - start);
    });
    turns.mark();
  }

  async #executeAside(frame: Frame, signal: AbortSignal | undefined): Promise<void> {
    const { api } = this.#context;
    if (signal === undefined) return api.callAsync('Run', ...this.#parameters(frame, null));
    const runOptions = api.pointer('CreateRunOptions');
    const terminate = (): void => api.call('RunOptionsSetTerminate', runOptions);
    signal.addEventListener('abort', terminate, { once: true });
    try {
      await api.callAsync('Run', ...this.#parameters(frame, runOptions));
    } finally {
      signal.removeEventListener('abort', terminate);
      api.functions.ReleaseRunOptions(runOptions);
    }
  }

  #parameters(frame: Frame, runOptions: bigint | null): (bigint | number | null)[] {
    const session = this.#context.handle();
    const [names, outputNames] = [this.#names.address, this.#outputNames];
    return [session, runOptions, names, frame.inputs, this.#inputCount, outputNames, this.#outputCount, frame.outputs];
  }

  #collect(frame: Frame, outputs: readonly (EngineValue | null)[]): Tensor[] {
    const { api } = this.#context;
    if (!outputs.includes(null)) return outputs.map((value) => (value as EngineValue).tensor);
    const handles = outputs.map((_, index) => frame.pointers[this.#inputCount + index] as bigint);
    try {
      return outputs.map((value, index) => value?.tensor ?? readValue(api, handles[index] as bigint));
    } finally {
      for (const [index, value] of outputs.entries())
        if (value === null) api.functions.ReleaseValue(handles[index] as bigint);
    }
  }
}

/** An array of C strings that stays where it is. */
export class CStrings {
  readonly address: bigint;
  // Held only so that the memory behind the addresses lives as long as this object.
  readonly #memory: readonly [Uint8Array, BigUint64Array];

  constructor(api: OrtApi, texts: readonly string[]) {
    const encoded = texts.map((text) => new TextEncoder().encode(`${text}\0`));
    const bytes = new Uint8Array(encoded.reduce((sum, one) => sum + one.length, 1));
    const pointers = new BigUint64Array(texts.length + 1);
    const start = api.address(bytes);
    let offset = 0;
    for (const [index, one] of encoded.entries()) {
      bytes.set(one, offset);
      pointers[index] = start + BigInt(offset);
      offset += one.length;
    }
    this.#memory = [bytes, pointers];
    this.address = api.address(this.#memory[1]);
  }
}

function toNative(value: EngineValue): NativeValue {
  if (value instanceof NativeValue) return value;
  throw new ModelwrightError('invalid-argument', 'A value of another engine was given to the native one.');
}

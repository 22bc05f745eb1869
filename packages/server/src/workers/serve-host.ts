import { type Backend, type Executable, ModelwrightError, Tensor, type TensorMap } from '@modelwright/core';
import { readOnnx } from '@modelwright/onnx';
import { RowSession } from '@modelwright/text';
import { signatureOf } from '../serving/signature.js';
import { type BackendModule, openBackendModule } from './backend-module.js';
import {
  fromPlain,
  type HeldRow,
  type HostAnswer,
  type HostCall,
  memoryOf,
  type PlainTensors,
  toPlain,
  toPlainError,
} from './host-messages.js';

/** A thread's or process's own end of the line to the server. */
export interface HostEnd {
  readonly onCall: (listener: (call: HostCall) => void) => void;
  readonly answer: (answer: HostAnswer, transfer: ArrayBuffer[]) => void;
  /** So many bytes of the standard input. */
  readonly readInput?: (sizeBytes: number) => Promise<Uint8Array>;
  /** Called when the server asked to end and everything is freed. */
  readonly onClosed: () => void;
}

/** The side of a thread or process that holds a model for the server: loads it once, runs it until told to close. */
export function serveHost(end: HostEnd): void {
  const host = new Host(end);
  end.onCall((call) => {
    host.handle(call).then(
      (content) => {
        end.answer({ id: call.id, ...content }, memoryOf(content.outputs ?? {}));
        if (call.kind === 'close') end.onClosed();
      },
      (error: unknown) => end.answer({ id: call.id, failure: toPlainError(error) }, []),
    );
  });
}

class Host {
  readonly #end: HostEnd;
  readonly #running = new Map<number, AbortController>();
  #backend: Promise<Backend> | undefined;
  #executable: Executable | undefined;
  #session: RowSession | undefined;

  constructor(end: HostEnd) {
    this.#end = end;
  }

  async handle(call: HostCall): Promise<Omit<HostAnswer, 'id'>> {
    switch (call.kind) {
      case 'open':
        await this.#open(call.backend);
        return {};
      case 'load':
        return this.#load(call);
      case 'run':
        return { outputs: await this.#run(call) };
      case 'feed':
        return { outputs: toPlain(await this.#feed(call.rows)) };
      case 'cancel':
        this.#running.get(call.run)?.abort();
        return {};
      case 'close':
        await (await this.#backend?.catch(() => undefined))?.dispose();
        return {};
    }
  }

  #open(backend: BackendModule): Promise<Backend> {
    this.#backend ??= openBackendModule(backend);
    return this.#backend;
  }

  async #load({
    name,
    backend,
    bytes,
    decoding,
  }: HostCall & { readonly kind: 'load' }): Promise<Omit<HostAnswer, 'id'>> {
    const [opened, file] = await Promise.all([
      this.#open(backend),
      typeof bytes === 'number' ? this.#end.readInput?.(bytes) : bytes,
    ]);
    const concurrency = Math.max(1, Math.floor(opened.capabilities.threads / 2));
    const model = readOnnx(file as Uint8Array);
    if (decoding !== undefined) {
      this.#session = await RowSession.open(model, { backend: opened, ...decoding });
      const { memoryBytes, vocabularySize, longestChunk } = this.#session;
      return { concurrency, decoder: { memoryBytes, vocabularySize, longestChunk } };
    }
    const { program } = signatureOf(model, { maxBatchSize: 0 });
    this.#executable = await opened.compile(program, { name });
    return { concurrency };
  }

  /** A row that holds more than it should goes back to it; one that holds less is another process's. */
  async #feed(rows: readonly HeldRow[]): Promise<TensorMap> {
    const session = this.#session;
    if (session === undefined) throw new ModelwrightError('model-unavailable', 'no model was loaded');
    for (const { row, held } of rows) {
      if (session.heldBy(row) < held) throw new ModelwrightError('model-unavailable', 'what the rows held was lost');
      session.rewind(row, held);
    }
    const scores = await session.feed(rows);
    const all = new Float32Array(rows.length * session.vocabularySize);
    for (const [index, { row }] of rows.entries())
      all.set(scores.get(row) as Float32Array, index * session.vocabularySize);
    return { scores: new Tensor('float32', [rows.length, session.vocabularySize], all) };
  }

  async #run({ id, inputs, outputs, isCancellable }: HostCall & { readonly kind: 'run' }): Promise<PlainTensors> {
    if (this.#executable === undefined) throw new ModelwrightError('model-unavailable', 'no model was loaded');
    const options = outputs === undefined ? {} : { outputs };
    if (!isCancellable) return toPlain(await this.#executable.run(fromPlain(inputs), options));
    const controller = new AbortController();
    this.#running.set(id, controller);
    try {
      return toPlain(await this.#executable.run(fromPlain(inputs), { ...options, signal: controller.signal }));
    } finally {
      this.#running.delete(id);
    }
  }
}

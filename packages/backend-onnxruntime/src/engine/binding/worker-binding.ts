import { createRequire } from 'node:module';
import { Worker } from 'node:worker_threads';
import { installCommands, ModelwrightError } from '@modelwright/core';
import type { ElementArray } from '../element-type.js';
import type { BindingApi, BindingInferenceSession, BindingMetadata, BindingTensor } from './binding-api.js';
import { serveBinding, type WorkerAnswer, type WorkerCall } from './serve-binding.js';

type Unnumbered<Call> = Call extends unknown ? Omit<Call, 'id'> : never;

/** The stock API in a thread of its own: runs leave the event loop free, and inputs and outputs are copied on their way. */
export interface WorkerBinding extends BindingApi {
  /** Ends the thread; calls under way fail. */
  close(): Promise<void>;
}

/**
 * Loads `onnxruntime-node` in a worker thread.
 *
 * @throws ModelwrightError `backend-unavailable` when it is not installed.
 */
export async function openWorkerBinding(): Promise<WorkerBinding> {
  const line = new WorkerLine(resolveRuntime());
  const { version } = await line.call({ kind: 'open' });
  let sessions = 0;
  return {
    env: { versions: { node: version ?? 'unknown' } },
    Tensor: PlainTensor,
    InferenceSession: {
      async create(model, options = {}): Promise<BindingInferenceSession> {
        sessions += 1;
        const session = sessions;
        const { inputs, outputs } = await line.call({ kind: 'create', session, model, options });
        return new RemoteSession(line, session, { inputs: inputs ?? [], outputs: outputs ?? [] });
      },
    },
    close: () => line.close(),
  };
}

function resolveRuntime(): string {
  try {
    return createRequire(import.meta.url).resolve('onnxruntime-node');
  } catch (cause) {
    throw new ModelwrightError('backend-unavailable', 'onnxruntime-node is not installed', {
      hint: installCommands('onnxruntime-node'),
      cause,
    });
  }
}

class PlainTensor implements BindingTensor {
  readonly type: string;
  readonly data: ElementArray | readonly string[];
  readonly dims: readonly number[];

  constructor(type: string, data: ElementArray | readonly string[], dims: readonly number[]) {
    this.type = type;
    this.data = data;
    this.dims = dims;
  }
}

/** Calls to the worker and their answers. The process may end while no call is under way. */
class WorkerLine {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, { resolve(answer: WorkerAnswer): void; reject(error: Error): void }>();
  #calls = 0;

  constructor(runtimePath: string) {
    const host = `{ port: require('node:worker_threads').parentPort, load: () => require(${JSON.stringify(runtimePath)}) }`;
    this.#worker = new Worker(`(${serveBinding.toString()})(${host})`, { eval: true });
    this.#worker.on('message', (answer: WorkerAnswer) => this.#take(answer));
    this.#worker.on('error', (error) => this.#failAll(error));
    this.#worker.on('exit', () =>
      this.#failAll(new ModelwrightError('backend-failure', 'the worker thread of ONNX Runtime has ended')),
    );
    this.#worker.unref();
  }

  call(call: Unnumbered<WorkerCall>, transfer: readonly ArrayBuffer[] = []): Promise<WorkerAnswer> {
    this.#calls += 1;
    const id = this.#calls;
    this.#worker.ref();
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#worker.postMessage({ ...call, id }, [...transfer]);
    });
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
  }

  #take(answer: WorkerAnswer): void {
    const waiting = this.#waiting.get(answer.id);
    this.#waiting.delete(answer.id);
    if (this.#waiting.size === 0) this.#worker.unref();
    if (answer.failure === undefined) waiting?.resolve(answer);
    else waiting?.reject(new ModelwrightError('backend-failure', answer.failure));
  }

  #failAll(cause: Error): void {
    const error = new ModelwrightError('backend-failure', `ONNX Runtime's worker: ${cause.message}`, { cause });
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }
}

class RemoteSession implements BindingInferenceSession {
  readonly inputMetadata: readonly BindingMetadata[];
  readonly outputMetadata: readonly BindingMetadata[];
  readonly #line: WorkerLine;
  readonly #session: number;

  constructor(
    line: WorkerLine,
    session: number,
    { inputs, outputs }: { readonly inputs: readonly BindingMetadata[]; readonly outputs: readonly BindingMetadata[] },
  ) {
    this.#line = line;
    this.#session = session;
    this.inputMetadata = inputs;
    this.outputMetadata = outputs;
  }

  async run(
    feeds: Readonly<Record<string, BindingTensor>>,
    fetches: Readonly<Record<string, BindingTensor | null>>,
  ): Promise<Readonly<Record<string, BindingTensor>>> {
    const transfer: ArrayBuffer[] = [];
    const copies = Object.entries(feeds).map(([name, { type, dims, data }]): [string, BindingTensor] => {
      // A view would take the whole buffer behind it along, WebAssembly memory above all.
      const copy = data.slice() as BindingTensor['data'];
      if (ArrayBuffer.isView(copy)) transfer.push(copy.buffer as ArrayBuffer);
      return [name, { type, dims, data: copy }];
    });
    const call = {
      kind: 'run',
      session: this.#session,
      feeds: Object.fromEntries(copies),
      fetches: Object.keys(fetches),
    } as const;
    const { results = {} } = await this.#line.call(call, transfer);
    for (const [name, target] of Object.entries(fetches))
      if (target !== null) fill(target, results[name] as BindingTensor, name);
    return results;
  }

  async release(): Promise<void> {
    await this.#line.call({ kind: 'release', session: this.#session });
  }
}

/** As the stock API does with memory that it is given for an output. */
function fill(target: BindingTensor, result: BindingTensor, name: string): void {
  if (result.dims.length !== target.dims.length || result.dims.some((extent, axis) => extent !== target.dims[axis]))
    throw new ModelwrightError(
      'backend-failure',
      `output '${name}' is [${result.dims}], but memory for [${target.dims}] was given`,
    );
  (target.data as Float32Array).set(result.data as Float32Array);
}

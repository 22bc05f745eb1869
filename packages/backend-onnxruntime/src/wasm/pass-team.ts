import { ModelwrightError } from '@modelwright/core';
import type { WasmExports, WasmMemory, WasmModule } from './web-assembly.js';

/** A call of one of a module's functions. */
export interface PassTask {
  /** Position of the function among the names the module was enlisted with. */
  readonly index: number;
  readonly parameters: readonly number[];
}

/** A module that the team knows, with its memory. */
export interface EnlistedModule {
  readonly id: number;
  readonly functions: readonly WasmExports[string][];
  readonly table: Int32Array;
}

/**
 * Words of the memory by which threads talk: a counter that wakes helpers, tasks left to take (counted down, so that one
 * who comes late finds none whatever happens next), tasks done, and the module they are of.
 */
const words = { wake: 0, left: 1, done: 2, module: 3, count: 4 } as const;

/** A task in a table: function, number of parameters, parameters. */
const taskWords = 18;
/** Most tasks of one call of {@link PassTeam.run}. */
const mostTasks = 256;
/** Below so many elements helping costs more than it saves. */
export const leastSharedElements: number = 2 ** 17;
const mostParameters = taskWords - 2;
/** A helper has a task of microseconds in hand; one that is held up this long will not come back. */
const helperDeadlineMilliseconds = 20_000;
const spinsPerLook = 4096;

/** A thread that runs JavaScript, as `node:worker_threads` has them. */
export interface HelperThread {
  postMessage(message: unknown): void;
}

/** Starts a thread that does not keep the process alive; `data` is its `workerData`. */
export type StartHelper = (source: string, data: object) => Promise<HelperThread>;

/** Helpers sleep until `wake` changes, then hear what came by message and take tasks until none is left. */
const helperSource = `
const { workerData: { control, words, taskWords }, parentPort, receiveMessageOnPort } = require('node:worker_threads');
const modules = new Map();
const listen = () => {
  for (let received = receiveMessageOnPort(parentPort); received; received = receiveMessageOnPort(parentPort)) {
    const { id, module, memory, names, table } = received.message;
    if (module === undefined) { modules.delete(id); continue; }
    const { exports } = new WebAssembly.Instance(module, { memory: { memory } });
    modules.set(id, { functions: names.map((name) => exports[name]), table });
  }
};
let seen = 0;
for (;;) {
  Atomics.wait(control, words.wake, seen);
  seen = Atomics.load(control, words.wake);
  listen();
  for (let task = Atomics.sub(control, words.left, 1) - 1; task >= 0; task = Atomics.sub(control, words.left, 1) - 1) {
    const id = Atomics.load(control, words.module);
    // Tasks of a module that came while those of another one were still being taken.
    if (!modules.has(id)) listen();
    const { functions, table } = modules.get(id);
    const start = task * taskWords;
    functions[table[start]](...table.subarray(start + 2, start + 2 + table[start + 1]));
    Atomics.add(control, words.done, 1);
  }
}`;

/** The thread that runs a program and helpers that share the work of its passes: one for the whole process. */
export class PassTeam {
  readonly #control: Int32Array;
  readonly #helpers: readonly HelperThread[];
  #lastId = 0;

  private constructor(control: Int32Array, helpers: readonly HelperThread[]) {
    this.#control = control;
    this.#helpers = helpers;
  }

  /** Starts the helpers. */
  static async open(helperCount: number, start: StartHelper): Promise<PassTeam> {
    const control = new Int32Array(new SharedArrayBuffer(4 * words.count));
    const data = { control, words, taskWords };
    const helpers = await Promise.all(Array.from({ length: helperCount }, () => start(helperSource, data)));
    return new PassTeam(control, helpers);
  }

  /** Makes the functions of a module known to all, on a shared memory. */
  enlist(
    module: WasmModule,
    functions: EnlistedModule['functions'],
    options: { readonly memory: WasmMemory; readonly names: readonly string[] },
  ): EnlistedModule {
    this.#lastId += 1;
    const id = this.#lastId;
    const table = new Int32Array(new SharedArrayBuffer(4 * taskWords * mostTasks));
    for (const helper of this.#helpers) helper.postMessage({ id, module, table, ...options });
    return { id, table, functions };
  }

  /** Helpers forget the module, and let go of its memory. */
  dismiss({ id }: EnlistedModule): void {
    for (const helper of this.#helpers) helper.postMessage({ id });
    this.#wake();
  }

  /** Runs tasks in any order, several at once; returns when all are done. */
  run({ id, functions, table }: EnlistedModule, tasks: readonly PassTask[]): void {
    const control = this.#control;
    for (const [at, { index, parameters }] of tasks.entries()) {
      table[at * taskWords] = index;
      table[at * taskWords + 1] = parameters.length;
      table.set(parameters, at * taskWords + 2);
    }
    Atomics.store(control, words.module, id);
    Atomics.store(control, words.done, 0);
    Atomics.store(control, words.left, tasks.length);
    this.#wake();
    for (;;) {
      const at = Atomics.sub(control, words.left, 1) - 1;
      if (at < 0) break;
      const { index, parameters } = tasks[at] as PassTask;
      (functions[index] as NonNullable<WasmExports[string]>)(...parameters);
      Atomics.add(control, words.done, 1);
    }
    this.#awaitHelpers(tasks.length);
  }

  /** What is left takes microseconds: shorter than going to sleep. */
  #awaitHelpers(count: number): void {
    const deadline = performance.now() + helperDeadlineMilliseconds;
    for (let spin = 1; Atomics.load(this.#control, words.done) < count; spin++) {
      if (spin % spinsPerLook === 0 && performance.now() > deadline)
        throw new ModelwrightError('backend-failure', 'a thread that updates weights does not answer');
    }
  }

  #wake(): void {
    Atomics.add(this.#control, words.wake, 1);
    Atomics.notify(this.#control, words.wake);
  }
}

const teams = new Map<number, Promise<PassTeam>>();

/** The team with so many helpers: one a process, since only one thread gives it work. */
export function passTeam(helperCount: number, start: StartHelper): Promise<PassTeam> {
  const known = teams.get(helperCount);
  if (known !== undefined) return known;
  const opened = PassTeam.open(helperCount, start);
  teams.set(helperCount, opened);
  opened.catch(() => teams.delete(helperCount));
  return opened;
}

/** Whether a function with so many parameters can be a task. */
export function isTaskSized(parameterCount: number): boolean {
  return parameterCount <= mostParameters;
}

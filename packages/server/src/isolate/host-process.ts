import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { DecodingPlan } from '../generation/row-decoder.js';
import { unavailable } from '../serving/model-runner.js';
import type { BackendModule } from '../workers/backend-module.js';
import { hostEntry } from '../workers/host-entry.js';
import { HostLine, type LoadedHost } from '../workers/host-line.js';
import type { HostAnswer } from '../workers/host-messages.js';
import { isSecretVariable } from './secret-variable.js';

/** How processes that hold models are started. */
export interface HostProcessOptions {
  readonly backend: BackendModule;
  /** Code that the process runs instead of the package's own, with the arguments for node that it needs. */
  readonly entry?: { readonly url: URL; readonly execArgv?: readonly string[] } | undefined;
}

const closeMilliseconds = 5000;
/** Arguments of node that are meant for the server alone: a second process cannot listen on the same port, say. */
const watchesProcess = /^--(inspect|(cpu|heap)-prof)/;

/** A process that can hold one model. It gets none of the server's variables that look like secrets. */
export class HostProcess {
  readonly line: HostLine;
  /** Resolves when it has loaded its code and opened the backend. */
  readonly opened: Promise<void>;
  /** Resolves with the reason when it has ended, whoever ended it. */
  readonly ended: Promise<string>;
  readonly #child: ChildProcess;
  readonly #backend: BackendModule;
  #model = '';
  #hasEnded = false;

  constructor(options: HostProcessOptions) {
    this.#backend = options.backend;
    const child = start(options);
    this.#child = child;
    this.line = new HostLine((call) => child.send(call));
    this.ended = new Promise((resolve) => {
      child.on('error', (error) => resolve(error.message));
      child.on('exit', (code, signal) =>
        resolve(signal === null ? `it ended with ${code}` : `it was ended by ${signal}`),
      );
    });
    void this.ended.then((reason) => this.#end(reason));
    child.on('message', (answer) => this.line.take(answer as HostAnswer));
    // A process that dies while it reads is told by its end.
    child.stdin?.on('error', () => undefined);
    this.opened = this.line.open(this.#backend);
    this.opened.catch(() => undefined);
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** Loads a model into it, through a pipe. */
  async load(name: string, bytes: Uint8Array, decoding?: DecodingPlan): Promise<LoadedHost> {
    this.#model = name;
    const loaded = this.line.load({ name, backend: this.#backend, bytes: bytes.byteLength, decoding });
    this.#child.stdin?.end(bytes);
    return loaded;
  }

  /** Whether it keeps the server's process alive. */
  hold(isHeld: boolean): void {
    const handles = [this.#child, this.#child.channel] as ({ ref(): void; unref(): void } | null | undefined)[];
    for (const handle of handles)
      if (isHeld) handle?.ref();
      else handle?.unref();
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  /** Lets it free everything and end. */
  async close(): Promise<void> {
    const timer = setTimeout(() => this.kill(), closeMilliseconds);
    await this.line.close().catch(() => undefined);
    await this.ended;
    clearTimeout(timer);
  }

  #end(reason: string): void {
    this.#hasEnded = true;
    this.line.fail(unavailable(this.#model, `lost the process that ran it: ${reason}`, 1));
  }
}

function start({ entry }: HostProcessOptions): ChildProcess {
  const environment = Object.entries(process.env).filter(([name]) => !isSecretVariable(name));
  return fork(fileURLToPath(entry?.url ?? hostEntry('./process-entry', import.meta.url)), {
    serialization: 'advanced',
    execArgv: [...(entry?.execArgv ?? process.execArgv.filter((argument) => !watchesProcess.test(argument)))],
    env: Object.fromEntries(environment),
    stdio: ['pipe', 2, 2, 'ipc'],
  });
}

import { HostProcess, type HostProcessOptions } from './host-process.js';

/** The next spare is started when the one before has had time to load its model. */
const pauseMilliseconds = 1000;

/**
 * Keeps one process ready for whichever model loses its own: code loaded, backend open, no model in it. So a model is back in the time
 * that loading it takes. There is a spare as long as anybody holds on to this.
 */
export class SpareProcess {
  readonly #options: HostProcessOptions;
  #holders = 0;
  #spare: HostProcess | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: HostProcessOptions) {
    this.#options = options;
  }

  /** Begins to hold on. Call the result once to let go. */
  hold(): () => void {
    this.#holders += 1;
    return () => {
      this.#holders -= 1;
      if (this.#holders > 0) return;
      clearTimeout(this.#timer);
      this.#spare?.kill();
      this.#spare = undefined;
    };
  }

  /** The spare if it is there, else a new process; a next spare is prepared. */
  take(): HostProcess {
    const spare = this.#spare?.hasEnded === false ? this.#spare : new HostProcess(this.#options);
    this.#spare = undefined;
    spare.hold(true);
    this.#prepareLater();
    return spare;
  }

  #prepareLater(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      if (this.#holders === 0 || this.#spare !== undefined) return;
      this.#spare = new HostProcess(this.#options);
      this.#spare.hold(false);
    }, pauseMilliseconds);
    this.#timer.unref();
  }
}

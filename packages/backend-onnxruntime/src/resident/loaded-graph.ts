import { fromNumbers, isModelwrightError, ModelwrightError, type Tensor, toNumbers } from '@modelwright/core';
import type { AcceleratorSession } from './accelerator.js';

/** The graph of one run, loaded. */
export interface LoadedGraph {
  readonly session: AcceleratorSession;
  /** Inputs that take as int32 what other inputs hold as int64, with the names of those. */
  readonly narrowed: ReadonlyMap<string, string>;
}

/** A graph that computes with int32 what fits, and the same graph as it stands for numbers that do not. */
export class NarrowableGraph {
  readonly #loaded: LoadedGraph;
  readonly #loadWide: () => Promise<LoadedGraph>;
  #wide: Promise<LoadedGraph> | undefined;

  constructor(loaded: LoadedGraph, loadWide: () => Promise<LoadedGraph>) {
    this.#loaded = loaded;
    this.#loadWide = loadWide;
  }

  /**
   * @param find - gives the int64 tensor of an input.
   * @returns the graph that can hold what is given, and the inputs to be fed to it in int32.
   * @throws {@link ModelwrightError} `value-out-of-range` where such numbers need the CPU and it must not be used.
   */
  async for(
    find: (name: string) => Promise<Tensor>,
  ): Promise<{ readonly session: AcceleratorSession; readonly narrow: ReadonlyMap<string, Tensor> }> {
    const narrow = new Map<string, Tensor>();
    for (const [name, source] of this.#loaded.narrowed) {
      const given = await find(source);
      const numbers = toNumbers(given);
      const wrong = numbers.find((number) => number !== (number | 0));
      if (wrong !== undefined) return { session: (await this.#widen(source, wrong)).session, narrow: new Map() };
      narrow.set(name, fromNumbers('int32', given.shape, numbers));
    }
    return { session: this.#loaded.session, narrow };
  }

  async dispose(): Promise<void> {
    await this.#loaded.session.dispose();
    await this.#wide?.then(({ session }) => session.dispose());
  }

  async #widen(input: string, given: number): Promise<LoadedGraph> {
    this.#wide ??= this.#loadWide();
    try {
      return await this.#wide;
    } catch (cause) {
      this.#wide = undefined;
      if (!isModelwrightError(cause)) throw cause;
      const message = `'${input}' holds ${given}, and this device alone takes integers of 32 bits: ${cause.message}`;
      throw new ModelwrightError('value-out-of-range', message, { input, given, cause });
    }
  }
}

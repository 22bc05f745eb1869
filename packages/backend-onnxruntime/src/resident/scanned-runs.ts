import {
  ModelwrightError,
  type RunOptions,
  type StateSlot,
  Tensor,
  type TensorMap,
  type Value,
} from '@modelwright/core';
import type { AcceleratorSession, Placed } from './accelerator.js';
import { HostShare, type HostStep } from './host-share.js';
import type { ResidentParts } from './resident-executable.js';
import { copyOf } from './resident-state.js';
import { chunkRuns, stackRuns, unstackRuns } from './stack-runs.js';

/** A scan of a program's steps, loaded. */
export interface LoadedScan {
  readonly session: AcceleratorSession;
  /** Slots by the input that takes them. */
  readonly slots: ReadonlyMap<string, StateSlot>;
  /** Input that only says how many steps there are. */
  readonly ticks: string | undefined;
}

/** Memory that inputs and outputs of one call may take: the device holds all of them at once. */
const mostCallBytes = 2 ** 28;

/**
 * Many steps in one call, for a device that gives everything back after each call: its state goes there and comes back once for all of them.
 * What the host computes for each step it computes beforehand.
 */
export class ScannedRuns {
  readonly #parts: ResidentParts;
  readonly #scan: LoadedScan;

  constructor(parts: ResidentParts, scan: LoadedScan) {
    this.#parts = parts;
    this.#scan = scan;
  }

  /** Runs in order; inputs have been checked. */
  async run(runs: readonly TensorMap[], { signal, outputs }: RunOptions): Promise<TensorMap[]> {
    const { program } = this.#parts;
    const slots = new Set(program.state.map(({ input }) => input));
    const names = program.graph.inputs.map(({ name }) => name).filter((name) => !slots.has(name));
    const results: TensorMap[] = [];
    for (const chunk of chunkRuns(runs, { names, ownBytes: this.#ownBytes(), mostBytes: mostCallBytes })) {
      if (signal?.aborted)
        throw new ModelwrightError('aborted', 'the run was aborted before it began', { cause: signal.reason });
      results.push(...(await this.#runChunk(chunk, outputs)));
    }
    return results;
  }

  /** Bytes of a step beside what the caller gives: random numbers, and outputs as far as their extents are known. */
  #ownBytes(): number {
    const { random, fetched } = this.#parts.plan;
    const values = [...random, ...fetched.filter(({ from }) => from === 'device')].map(({ value }) => value);
    return values.reduce((sum, value) => sum + 8 * knownElements(value), 0);
  }

  async #runChunk(chunk: readonly TensorMap[], wanted: readonly string[] | undefined): Promise<TensorMap[]> {
    const { plan, program, state } = this.#parts;
    const { session } = this.#scan;
    const held = new Map<string, Tensor>();
    for (const { name } of program.state) held.set(name, await state.onHost(name));
    const share = new HostShare(program, plan, held);
    const steps = chunk.map((given) => share.step(given));
    const results = await session.run(new Map(session.inputNames.map((name) => [name, this.#feed(name, steps)])));
    for (const { slot } of plan.numberSlots) state.replace(slot.name, share.held(slot.name));
    for (const { slot } of [...plan.carried, ...plan.copiedSlots])
      state.replace(slot.name, results.get(slot.output as string) as Placed);
    return this.#collect(steps, results, wanted);
  }

  #feed(name: string, steps: readonly HostStep[]): Placed {
    const { slots, ticks } = this.#scan;
    const slot = slots.get(name);
    if (slot !== undefined) return this.#parts.state.placed(slot.name);
    if (name === ticks) return new Tensor('float32', [steps.length], new Float32Array(steps.length));
    return stackRuns(steps.map((step) => step.feed(name)));
  }

  #collect(
    steps: readonly HostStep[],
    results: ReadonlyMap<string, Placed>,
    wanted: readonly string[] | undefined,
  ): TensorMap[] {
    const fetched = this.#parts.plan.fetched.filter(({ name }) => wanted === undefined || wanted.includes(name));
    const stacks = new Map<string, readonly Tensor[]>();
    for (const { name, from } of fetched)
      if (from === 'device') stacks.set(name, unstackRuns(results.get(name) as Tensor));
    return steps.map((step, index) =>
      Object.fromEntries(
        fetched.map(({ name, value }) => [name, stacks.get(name)?.[index] ?? copyOf(step.known(value))]),
      ),
    );
  }
}

/** Whether runs of a program can be the steps of a scan: the host never waits for what the device makes, and shapes are those of the inputs. */
export function isScannable({ program, plan }: Pick<ResidentParts, 'program' | 'plan'>): boolean {
  const { graph, fetched } = plan;
  const inputs = new Set(program.state.map(({ input }) => input));
  const symbols = new Set(program.graph.inputs.flatMap(({ shape }) => shape));
  const values = [...graph.inputs, ...graph.outputs.map(({ value }) => value)];
  return (
    program.state.length > 0 &&
    fetched.every(({ from, value }) => from !== 'host' || !inputs.has(value.name)) &&
    values.every(({ dtype }) => dtype !== 'string') &&
    values.every(({ shape }) => shape.every((extent) => typeof extent === 'number' || symbols.has(extent)))
  );
}

function knownElements({ shape }: Value): number {
  return shape.reduce<number>((product, extent) => product * (typeof extent === 'number' ? extent : 1), 1);
}

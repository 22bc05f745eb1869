import { ModelwrightError } from '@modelwright/core';
import type { RunPlan, Session, ValueMetadata } from '../engine.js';
import { NativePlan, type PlanContext } from './native-plan.js';
import { readMetadata } from './session-metadata.js';

/** What a session shares with its engine. */
export type SessionContext = Pick<PlanContext, 'api' | 'threads' | 'turns'>;

/** A model loaded by the C API. */
export class NativeSession implements Session {
  readonly inputs: readonly ValueMetadata[];
  readonly outputs: readonly ValueMetadata[];
  readonly #context: PlanContext;
  readonly #handle: bigint;
  readonly #onClosed: () => void;
  #running = 0;
  #idle: (() => void) | undefined;
  #closing: Promise<void> | undefined;

  constructor(context: SessionContext, handle: bigint, onClosed: () => void) {
    this.#handle = handle;
    this.#onClosed = onClosed;
    this.#context = { ...context, handle: () => this.#openHandle(), track: (work) => this.#track(work) };
    this.inputs = readMetadata(context.api, handle, 'input');
    this.outputs = readMetadata(context.api, handle, 'output');
  }

  plan(inputNames: readonly string[], outputNames: readonly string[]): RunPlan {
    requireKnown('input', inputNames, this.inputs);
    requireKnown('output', outputNames, this.outputs);
    return new NativePlan(this.#context, inputNames, outputNames);
  }

  dispose(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    if (this.#running > 0) await new Promise<void>((resolve) => (this.#idle = resolve));
    await this.#context.api.releaseAsync('ReleaseSession', this.#handle);
    this.#onClosed();
  }

  /** A run that is counted finishes before the session closes; all others must find it open. */
  #openHandle(): bigint {
    if (this.#closing !== undefined && this.#running === 0)
      throw new ModelwrightError('resource-disposed', 'This session was disposed.');
    return this.#handle;
  }

  async #track<T>(work: () => Promise<T>): Promise<T> {
    if (this.#closing !== undefined) throw new ModelwrightError('resource-disposed', 'This session was disposed.');
    this.#running += 1;
    try {
      return await work();
    } finally {
      this.#running -= 1;
      if (this.#running === 0) this.#idle?.();
    }
  }
}

/** @throws ModelwrightError `invalid-argument` naming the first name a session does not have. */
export function requireKnown(side: string, names: readonly string[], known: readonly ValueMetadata[]): void {
  const allowed = known.map(({ name }) => name);
  for (const name of names)
    if (!allowed.includes(name))
      throw new ModelwrightError(
        'invalid-argument',
        `The model has no ${side} '${name}'; it has ${allowed.join(', ')}.`,
        {
          given: name,
          allowed,
        },
      );
}

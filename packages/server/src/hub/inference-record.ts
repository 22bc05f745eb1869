import { isModelwrightError, type TensorMap } from '@modelwright/core';
import type { EventStream } from '../contract/events.js';
import type { Caller } from '../contract/hub.js';
import type { InferenceTiming } from '../contract/model-hub.js';
import type { ModelInfo } from '../contract/model-info.js';
import type { KnownVersion, VersionSlot } from './version-slot.js';

/** Examples in a request: the extent of the first axis where the model has a batch axis, else one. */
export function exampleCount(inputs: TensorMap, { maxBatchSize }: ModelInfo): number {
  if (maxBatchSize === 0) return 1;
  for (const name in inputs) return inputs[name]?.shape[0] ?? 1;
  return 1;
}

/** One request as the event stream will be told of it. */
export class InferenceRecord {
  timing?: InferenceTiming;
  promptTokens?: number;
  completionTokens?: number;
  firstTokenMilliseconds?: number;
  readonly started: number = performance.now();
  readonly #about: { readonly slot: VersionSlot; readonly caller: Caller; readonly events: EventStream };
  #sha256 = '';
  #count = 1;
  #inputs?: TensorMap;
  #isTold = false;

  constructor(about: { readonly slot: VersionSlot; readonly caller: Caller; readonly events: EventStream }) {
    this.#about = about;
  }

  /** Notes which weights answer, and what they are asked. */
  begin(
    { artifact }: Pick<KnownVersion, 'artifact'>,
    { inputs, count }: { readonly inputs?: TensorMap; readonly count: number },
  ): void {
    this.#sha256 = artifact.sha256;
    this.#count = count;
    if (inputs !== undefined) this.#inputs = inputs;
  }

  succeed(): void {
    this.#tell({ outcome: 'success' });
  }

  fail(error: unknown): void {
    this.#tell({ outcome: 'failure', errorCode: codeOf(error) });
  }

  #tell(outcome: { readonly outcome: 'success' | 'failure'; readonly errorCode?: string }): void {
    if (this.#isTold) return;
    this.#isTold = true;
    const { slot, caller, events } = this.#about;
    const { timing, promptTokens, completionTokens, firstTokenMilliseconds } = this;
    events.emit({
      kind: 'inference',
      ...caller,
      model: slot.model,
      version: slot.version,
      sha256: this.#sha256,
      ...outcome,
      count: this.#count,
      totalNanoseconds: (performance.now() - this.started) * 1e6,
      ...(timing === undefined ? {} : { timing }),
      ...(this.#inputs === undefined ? {} : { inputs: this.#inputs }),
      ...(promptTokens === undefined ? {} : { promptTokens }),
      ...(completionTokens === undefined ? {} : { completionTokens }),
      ...(firstTokenMilliseconds === undefined ? {} : { firstTokenNanoseconds: firstTokenMilliseconds * 1e6 }),
    });
  }
}

function codeOf(error: unknown): string {
  if (isModelwrightError(error)) return error.code;
  return error instanceof Error && error.name === 'AbortError' ? 'aborted' : 'internal';
}

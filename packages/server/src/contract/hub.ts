import type { Backend } from '@modelwright/core';
import type { Action, Principal } from './access.js';
import type { EventStream } from './events.js';
import type { GenerationService } from './generation.js';
import type { ModelHub } from './model-hub.js';
import type { ModelIndexEntry } from './model-info.js';
import type { ModelArtifact, ServedModel } from './served-model.js';

/** What a served model is made with, beside its artifact. */
export interface ServedModelOptions {
  readonly backend: Backend;
  /** Told of every batch that ran. */
  readonly events: EventStream;
  /** Answers that go on token by token, if the model is one of language. */
  readonly generation?: GenerationService;
}

/** Makes a version of a model ready to run; it is warm when the promise resolves. */
export type ServedModelFactory = (artifact: ModelArtifact, options: ServedModelOptions) => Promise<ServedModel>;

/** On whose behalf calls are made. */
export interface Caller {
  readonly principal: Principal;
  readonly requestId: string;
  /** `open-inference`, `openai`, `grpc`, …: stands in events. */
  readonly protocol: string;
}

/** The hub as one caller sees it, with what the mounting of routes needs beside. */
export interface CallerHub extends ModelHub {
  /**
   * Checks a permission: `model-not-found` for what the caller cannot see at all, `permission-denied` for the rest. A refusal is an event.
   *
   * @param model - Left out: the server as a whole. To `read` or `infer` it is enough then that some model allows it.
   */
  authorize(action: Action, model?: string): void;
  /** Counts this request against the caller's limits, once a model; calls that run do it themselves. @throws `rate-limited`. */
  charge(model: string): Promise<void>;
  /** What the limits told so far: `x-ratelimit-…`. */
  readonly limitHeaders: Readonly<Record<string, string>>;
}

/** All models of a server, and what happens to them; the server's own side of {@link ModelHub}. */
export interface Hub {
  readonly events: EventStream;
  /** The hub as `caller` sees it: every call checks that the caller may. */
  viewOf(caller: Caller): CallerHub;
  /** Whether the first models have been loaded, or found not to be loadable. */
  readonly isStarted: boolean;
  /** Whether requests can be sent: the first models have been loaded, and none that was refused stands in the way of the others. */
  readonly isReady: boolean;
  /** All models and versions, whoever may see them: for the server itself, not for its clients. */
  overview(): readonly ModelIndexEntry[];
  /** Bytes that loaded models hold. */
  readonly memoryBytes: number;
  /** Looks at the repository again: loads what is new or changed, unloads what is gone. */
  refresh(): Promise<void>;
  /** Says from now on that it is not ready, so that nobody sends requests any more; those that come are answered. */
  retire(): void;
  /** Takes no more requests, lets those that run end, frees everything. Idempotent. */
  dispose(drainMilliseconds?: number): Promise<void>;
}

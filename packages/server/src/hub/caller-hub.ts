import { ModelwrightError } from '@modelwright/core';
import type { AccessControl, Action } from '../contract/access.js';
import type { EventStream } from '../contract/events.js';
import type { GenerationService } from '../contract/generation.js';
import type { Caller, CallerHub } from '../contract/hub.js';
import type { ModelConfiguration } from '../contract/model-configuration.js';
import type { CallOptions, InferenceRequest, InferenceResult, RawRequest, RawResult } from '../contract/model-hub.js';
import type { ModelIndexEntry, ModelInfo, ModelStatistics } from '../contract/model-info.js';
import type { ServedResult } from '../contract/served-model.js';
import { indexOf } from './index-of.js';
import { exampleCount, InferenceRecord } from './inference-record.js';
import { canAnswer, type ModelRegistry, modelNotFound } from './model-registry.js';
import { answerRaw } from './raw-inference.js';
import type { KnownVersion, LoadedVersion, VersionSlot } from './version-slot.js';
import { watchedGeneration } from './watched-generation.js';

/** What a caller's view stands on. */
export interface CallerHubParts {
  readonly registry: ModelRegistry;
  readonly access: AccessControl;
  readonly events: EventStream;
  readonly caller: Caller;
  /** Whether every model that should be is ready. */
  readonly isReady: () => boolean;
}

/** The hub as one caller sees it; see {@link CallerHub}. */
export function createCallerHub(parts: CallerHubParts): CallerHub {
  return new AuthorizedHub(parts);
}

class AuthorizedHub implements CallerHub {
  readonly #registry: ModelRegistry;
  readonly #access: AccessControl;
  readonly #events: EventStream;
  readonly #caller: Caller;
  readonly #isReady: () => boolean;
  readonly #charged = new Set<string>();
  #limitHeaders: Readonly<Record<string, string>> = {};

  constructor({ registry, access, events, caller, isReady }: CallerHubParts) {
    this.#registry = registry;
    this.#access = access;
    this.#events = events;
    this.#caller = caller;
    this.#isReady = isReady;
  }

  get limitHeaders(): Readonly<Record<string, string>> {
    return this.#limitHeaders;
  }

  authorize(action: Action, model = '*'): void {
    if (this.#may(action, model)) return;
    const isHidden = model !== '*' && !this.#sees(model);
    const error = isHidden ? modelNotFound(model) : this.#denied(action, model);
    const { principal, requestId, protocol } = this.#caller;
    // Also where the model does not exist at all: who tries names is worth knowing.
    this.#events.emit({ kind: 'refused', requestId, protocol, principal, action, model, errorCode: error.code });
    throw error;
  }

  async charge(name: string): Promise<void> {
    // Names that nobody serves share one count: they are as many as somebody likes to make up.
    const model = this.#registry.models.has(name) ? name : '*';
    if (this.#charged.has(model)) return;
    this.#charged.add(model);
    const { principal, requestId, protocol } = this.#caller;
    try {
      this.#limitHeaders = await this.#access.consume(principal, model, { requests: 1 });
    } catch (error) {
      this.#charged.delete(model);
      const errorCode = error instanceof ModelwrightError ? error.code : 'internal';
      this.#events.emit({ kind: 'refused', requestId, protocol, principal, action: 'infer', model, errorCode });
      throw error;
    }
  }

  index(): readonly ModelIndexEntry[] {
    return indexOf([...this.#registry.models.values()].filter(({ name }) => this.#may('read', name)));
  }

  info(model: string, version?: string): ModelInfo {
    this.#authorizeSight(model);
    return this.#known(this.#registry.resolve(model, version)).info;
  }

  isReady(model?: string, version?: string): boolean {
    if (model === undefined) return this.#isReady();
    this.#authorizeSight(model);
    const { slots } = this.#registry.find(model);
    if (version === undefined) return [...slots.values()].some(canAnswer);
    const slot = slots.get(version);
    if (slot === undefined) throw modelNotFound(model, version);
    return canAnswer(slot);
  }

  find(model: string, version?: string): void {
    if (!this.#sees(model)) throw modelNotFound(model);
    const { slots } = this.#registry.find(model);
    if (version !== undefined && !slots.has(version)) throw modelNotFound(model, version);
  }

  configuration(model: string, version?: string): ModelConfiguration {
    this.#authorizeSight(model);
    const { configuration, slots } = this.#registry.find(model);
    if (version === undefined) return configuration;
    const slot = slots.get(version);
    if (slot === undefined) throw modelNotFound(model, version);
    return slot.lastKnown?.artifact.configuration ?? configuration;
  }

  statistics(model?: string, version?: string): readonly ModelStatistics[] {
    if (model !== undefined) {
      this.authorize('observe', model);
      const { slots } = this.#registry.find(model);
      if (version !== undefined && !slots.has(version)) throw modelNotFound(model, version);
    }
    return this.#registry.slots
      .filter((slot) => model === undefined || slot.model === model)
      .filter((slot) => version === undefined || slot.version === version)
      .filter((slot) => slot.loaded !== undefined && this.#may('observe', slot.model))
      .map((slot) => (slot.loaded as LoadedVersion).served.statistics());
  }

  async infer(request: InferenceRequest, options: CallOptions = {}): Promise<InferenceResult> {
    const { model, inputs, outputs, priority } = request;
    this.authorize('infer', model);
    await this.charge(model);
    return this.#recorded(request, async (slot, record) => {
      const result = await this.#run(slot, (loaded) => {
        record.begin(loaded, { inputs, count: exampleCount(inputs, loaded.served.info) });
        return loaded.served.infer(inputs, {
          ...options,
          ...(outputs === undefined ? {} : { outputs }),
          ...(priority === undefined ? {} : { priority }),
        });
      });
      record.timing = result.timing;
      return { model, version: slot.version, ...result };
    });
  }

  async inferRaw(request: RawRequest, options: CallOptions = {}): Promise<RawResult> {
    const { model, examples } = request;
    this.authorize('infer', model);
    await this.charge(model);
    return this.#recorded(request, async (slot, record) => {
      const run = (inputs: InferenceRequest['inputs']): Promise<ServedResult> =>
        this.#run(slot, (loaded) => {
          record.begin(loaded, { inputs, count: examples.length });
          return loaded.served.infer(inputs, options);
        });
      const { timing, ...result } = await answerRaw(await this.#registry.use(slot), examples, run);
      record.timing = timing;
      const tokens = result.inputTokens;
      if (tokens !== undefined) {
        record.promptTokens = tokens;
        await this.#access.consume(this.#caller.principal, model, { requests: 0, tokens });
      }
      return { version: slot.version, ...result };
    });
  }

  generation(model: string, version?: string): GenerationService {
    this.authorize('infer', model);
    const slot = this.#registry.resolve(model, version);
    const known = this.#known(slot);
    if (known.generation === undefined) {
      throw new ModelwrightError('unsupported-op', `model '${model}' does not generate text`, { given: model });
    }
    const { principal } = this.#caller;
    const isStranger = principal.kind === 'anonymous' && this.#access.isAuthenticating;
    return watchedGeneration(known.generation, {
      service: async () => {
        await this.charge(model);
        return (await this.#registry.use(slot)).served.generation as GenerationService;
      },
      record: () => this.#record(slot, known),
      // Strangers share nothing with each other.
      scope: isStranger ? undefined : `${principal.kind} ${principal.id}`,
      spend: async (tokens) => {
        await this.#access.consume(principal, model, { requests: 0, tokens });
      },
    });
  }

  async load(model: string): Promise<void> {
    this.authorize('control', model);
    await this.#registry.load(model, this.#caller.principal);
  }

  async unload(model: string): Promise<void> {
    this.authorize('control', model);
    await this.#registry.unload(model, this.#caller.principal);
  }

  /** Runs on what is loaded; once more if just that was replaced under its hands. */
  async #run(slot: VersionSlot, run: (loaded: LoadedVersion) => Promise<ServedResult>): Promise<ServedResult> {
    const using = this.#registry.use(slot);
    const loaded = using instanceof Promise ? await using : using;
    try {
      return await run(loaded);
    } catch (error) {
      const wasReplaced = slot.loaded !== loaded && canAnswer(slot);
      if (!wasReplaced || !isDisposed(error)) throw error;
      return run(await this.#registry.use(slot));
    }
  }

  /** Runs, and tells the event stream how it went. */
  async #recorded<T>(
    { model, version }: { readonly model: string; readonly version?: string },
    work: (slot: VersionSlot, record: InferenceRecord) => Promise<T>,
  ): Promise<T> {
    const slot = this.#registry.resolve(model, version);
    const record = this.#record(slot);
    try {
      const result = await work(slot, record);
      record.succeed();
      return result;
    } catch (error) {
      record.fail(error);
      throw error;
    }
  }

  #record(slot: VersionSlot, known?: KnownVersion): InferenceRecord {
    const record = new InferenceRecord({ slot, caller: this.#caller, events: this.#events });
    if (known !== undefined) record.begin(known, { count: 1 });
    return record;
  }

  #known(slot: VersionSlot): KnownVersion {
    if (slot.lastKnown !== undefined && canAnswer(slot)) return slot.lastKnown;
    throw this.#registry.unavailable(slot);
  }

  /** Metadata are for those who may read a model, and for those who may run it. */
  #authorizeSight(model: string): void {
    if (!this.#may('read', model) && !this.#may('infer', model)) this.authorize('read', model);
  }

  /** Whether the caller may do anything with a model, and so know that it exists. */
  #sees(model: string): boolean {
    return (['read', 'infer', 'control', 'observe'] as const).some((action) => this.#may(action, model));
  }

  #may(action: Action, model: string): boolean {
    return this.#access.isAllowed(this.#caller.principal, action, model);
  }

  #denied(action: Action, model: string): ModelwrightError {
    const { id } = this.#caller.principal;
    const what = model === '*' ? 'this server' : `model '${model}'`;
    return new ModelwrightError('permission-denied', `'${id}' has no permission to ${action} ${what}`, {
      given: action,
    });
  }
}

function isDisposed(error: unknown): boolean {
  return error instanceof ModelwrightError && ['resource-disposed', 'model-unavailable'].includes(error.code);
}

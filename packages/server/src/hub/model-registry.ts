import { ModelwrightError } from '@modelwright/core';
import type { Principal } from '../contract/access.js';
import type { ModelConfiguration } from '../contract/model-configuration.js';
import type { ModelRepository, StoredModel } from '../contract/model-repository.js';
import { roomFor } from './memory-budget.js';
import type { SlotLoader } from './slot-loader.js';
import { chooseVersion, compareVersions, servedVersions } from './version-policy.js';
import { createSlot, type LoadedVersion, type VersionSlot } from './version-slot.js';

/** A model that the repository has, and its versions. */
export interface RegisteredModel {
  readonly name: string;
  configuration: ModelConfiguration;
  problem?: string;
  /** All versions that are there; the policy says which are loaded. */
  readonly slots: Map<string, VersionSlot>;
  /** Whether it shall be loaded: not after somebody unloaded it. */
  isWanted: boolean;
}

export interface ModelRegistryOptions {
  readonly repository: ModelRepository;
  readonly loader: SlotLoader;
  /** Whether models are loaded as they are found; else only when asked. */
  readonly loadsByItself: boolean;
  readonly memoryLimitBytes: number;
  /** Uniform in [0, 1): decides between versions. */
  readonly random: () => number;
}

/** Which models and versions there are, and which of them run. */
export class ModelRegistry {
  readonly models: Map<string, RegisteredModel> = new Map();
  readonly #options: ModelRegistryOptions;
  #uses = 0;
  #loads: Promise<unknown> = Promise.resolve();
  #refreshing: Promise<void> | undefined;

  constructor(options: ModelRegistryOptions) {
    this.#options = options;
  }

  get slots(): readonly VersionSlot[] {
    return [...this.models.values()].flatMap(({ slots }) => [...slots.values()]);
  }

  get memoryBytes(): number {
    return this.slots.reduce((sum, { loaded }) => sum + (loaded?.served.memoryBytes ?? 0), 0);
  }

  /**
   * Whether requests can be sent here: something that should be loaded answers, and nothing is on its way. One model that was refused
   * does not take the others out of service, unless `isStrict`.
   */
  isReady(isStrict: boolean): boolean {
    const wanted = [...this.models.values()].filter(({ isWanted }) => isWanted);
    const answers = (model: RegisteredModel): boolean => [...model.slots.values()].some(canAnswer);
    const isSound = (model: RegisteredModel): boolean => model.problem === undefined && answers(model);
    if (isStrict || wanted.length === 0) return wanted.every(isSound);
    const isUnderWay = wanted.some((model) => !answers(model) && [...model.slots.values()].some(isLoading));
    return !isUnderWay && wanted.some(answers);
  }

  /** Brings the registry to what the repository has now. One at a time: a call during another one waits for it. */
  async refresh(): Promise<void> {
    this.#refreshing ??= this.#refresh().finally(() => {
      this.#refreshing = undefined;
    });
    await this.#refreshing;
  }

  /** @throws {@link ModelwrightError} `model-not-found`. */
  find(name: string): RegisteredModel {
    const model = this.models.get(name);
    if (model === undefined) throw modelNotFound(name);
    return model;
  }

  /**
   * The version a request is for.
   *
   * @throws {@link ModelwrightError} `model-not-found`, `model-unavailable` if no version is ready.
   */
  resolve(name: string, version?: string): VersionSlot {
    const model = this.find(name);
    if (version !== undefined) {
      const slot = model.slots.get(version);
      if (slot === undefined) throw modelNotFound(name, version);
      return slot;
    }
    const ready = [...model.slots.values()].filter(canAnswer);
    if (ready.length === 0) throw unavailable(name, [...model.slots.values()], model.problem);
    const { routing } = model.configuration;
    const chosen = chooseVersion(
      ready.map((slot) => slot.version),
      routing,
      this.#options.random(),
    );
    return model.slots.get(chosen) as VersionSlot;
  }

  /** Why a slot does not answer. */
  unavailable(slot: VersionSlot): ModelwrightError {
    return unavailable(slot.model, [slot]);
  }

  /** What runs in a slot; loads it if it had to make room. At once where it is loaded, so that nothing can come between. */
  use(slot: VersionSlot): LoadedVersion | Promise<LoadedVersion> {
    this.#touch(slot);
    if (slot.loaded !== undefined) return slot.loaded;
    if (!slot.isEvicted) throw unavailable(slot.model, [slot]);
    return this.#bringBack(slot);
  }

  /** Loads a model as its files are now, whatever the mode. @throws `model-not-found`, `model-unavailable` with the reason. */
  async load(name: string, principal?: Principal): Promise<void> {
    await this.#rescan();
    const model = this.find(name);
    if (model.problem !== undefined) throw unavailable(name, [], model.problem);
    model.isWanted = true;
    const slots = this.#wanted(model);
    const results = await Promise.all(slots.map((slot) => this.#loadWithRoom(slot, principal)));
    await this.#dropUnwanted(model);
    const failed = slots.filter((_, index) => !results[index]);
    if (failed.length > 0 || slots.length === 0) throw unavailable(name, failed);
  }

  /** Takes all versions of a model out of service until {@link load}. @throws `model-not-found`. */
  async unload(name: string, principal?: Principal): Promise<void> {
    const model = this.find(name);
    model.isWanted = false;
    await Promise.all([...model.slots.values()].map((slot) => this.#drop(slot, 'unloaded', principal)));
  }

  /** Unloads everything. */
  async dispose(): Promise<void> {
    for (const model of this.models.values()) model.isWanted = false;
    await this.#refreshing?.catch(() => undefined);
    await Promise.all(this.slots.map((slot) => this.#drop(slot, 'the server stops')));
  }

  async #refresh(): Promise<void> {
    await this.#rescan();
    for (const model of this.models.values()) {
      if (!model.isWanted) continue;
      for (const slot of this.#wanted(model)) {
        if (slot.isEvicted || slot.failedFingerprint === slot.stored.fingerprint) continue;
        await this.#loadWithRoom(slot);
      }
      await this.#dropUnwanted(model);
    }
  }

  /** Takes over what the repository says is there; loads nothing. */
  async #rescan(): Promise<void> {
    const found = await this.#options.repository.scan();
    const names = new Set(found.map(({ name }) => name));
    for (const stored of found) this.#register(stored);
    for (const [name, model] of this.models) {
      if (names.has(name)) continue;
      this.models.delete(name);
      void Promise.all([...model.slots.values()].map((slot) => this.#drop(slot, 'not in the repository any more')));
    }
  }

  #register({ name, configuration, versions, problem }: StoredModel): void {
    const model = this.models.get(name) ?? {
      name,
      configuration,
      slots: new Map<string, VersionSlot>(),
      isWanted: this.#options.loadsByItself,
    };
    this.models.set(name, model);
    // A configuration that got broken does not take away what works.
    if (problem === undefined) {
      model.configuration = configuration;
      delete model.problem;
    } else model.problem = problem;
    for (const stored of versions) {
      const slot = model.slots.get(stored.version);
      if (slot === undefined) model.slots.set(stored.version, createSlot(name, stored));
      else slot.stored = stored;
    }
    const there = new Set(versions.map(({ version }) => version));
    for (const [version, slot] of model.slots) {
      if (there.has(version) || problem !== undefined) continue;
      model.slots.delete(version);
      void this.#drop(slot, 'not in the repository any more');
    }
  }

  #wanted(model: RegisteredModel): readonly VersionSlot[] {
    if (model.problem !== undefined) return [];
    const versions = servedVersions([...model.slots.keys()], model.configuration.versionPolicy);
    return versions.map((version) => model.slots.get(version) as VersionSlot);
  }

  /** Old versions go when those that replace them run. */
  async #dropUnwanted(model: RegisteredModel): Promise<void> {
    const wanted = new Set(this.#wanted(model));
    if (![...wanted].some(canAnswer)) return;
    const others = [...model.slots.values()].filter((slot) => !wanted.has(slot));
    await Promise.all(
      others
        .filter((slot) => slot.loaded !== undefined || slot.isEvicted)
        .map((slot) => this.#drop(slot, 'not among the versions that the policy serves')),
    );
  }

  async #drop(slot: VersionSlot, reason: string, principal?: Principal): Promise<void> {
    slot.isEvicted = false;
    await this.#options.loader.unload(slot, reason, principal);
  }

  async #bringBack(slot: VersionSlot): Promise<LoadedVersion> {
    await this.#loadWithRoom(slot);
    if (slot.loaded === undefined) throw unavailable(slot.model, [slot]);
    return slot.loaded;
  }

  /** Loads a version, and unloads those that were used longest ago where memory would not do. */
  async #loadWithRoom(slot: VersionSlot, principal?: Principal): Promise<boolean> {
    if (this.#options.memoryLimitBytes === Number.POSITIVE_INFINITY) return this.#load(slot, principal);
    // One after another: two at once would each count on the same room.
    const loading = this.#loads.then(() => this.#loadInto(slot, principal));
    this.#loads = loading.catch(() => undefined);
    return loading;
  }

  async #load(slot: VersionSlot, principal?: Principal): Promise<boolean> {
    const isLoaded = await this.#options.loader.load(slot, principal);
    if (isLoaded) this.#touch(slot);
    return isLoaded;
  }

  async #loadInto(slot: VersionSlot, principal?: Principal): Promise<boolean> {
    const { loader, memoryLimitBytes } = this.#options;
    await this.#makeRoom(slot, slot.stored.sizeBytes);
    if (!(await this.#load(slot, principal))) return false;
    const memoryBytes = slot.loaded?.served.memoryBytes ?? 0;
    if (memoryBytes > memoryLimitBytes) {
      await loader.unload(slot, `limit-exceeded: it takes ${memoryBytes} bytes, the server has ${memoryLimitBytes}`);
      slot.failedFingerprint = slot.stored.fingerprint;
      return false;
    }
    await this.#makeRoom(slot, memoryBytes);
    return true;
  }

  #touch(slot: VersionSlot): void {
    this.#uses++;
    slot.lastUse = this.#uses;
  }

  async #makeRoom(slot: VersionSlot, sizeBytes: number): Promise<void> {
    const others = this.slots.filter((other) => other !== slot && other.loaded !== undefined);
    for (const victim of roomFor(sizeBytes, others, this.#options.memoryLimitBytes)) {
      victim.isEvicted = true;
      await this.#options.loader.unload(victim, 'unloaded to make room; the next request loads it again');
    }
  }
}

/** Whether a request for this version would be answered, be it after loading it again. */
export function canAnswer(slot: VersionSlot): boolean {
  return slot.loaded !== undefined || slot.isEvicted;
}

const isLoading = ({ state }: VersionSlot): boolean => state === 'LOADING';

/** The error for a model that is not there, or that the caller may not know of. */
export function modelNotFound(name: string, version?: string): ModelwrightError {
  const what = version === undefined ? `model '${name}'` : `version '${version}' of model '${name}'`;
  return new ModelwrightError('model-not-found', `there is no ${what}`, { given: version ?? name });
}

function unavailable(name: string, slots: readonly VersionSlot[], problem?: string): ModelwrightError {
  const loads = slots.some(isLoading);
  const newest = [...slots].sort((one, other) => compareVersions(one.version, other.version)).at(-1);
  const reason = problem ?? (loads ? 'it is being loaded' : (newest?.reason ?? 'it has no version'));
  return new ModelwrightError(
    'model-unavailable',
    `model '${name}' is not ready: ${reason}`,
    loads ? { retryAfterSeconds: 1 } : {},
  );
}

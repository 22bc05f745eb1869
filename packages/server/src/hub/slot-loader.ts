import { type Backend, isModelwrightError } from '@modelwright/core';
import type { Principal } from '../contract/access.js';
import type { EventStream } from '../contract/events.js';
import type { ServedModelFactory } from '../contract/hub.js';
import type { ModelState } from '../contract/model-info.js';
import type { ModelRepository } from '../contract/model-repository.js';
import type { ModelArtifact, ServedModel } from '../contract/served-model.js';
import { rawProcessorOf } from './raw-inference.js';
import type { KnownVersion, LoadedVersion, VersionSlot } from './version-slot.js';

/** Looks at a version that is about to serve; throws if it must not. */
export type Admission = (artifact: ModelArtifact, served: ServedModel) => Promise<void>;

export interface SlotLoaderOptions {
  readonly repository: ModelRepository;
  readonly backend: Backend;
  readonly createServedModel: ServedModelFactory;
  readonly events: EventStream;
  readonly drainMilliseconds: number;
  readonly admit: Admission;
}

/** Loads, replaces and unloads versions; changes of one slot happen one after another. */
export class SlotLoader {
  readonly #options: SlotLoaderOptions;
  /** Served models that finish what they have begun. */
  readonly #draining = new Set<Promise<void>>();

  constructor(options: SlotLoaderOptions) {
    this.#options = options;
  }

  /**
   * Loads what the slot's files are now, if that is not what runs. The version before goes on answering until the new one is warm, and
   * stays if the new one cannot be loaded.
   *
   * @returns whether what the files are now is what runs.
   */
  async load(slot: VersionSlot, principal?: Principal): Promise<boolean> {
    await this.#inTurn(slot, () => this.#load(slot, principal));
    return slot.loaded !== undefined && slot.failedFingerprint === undefined;
  }

  /** Takes a version out of service; requests that it has are finished first. */
  async unload(slot: VersionSlot, reason: string, principal?: Principal): Promise<void> {
    await this.#inTurn(slot, () => this.#unload(slot, reason, principal));
  }

  /** Resolves when every version that was replaced or unloaded is freed. */
  async drained(): Promise<void> {
    await Promise.all(this.#draining);
  }

  async #load(slot: VersionSlot, principal?: Principal): Promise<void> {
    const { fingerprint } = slot.stored;
    if (slot.loaded?.fingerprint === fingerprint) return;
    if (slot.loaded === undefined) this.#moveTo(slot, 'LOADING', '', principal);
    try {
      const loaded = await this.#make(slot, fingerprint);
      const before = slot.loaded;
      slot.loaded = loaded;
      slot.lastKnown = knownOf(loaded);
      slot.isEvicted = false;
      delete slot.failedFingerprint;
      this.#moveTo(slot, 'READY', '', principal);
      if (before !== undefined) this.#dispose(before.served);
    } catch (error) {
      slot.failedFingerprint = fingerprint;
      const reason = reasonOf(error);
      if (slot.loaded === undefined) this.#moveTo(slot, 'UNAVAILABLE', reason, principal);
      else this.#moveTo(slot, 'READY', `still serves the files before: ${reason}`, principal);
    }
  }

  async #make(slot: VersionSlot, fingerprint: string): Promise<LoadedVersion> {
    const { repository, backend, createServedModel, events, admit } = this.#options;
    const artifact = await repository.read(slot.model, slot.version);
    const served = await createServedModel(artifact, { backend, events });
    try {
      await admit(artifact, served);
    } catch (error) {
      await served.dispose(0);
      throw error;
    }
    const { model: _model, bytes: _bytes, golden: _golden, ...kept } = artifact;
    return { artifact: kept, served, processor: rawProcessorOf(artifact), fingerprint };
  }

  async #unload(slot: VersionSlot, reason: string, principal?: Principal): Promise<void> {
    const { loaded } = slot;
    delete slot.failedFingerprint;
    if (loaded === undefined) {
      // Nothing changes but the reason.
      slot.state = 'UNAVAILABLE';
      slot.reason = reason;
      return;
    }
    delete slot.loaded;
    this.#moveTo(slot, 'UNLOADING', reason, principal);
    await this.#dispose(loaded.served);
    this.#moveTo(slot, 'UNAVAILABLE', reason, principal);
  }

  #dispose(served: ServedModel): Promise<void> {
    const disposal = served.dispose(this.#options.drainMilliseconds).catch(() => undefined);
    this.#draining.add(disposal);
    void disposal.then(() => this.#draining.delete(disposal));
    return disposal;
  }

  #moveTo(slot: VersionSlot, state: ModelState, reason: string, principal: Principal | undefined): void {
    slot.state = state;
    slot.reason = reason;
    const sha256 = slot.loaded?.artifact.sha256;
    const notes = state === 'READY' ? (slot.loaded?.served.notes ?? []) : [];
    this.#options.events.emit({
      kind: 'model-state',
      model: slot.model,
      version: slot.version,
      state,
      reason,
      ...(notes.length === 0 ? {} : { notes }),
      ...(sha256 === undefined ? {} : { sha256 }),
      ...(principal === undefined ? {} : { principal }),
    });
  }

  #inTurn(slot: VersionSlot, work: () => Promise<void>): Promise<void> {
    const done = slot.pending.then(work);
    slot.pending = done.catch(() => undefined);
    return done;
  }
}

function knownOf({ artifact, served }: LoadedVersion): KnownVersion {
  const { info, generation } = served;
  return { artifact, info, ...(generation === undefined ? {} : { generation }) };
}

/** Why a version cannot be loaded, as the index shows it: what Modelwright says; of anything else only that it happened. */
function reasonOf(error: unknown): string {
  return isModelwrightError(error) ? `${error.code}: ${error.message}` : 'internal: it failed unexpectedly';
}

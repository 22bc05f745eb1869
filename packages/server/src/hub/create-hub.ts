import type { Backend } from '@modelwright/core';
import { openAccess } from '../access/open-access.js';
import type { AccessControl } from '../contract/access.js';
import type { EventStream } from '../contract/events.js';
import type { Hub, ServedModelFactory } from '../contract/hub.js';
import type { ModelRepository } from '../contract/model-repository.js';
import { admitGolden } from './admit-golden.js';
import { createCallerHub } from './caller-hub.js';
import { createEventStream } from './event-stream.js';
import { indexOf } from './index-of.js';
import { ModelRegistry } from './model-registry.js';
import { type Admission, SlotLoader } from './slot-loader.js';

export interface HubOptions {
  readonly backend: Backend;
  readonly createServedModel: ServedModelFactory;
  /** Default everybody may do everything. */
  readonly access?: AccessControl;
  /** Default a stream of its own. */
  readonly events?: EventStream;
  /**
   * `all` (default) loads what the repository has at the start; `explicit` only what is asked for by `load`; `{ pollMilliseconds }` loads
   * all, and looks again and again for what is new, changed or gone.
   */
  readonly control?: 'all' | 'explicit' | { readonly pollMilliseconds: number };
  /** Not ready as long as any model that should be loaded is not; default, one that was refused does not take the others out of service. */
  readonly strictReadiness?: boolean;
  /** Past it, the models that were used longest ago are unloaded; their next request loads them again. Default no limit. */
  readonly memoryLimitBytes?: number;
  /** How long a version that is replaced or unloaded may take to finish what it has begun. Default 30,000. */
  readonly drainMilliseconds?: number;
  /** Looks at each version before it serves, and refuses it by throwing. Default {@link admitGolden}: bundles have to prove themselves. */
  readonly admit?: Admission;
  /** Told once when the repository cannot be read any more while it is polled; what is loaded goes on serving. */
  readonly onProblem?: (error: unknown) => void;
  /** Uniform in [0, 1): draws versions by their share. Default `Math.random`. */
  readonly random?: () => number;
}

/**
 * Makes a repository's models answer: versions and routing, loading and unloading, memory. Resolves when the models that it loads by
 * itself are ready, or known not to be loadable: those have a reason in the index, and the others serve.
 *
 * @throws {@link ModelwrightError} `file-unreadable` if the repository itself cannot be read.
 * @example
 * const hub = await createHub(folderRepository('models'), { backend, createServedModel });
 * const { outputs } = await hub.viewOf(caller).infer({ model: 'digits', inputs });
 */
export async function createHub(repository: ModelRepository, options: HubOptions): Promise<Hub> {
  const hub = prepareHub(repository, options);
  await hub.start();
  return hub;
}

/** A hub that has loaded nothing yet: for a server that answers its probes while models load. */
export function prepareHub(repository: ModelRepository, options: HubOptions): Hub & { start(): Promise<void> } {
  const { backend, createServedModel, control = 'all', drainMilliseconds = 30_000, admit = admitGolden } = options;
  const events = options.events ?? createEventStream();
  const access = options.access ?? openAccess();
  const loader = new SlotLoader({ repository, backend, createServedModel, events, drainMilliseconds, admit });
  const registry = new ModelRegistry({
    repository,
    loader,
    loadsByItself: control !== 'explicit',
    memoryLimitBytes: options.memoryLimitBytes ?? Number.POSITIVE_INFINITY,
    random: options.random ?? Math.random,
  });
  let isStarted = false;
  let isRetired = false;
  const isReady = (): boolean => isStarted && !isRetired && registry.isReady(options.strictReadiness ?? false);
  let stopPolling = (): void => {};
  let disposal: Promise<void> | undefined;
  return {
    events,
    viewOf: (caller) => createCallerHub({ registry, access, events, caller, isReady }),
    get isStarted() {
      return isStarted;
    },
    get isReady() {
      return isReady();
    },
    overview: () => indexOf(registry.models.values()),
    get memoryBytes() {
      return registry.memoryBytes;
    },
    async start() {
      await registry.refresh();
      isStarted = true;
      if (typeof control === 'object') stopPolling = poll(registry, control.pollMilliseconds, options.onProblem);
    },
    refresh: () => registry.refresh(),
    retire() {
      isRetired = true;
    },
    dispose() {
      isRetired = true;
      stopPolling();
      disposal ??= registry.dispose().then(() => loader.drained());
      return disposal;
    },
  };
}

/** Refreshes again and again, with a pause after each. A repository that cannot be read just now is tried again. */
function poll(
  registry: ModelRegistry,
  pauseMilliseconds: number,
  onProblem: (error: unknown) => void = () => {},
): () => void {
  let timer: ReturnType<typeof setTimeout>;
  let isStopped = false;
  let isTold = false;
  const refresh = async (): Promise<void> => {
    try {
      await registry.refresh();
      isTold = false;
    } catch (error) {
      if (!isTold) onProblem(error);
      isTold = true;
    }
    if (!isStopped) next();
  };
  const next = (): void => {
    timer = setTimeout(refresh, pauseMilliseconds);
    (timer as { unref?(): void }).unref?.();
  };
  next();
  return () => {
    isStopped = true;
    clearTimeout(timer);
  };
}

import { createReferenceBackend, isModelwrightError, ModelwrightError, Tensor } from '@modelwright/core';
import { afterEach, describe, expect, it } from 'vitest';
import type { AccessControl } from '../contract/access.js';
import type { ServerEvent } from '../contract/events.js';
import type { CallerHub, Hub } from '../contract/hub.js';
import { type MemoryModel, memoryRepository } from '../repository/memory-repository.js';
import { createServedModel } from '../serving/create-served-model.js';
import { createHub, type HubOptions } from './create-hub.js';
import { ones, scale, someone } from './scale-models.cases.js';

const backend = createReferenceBackend();
const hubs: Hub[] = [];

afterEach(async () => {
  await Promise.all(hubs.splice(0).map((hub) => hub.dispose(1000)));
});

/** A hub over models in memory, as `someone` sees it. */
async function openHub(models: Readonly<Record<string, MemoryModel>>, options: Partial<HubOptions> = {}) {
  const repository = memoryRepository(models);
  const hub = await createHub(repository, { backend, createServedModel, ...options });
  hubs.push(hub);
  const events: ServerEvent[] = [];
  hub.events.subscribe((event) => events.push(event));
  return { hub, repository, events, view: hub.viewOf(someone) };
}

/** The factor of the version that answers. */
async function factorOf(view: CallerHub, model: string, version?: string): Promise<number> {
  const { outputs } = await view.infer({ model, inputs: ones, ...(version === undefined ? {} : { version }) });
  return Number(outputs['y']?.data[0]);
}

async function codeOf(work: Promise<unknown> | (() => unknown)): Promise<string> {
  try {
    await (typeof work === 'function' ? work() : work);
  } catch (error) {
    return isModelwrightError(error) ? error.code : String(error);
  }
  return 'none';
}

describe('versions', () => {
  const versions = { 1: scale(1), 2: scale(2), 10: scale(10) };

  it('answers with the newest where nothing is said, counting in numbers', async () => {
    const { view } = await openHub({ m: { versions } });
    expect(await factorOf(view, 'm')).toBe(10);
    expect(view.index().map(({ version, state }) => `${version} ${state}`)).toEqual([
      '1 UNAVAILABLE',
      '2 UNAVAILABLE',
      '10 READY',
    ]);
    expect(await codeOf(factorOf(view, 'm', '2'))).toBe('model-unavailable');
    expect(await codeOf(factorOf(view, 'm', '3'))).toBe('model-not-found');
  });

  it('serves those that the policy names', async () => {
    const specific = { versionPolicy: { specific: ['1', '10'] } };
    const { view } = await openHub({
      latest: { versions, configuration: { versionPolicy: { latest: 2 } } },
      all: { versions, configuration: { versionPolicy: { all: true } } },
      specific: { versions, configuration: specific },
    });
    const ready = (model: string): string[] =>
      view.index().flatMap(({ name, version, state }) => (name === model && state === 'READY' ? [version] : []));
    expect(ready('latest')).toEqual(['2', '10']);
    expect(ready('all')).toEqual(['1', '2', '10']);
    expect(ready('specific')).toEqual(['1', '10']);
    expect(await factorOf(view, 'all', '1')).toBe(1);
  });

  it('shares requests between versions as the routing says', async () => {
    const draws = [0, 0.1, 0.29, 0.31, 0.5, 0.99];
    let next = 0;
    const configuration = { versionPolicy: { all: true }, routing: { 1: 30, 10: 70 } } as const;
    const { view } = await openHub({ m: { versions, configuration } }, { random: () => draws[next++] as number });
    const answers: number[] = [];
    for (const _ of draws) answers.push(await factorOf(view, 'm'));
    expect(answers).toEqual([1, 1, 1, 10, 10, 10]);
  });
});

describe('loading', () => {
  it('refuses a broken model with its reason while the others answer, and is ready', async () => {
    const { hub, view } = await openHub({
      broken: { versions: { 1: Uint8Array.of(1, 2, 3) } },
      good: { versions: { 1: scale(3) } },
    });
    expect(view.index().find(({ name }) => name === 'broken')).toMatchObject({
      state: 'UNAVAILABLE',
      reason: expect.stringContaining('invalid-model'),
    });
    expect(await factorOf(view, 'good')).toBe(3);
    expect(hub.isReady).toBe(true);
    expect(view.isReady('broken')).toBe(false);
  });

  it('is not ready where readiness is strict and one model is broken', async () => {
    const models = { broken: { versions: { 1: Uint8Array.of(1) } }, good: { versions: { 1: scale(3) } } };
    const { hub } = await openHub(models, { strictReadiness: true });
    expect(hub.isReady).toBe(false);
  });

  it('takes a changed file over without losing a request', async () => {
    const { hub, repository, view } = await openHub({ m: { versions: { 1: scale(1) } } });
    const answers: number[] = [];
    let isOver = false;
    const asking = Array.from({ length: 8 }, async () => {
      while (!isOver) answers.push(await factorOf(view, 'm'));
    });
    repository.set('m', { versions: { 1: scale(2) } });
    await hub.refresh();
    const after = answers.length;
    await new Promise((resolve) => setTimeout(resolve, 20));
    isOver = true;
    await Promise.all(asking);
    expect(new Set(answers)).toEqual(new Set([1, 2]));
    // Those that had been asked before may still come; all later ones are the new version's.
    expect(answers.slice(after + 8).every((factor) => factor === 2)).toBe(true);
  });

  it('keeps what works when the changed file is broken, and says so', async () => {
    const { hub, repository, view } = await openHub({ m: { versions: { 1: scale(1) } } });
    repository.set('m', { versions: { 1: Uint8Array.of(9) } });
    await hub.refresh();
    expect(await factorOf(view, 'm')).toBe(1);
    expect(view.index()[0]).toMatchObject({ state: 'READY', reason: expect.stringContaining('still serves') });
    repository.set('m', { versions: { 1: scale(5) } });
    await hub.refresh();
    expect(view.index()[0]).toMatchObject({ state: 'READY', reason: '' });
    expect(await factorOf(view, 'm')).toBe(5);
  });

  it('puts a new version in the place of the old one, and drops what is gone', async () => {
    const { hub, repository, view } = await openHub({
      m: { versions: { 1: scale(1) } },
      gone: { versions: { 1: scale(7) } },
    });
    repository.set('m', { versions: { 1: scale(1), 2: scale(2) } });
    repository.delete('gone');
    await hub.refresh();
    expect(await factorOf(view, 'm')).toBe(2);
    expect(view.index().map(({ version, state }) => `${version} ${state}`)).toEqual(['1 UNAVAILABLE', '2 READY']);
    expect(await codeOf(factorOf(view, 'gone'))).toBe('model-not-found');
  });

  it('loads by hand only where that is wanted, and unloads until it is asked again', async () => {
    const { hub, view, events } = await openHub({ m: { versions: { 1: scale(4) } } }, { control: 'explicit' });
    expect(await codeOf(factorOf(view, 'm'))).toBe('model-unavailable');
    await view.load('m');
    expect(await factorOf(view, 'm')).toBe(4);
    await view.unload('m');
    await hub.refresh();
    expect(await codeOf(factorOf(view, 'm'))).toBe('model-unavailable');
    const states = events.flatMap((event) =>
      event.kind === 'model-state' ? [`${event.state} ${event.principal?.id}`] : [],
    );
    expect(states).toEqual(['LOADING someone', 'READY someone', 'UNLOADING someone', 'UNAVAILABLE someone']);
    expect(await codeOf(view.load('nothing'))).toBe('model-not-found');
  });

  it('finds new files by itself where it polls', async () => {
    const { repository, view } = await openHub({}, { control: { pollMilliseconds: 5 } });
    repository.set('m', { versions: { 1: scale(6) } });
    await expect.poll(() => view.index()[0]?.state).toBe('READY');
    expect(await factorOf(view, 'm')).toBe(6);
  });

  it('lets nothing serve that is not admitted', async () => {
    const admit = async ({ name }: { readonly name: string }): Promise<void> => {
      if (name === 'liar') throw new ModelwrightError('integrity-violation', 'it does not answer as it was deployed');
    };
    const { view } = await openHub(
      { liar: { versions: { 1: scale(1) } }, honest: { versions: { 1: scale(2) } } },
      { admit },
    );
    expect(await codeOf(factorOf(view, 'liar'))).toBe('model-unavailable');
    expect(await factorOf(view, 'honest')).toBe(2);
  });
});

describe('memory', () => {
  it('unloads what was used longest ago, and brings it back with the next request', async () => {
    const model = (factor: number): MemoryModel => ({ versions: { 1: scale(factor, 1000) } });
    const models = { a: model(1), b: model(2), c: model(3) };
    const { hub, view } = await openHub(models, { control: 'explicit', memoryLimitBytes: 10_000 });
    await view.load('a');
    await view.load('b');
    expect(await factorOf(view, 'a')).toBe(1);
    await view.load('c');
    const loaded = (): string[] => view.index().flatMap(({ name, state }) => (state === 'READY' ? [name] : []));
    expect(loaded()).toEqual(['a', 'c']);
    expect(hub.memoryBytes).toBeLessThanOrEqual(10_000);
    // Requests for it are still answered, also several that come at once.
    expect(view.isReady('b')).toBe(true);
    expect(view.info('b').name).toBe('b');
    expect(await Promise.all([factorOf(view, 'b'), factorOf(view, 'b')])).toEqual([2, 2]);
    expect(loaded()).toEqual(['b', 'c']);
    await hub.refresh();
    expect(loaded()).toEqual(['b', 'c']);
  });

  it('refuses a model that does not fit at all', async () => {
    const { view } = await openHub({ big: { versions: { 1: scale(1, 1000) } } }, { memoryLimitBytes: 100 });
    expect(view.index()[0]).toMatchObject({ state: 'UNAVAILABLE', reason: expect.stringContaining('limit-exceeded') });
  });
});

describe('a caller', () => {
  const access: AccessControl = {
    isAuthenticating: true,
    authenticate: async () => someone.principal,
    isAllowed: (_, action, model) => (model === 'open' ? action !== 'control' : model === 'seen' && action === 'read'),
    consume: async (_, model) => ({ 'x-ratelimit-remaining': model === 'open' ? '7' : '0' }),
  };
  const models = {
    open: { versions: { 1: scale(1) } },
    seen: { versions: { 1: scale(2) } },
    hidden: { versions: { 1: scale(3) } },
  };

  it('does not learn of what it may not see, and may not do what it is not allowed', async () => {
    const { view, events } = await openHub(models, { access });
    expect(view.index().map(({ name }) => name)).toEqual(['open', 'seen']);
    expect(await codeOf(factorOf(view, 'hidden'))).toBe('model-not-found');
    expect(await codeOf(() => view.info('hidden'))).toBe('model-not-found');
    expect(await codeOf(() => view.statistics('hidden'))).toBe('model-not-found');
    expect(await codeOf(factorOf(view, 'seen'))).toBe('permission-denied');
    expect(await codeOf(view.unload('open'))).toBe('permission-denied');
    expect(await codeOf(view.load('hidden'))).toBe('model-not-found');
    expect(view.info('seen').version).toBe('1');
    expect(view.statistics().map(({ name }) => name)).toEqual(['open']);
    expect(events.filter(({ kind }) => kind === 'refused')).toHaveLength(6);
  });

  it('pays once a request and model, and is told what is left', async () => {
    const paid: string[] = [];
    const counting: AccessControl = {
      ...access,
      consume: async (principal, model, amount) => {
        paid.push(model);
        return access.consume(principal, model, amount);
      },
    };
    const { view } = await openHub(models, { access: counting });
    await factorOf(view, 'open');
    await factorOf(view, 'open');
    expect(paid).toEqual(['open']);
    expect(view.limitHeaders).toEqual({ 'x-ratelimit-remaining': '7' });
  });

  it('leaves a trace of every run, with what answered and how long it took', async () => {
    const { view, events } = await openHub({ m: { versions: { 1: scale(2) } } });
    await factorOf(view, 'm');
    const wrong = { x: new Tensor('float32', [2, 3], new Float32Array(6)) };
    expect(await codeOf(view.infer({ model: 'm', inputs: wrong }))).toBe('shape-mismatch');
    const [run, failed] = events.filter((event) => event.kind === 'inference');
    expect(run).toMatchObject({
      requestId: 'request-1',
      protocol: 'test',
      principal: someone.principal,
      ...{ model: 'm', version: '1', outcome: 'success', count: 2 },
      sha256: view.info('m').sha256,
    });
    expect(run?.totalNanoseconds).toBeGreaterThanOrEqual(run?.timing?.computeInfer ?? Number.POSITIVE_INFINITY);
    expect(failed).toMatchObject({ outcome: 'failure', errorCode: 'shape-mismatch' });
  });
});

describe('the end', () => {
  it('is not ready any more once it is retired, and still answers', async () => {
    const { hub, view } = await openHub({ m: { versions: { 1: scale(2) } } });
    hub.retire();
    expect([hub.isReady, view.isReady()]).toEqual([false, false]);
    expect(await factorOf(view, 'm')).toBe(2);
  });

  it('finishes what it has begun, and takes nothing more', async () => {
    const { hub, view } = await openHub({ m: { versions: { 1: scale(2) } } });
    const running = Array.from({ length: 10 }, () => factorOf(view, 'm'));
    // They have to be with the model before it ends.
    await Promise.resolve();
    const disposal = hub.dispose(1000);
    expect(await Promise.all(running)).toEqual(Array(10).fill(2));
    await disposal;
    expect(hub.memoryBytes).toBe(0);
    expect(await codeOf(factorOf(view, 'm'))).toBe('model-unavailable');
  });
});

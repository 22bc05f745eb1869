import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createReferenceBackend } from '@modelwright/core';
import { encode as encodePng } from 'fast-png';
import { Miniflare } from 'miniflare';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { BundleManifest } from '../../bundle/manifest.js';
import { type Deployment, deploy } from '../../deploy/deploy.js';
import { brighterHalf } from '../small-models.cases.js';

const backend = createReferenceBackend();
const { model, processing } = brighterHalf();
const reports: string[] = [];
let folder: string;
let deployment: Deployment;
let worker: Miniflare;

/** workerd as Wrangler would start it: modules by the rules of the bundle's own configuration. */
async function start(at: string, bindings: Record<string, string> = {}): Promise<Miniflare> {
  const configuration = JSON.parse(await readFile(join(at, 'wrangler.json'), 'utf8')) as {
    readonly main: string;
    readonly compatibility_date: string;
    readonly rules: readonly {
      readonly type: 'ESModule' | 'CompiledWasm' | 'Data';
      readonly globs: readonly string[];
    }[];
  };
  const miniflare = new Miniflare({
    ...{ host: '127.0.0.1', port: 0, modules: true, modulesRoot: at, scriptPath: join(at, configuration.main) },
    modulesRules: configuration.rules.map(({ type, globs }) => ({ type, include: [...globs], fallthrough: true })),
    compatibilityDate: configuration.compatibility_date,
    bindings,
  });
  await miniflare.ready;
  return miniflare;
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'modelwright-edge-'));
  deployment = await deploy(model, {
    ...{ target: 'edge', backend, processing, options: { public: true } },
    report: (message) => reports.push(message),
  });
  await deployment.write(join(folder, 'bundle'));
  worker = await start(join(folder, 'bundle'));
});

afterAll(async () => {
  await worker?.dispose();
  await rm(folder, { recursive: true, force: true });
});

const pixels = (side: 'left' | 'right'): number[] =>
  Array.from({ length: 3 * 8 * 8 }, (_, index) => Number(index % 8 < 4 === (side === 'left')));

it('answers in workerd, in numbers and in pictures', async () => {
  const ready = await worker.dispatchFetch('http://edge/v2/health/ready');
  expect(ready.status, await ready.text()).toBe(200);
  const data = [...pixels('left'), ...pixels('right')];
  const inputs = [{ name: 'picture', shape: [2, 3, 8, 8], datatype: 'FP32', data }];
  const answer = await worker.dispatchFetch('http://edge/v2/models/brighter-half/infer', {
    method: 'POST',
    body: JSON.stringify({ inputs }),
  });
  const { outputs } = (await answer.json()) as { readonly outputs: readonly [{ readonly data: readonly number[] }] };
  expect(outputs[0].data.map(Math.round)).toEqual([1, 0, 0, 1]);
});

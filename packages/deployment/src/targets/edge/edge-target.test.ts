import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createReferenceBackend } from '@modelwright/core';
import { encode as encodePng } from 'fast-png';
import { Miniflare, type MiniflareOptions } from 'miniflare';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Deployment, deploy } from '../../deploy/deploy.js';
import { brighterHalf } from '../small-models.cases.js';
import { edgeTarget } from './edge-target.js';
import { workerdEntry } from './entry-files.js';

// The packages of a bundle are those of the project; of ours the one that depends on all.
const project = fileURLToPath(new URL('../../../../modelwright', import.meta.url));
const deno = fileURLToPath(new URL('../../../node_modules/.bin/deno', import.meta.url));
const { model, processing } = brighterHalf();
const given = { target: edgeTarget, backend: createReferenceBackend(), processing };
const reports: string[] = [];
let folder: string;
let deployment: Deployment;
let worker: Miniflare;
let denoServer: ChildProcess | undefined;

interface WranglerConfiguration {
  readonly main: string;
  readonly compatibility_date: string;
  readonly rules: readonly { readonly type: 'ESModule' | 'CompiledWasm' | 'Data'; readonly globs: readonly string[] }[];
}

/** workerd as Wrangler starts it: modules by the rules of the bundle's own configuration. */
async function start(at: string, options: Partial<MiniflareOptions> = {}): Promise<Miniflare> {
  const configuration = JSON.parse(await readFile(join(at, 'wrangler.json'), 'utf8')) as WranglerConfiguration;
  const miniflare = new Miniflare({
    ...{ host: '127.0.0.1', port: 0, modules: true, modulesRoot: at, scriptPath: join(at, configuration.main) },
    modulesRules: configuration.rules.map(({ type, globs }) => ({ type, include: [...globs], fallthrough: true })),
    compatibilityDate: configuration.compatibility_date,
    ...(options as object),
  });
  await miniflare.ready;
  return miniflare;
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'modelwright-edge-'));
  const report = (message: string): number => reports.push(message);
  deployment = await deploy(model, { ...given, options: { project, public: true }, report });
  await deployment.write(join(folder, 'bundle'));
  worker = await start(join(folder, 'bundle'));
}, 120_000);

afterAll(async () => {
  // The program of npm's package starts another: the whole group has to go.
  if (denoServer?.pid !== undefined) process.kill(-denoServer.pid);
  await worker?.dispose();
  await rm(folder, { recursive: true, force: true });
});

type Side = 'left' | 'right';

const isBright = (index: number, side: Side): boolean => index % 8 < 4 === (side === 'left');

function halfWhite(side: Side): Uint8Array {
  const data = Uint8Array.from({ length: 8 * 8 * 3 }, (_, at) => (isBright(Math.floor(at / 3), side) ? 255 : 0));
  return encodePng({ width: 8, height: 8, data, channels: 3 });
}

function numbers(...sides: readonly Side[]): object {
  const data = sides.flatMap((side) => Array.from({ length: 3 * 8 * 8 }, (_, at) => Number(isBright(at, side))));
  return { inputs: [{ name: 'picture', shape: [sides.length, 3, 8, 8], datatype: 'FP32', data }] };
}

const at = (path: string): string => `http://edge/v2/models/brighter-half/${path}`;

const predict = (side: Side): [string, { method: string; headers: Record<string, string>; body: Uint8Array }] => [
  at('predict'),
  { method: 'POST', headers: { 'content-type': 'image/png' }, body: halfWhite(side) },
];

it('answers in workerd from the first request on, in numbers and in pictures, many at once', async () => {
  const sides = Array.from({ length: 60 }, (_, index): Side => (index % 2 === 0 ? 'left' : 'right'));
  const answers = await Promise.all(sides.map((side) => worker.dispatchFetch(...predict(side))));
  const texts = await Promise.all(answers.map((response) => response.text()));
  texts.forEach((text, index) => {
    expect(text).toMatch(new RegExp(`"label":"${sides[index]}","score":(1|0\\.99)`));
  });
  const body = JSON.stringify(numbers('left', 'right'));
  const answer = await worker.dispatchFetch(at('infer'), { method: 'POST', body });
  const { outputs } = (await answer.json()) as { readonly outputs: readonly [{ readonly data: readonly number[] }] };
  expect(outputs[0].data.map(Math.round)).toEqual([1, 0, 0, 1]);
  expect((await worker.dispatchFetch('http://edge/v2/health/ready')).status).toBe(200);
  expect((await worker.dispatchFetch('http://edge/openapi.json')).status).toBe(200);
});

it('keeps what the public may not do from the public', async () => {
  const unload = await worker.dispatchFetch('http://edge/v2/repository/models/brighter-half/unload', {
    method: 'POST',
  });
  expect(unload.status).toBe(403);
  const large = await worker.dispatchFetch(at('infer'), { method: 'POST', body: new Uint8Array(9 * 2 ** 20) });
  expect(large.status).toBe(413);
});

it('has the size of a small worker, says so, and refuses what is too large', { timeout: 60_000 }, async () => {
  const kibibytes = Number(/(\d+) KiB compressed/.exec(reports.join('\n'))?.[1]);
  expect(kibibytes).toBeGreaterThan(300);
  expect(kibibytes).toBeLessThan(800);
  const { model: heavy } = brighterHalf(800_000);
  await expect(deploy(heavy, { ...given, options: { project, weights: 'embedded' } })).rejects.toMatchObject({
    code: 'limit-exceeded',
    details: { allowed: 3 * 2 ** 20 },
  });
  const fetching = await deploy(heavy, { ...given, options: { project, public: true } });
  const place = join(folder, 'fetching');
  await fetching.write(place);
  const ASSETS = async (request: Request): Promise<Response> =>
    new Response(await readFile(join(place, new URL(request.url).pathname))) as never;
  const light = await start(place, { serviceBindings: { ASSETS: ASSETS as never } });
  expect(await (await light.dispatchFetch(...predict('left'))).text()).toMatch(/"label":"left"/);
  await light.dispose();
});

it('without keys serves nobody, with keys those who have one', { timeout: 60_000 }, async () => {
  const place = join(folder, 'closed');
  await deployment.write(place);
  const plan = { manifest: deployment.manifest, isEmbedded: true, isPublic: false };
  await writeFile(join(place, 'worker.js'), workerdEntry(plan));
  const closed = await start(place);
  const refused = await closed.dispatchFetch(...predict('left'));
  expect([refused.status, await refused.text()]).toEqual([503, expect.stringContaining('no keys')]);
  await closed.dispose();
  const key = `mw_${'0123456789ab'}_${'k'.repeat(43)}`;
  const sha256 = createHash('sha256').update(key).digest('hex');
  const record = { id: '0123456789ab', name: 'test', sha256, roles: ['user'], createdAt: new Date().toISOString() };
  const opened = await start(place, { bindings: { MODELWRIGHT_KEYS: JSON.stringify({ version: 1, keys: [record] }) } });
  const [address, request] = predict('left');
  expect((await opened.dispatchFetch(address, request)).status).toBe(401);
  const headers = { ...request.headers, authorization: `Bearer ${key}` };
  expect((await opened.dispatchFetch(address, { ...request, headers })).status).toBe(200);
  await opened.dispose();
});

it('refuses a model with one flipped bit', async () => {
  const place = join(folder, 'flipped');
  await deployment.write(place);
  const bytes = await readFile(join(place, 'model.onnx'));
  bytes[bytes.length - 60] = (bytes[bytes.length - 60] as number) ^ 1;
  await writeFile(join(place, 'model.onnx'), bytes);
  const flipped = await start(place);
  const answer = await flipped.dispatchFetch(...predict('left'));
  expect([answer.status, await answer.text()]).toEqual([503, expect.stringMatching(/model\.onnx.*SHA-256/)]);
  expect((await flipped.dispatchFetch('http://edge/livez')).status).toBe(200);
  await flipped.dispose();
});

function denoRuns(): boolean {
  try {
    return /^deno/.test(execFileSync(deno, ['--version'], { encoding: 'utf8' }));
  } catch {
    return false;
  }
}

it.skipIf(!denoRuns())('answers in Deno (skipped where npm has none for the platform)', async () => {
  const entry = join(folder, 'bundle', 'server.js');
  const options = ['serve', '--no-config', '--host', '127.0.0.1', '--port', '0', '--allow-read', '--allow-env', entry];
  denoServer = spawn(deno, options, { detached: true, env: { ...process.env, NO_COLOR: '1' } });
  const url = await new Promise<string>((resolve, reject) => {
    let text = '';
    const listen = (data: Buffer): void => {
      text += data.toString();
      const found = /http:\/\/[\d.]+:\d+/.exec(text)?.[0];
      if (found !== undefined) resolve(found);
    };
    denoServer?.stdout?.on('data', listen);
    denoServer?.stderr?.on('data', listen);
    denoServer?.on('exit', () => reject(new Error(text)));
  });
  const [address, request] = predict('right');
  const answer = await fetch(address.replace('http://edge', url), { ...request, body: Buffer.from(request.body) });
  expect(await answer.text()).toMatch(/"label":"right"/);
});

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { createReferenceBackend } from '@modelwright/core';
import { encode as encodePng } from 'fast-png';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Deployment, deploy } from '../../deploy/deploy.js';
import { brighterHalf } from '../small-models.cases.js';
import { nodeServiceTarget } from './node-service-target.js';

const packages = fileURLToPath(new URL('../../../../', import.meta.url));
const project = join(packages, 'modelwright');
const { model, processing } = brighterHalf();
const running = new Set<ChildProcess>();
let folder: string;
let deployment: Deployment;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'modelwright-service-'));
  const backend = createReferenceBackend();
  deployment = await deploy(model, { target: nodeServiceTarget, backend, processing, options: { project } });
});

afterAll(async () => {
  for (const child of running) child.kill('SIGKILL');
  await rm(folder, { recursive: true, force: true });
});

/** Writes the service, and links what `npm install` would fetch. */
async function install(name: string): Promise<string> {
  const place = join(folder, name);
  await deployment.write(place);
  const { dependencies } = JSON.parse(await readFile(join(place, 'package.json'), 'utf8')) as {
    readonly dependencies: Record<string, string>;
  };
  await mkdir(join(place, 'node_modules', '@modelwright'), { recursive: true });
  for (const dependency of Object.keys(dependencies)) {
    const own = /^@modelwright\/(.+)|^(modelwright)$/.exec(dependency);
    const source = own
      ? join(packages, own[1] ?? 'modelwright')
      : join(packages, 'deployment/node_modules', dependency);
    await symlink(source, join(place, 'node_modules', dependency));
  }
  return place;
}

interface Service {
  readonly url: string;
  readonly child: ChildProcess;
  readonly models: readonly { readonly state: string; readonly reason: string }[];
  readonly ended: Promise<unknown[]>;
}

async function start(place: string): Promise<Service> {
  const child = spawn(process.execPath, ['server.js'], { cwd: place, env: { ...process.env, PORT: '0' } });
  running.add(child);
  const ended = once(child, 'exit').finally(() => running.delete(child));
  let complaints = '';
  child.stderr.on('data', (data: Buffer) => {
    complaints += data.toString();
  });
  const [line] = await Promise.race([
    once(createInterface({ input: child.stdout }), 'line') as Promise<[string]>,
    ended.then((): never => {
      throw new Error(complaints);
    }),
  ]);
  return { child, ended, ...(JSON.parse(line) as Pick<Service, 'url' | 'models'>) };
}

const picture = Buffer.from(
  encodePng({
    ...{ width: 8, height: 8, channels: 3 },
    data: Uint8Array.from({ length: 8 * 8 * 3 }, (_, index) => (Math.floor(index / 3) % 8 < 4 ? 255 : 0)),
  }),
);

const ask = (url: string): Promise<Response> =>
  fetch(`${url}/v2/models/brighter-half/predict`, {
    ...{ method: 'POST', headers: { 'content-type': 'image/png' }, body: picture },
  });

it('serves as a process, tells its health, and drains when it is told to stop', { timeout: 60_000 }, async () => {
  const place = await install('service');
  const { url, child, ended } = await start(place);
  const answer = await ask(url);
  expect(await answer.text()).toMatch(/"label":"left"/);
  const env = { ...process.env, PORT: new URL(url).port };
  const health = (): Promise<unknown[]> =>
    once(spawn(process.execPath, ['healthcheck.js'], { cwd: place, env }), 'exit');
  expect((await health())[0]).toBe(0);
  const many = Promise.allSettled(Array.from({ length: 20 }, () => ask(url)));
  child.kill('SIGTERM');
  const statuses = (await many).map((settled) =>
    settled.status === 'fulfilled' ? settled.value.status : 'not connected',
  );
  expect(statuses.filter((status) => ![200, 503, 'not connected'].includes(status))).toEqual([]);
  expect((await ended)[0]).toBe(0);
  expect((await health())[0]).toBe(1);
});

it('refuses a model with one flipped bit, says why, and goes on running', { timeout: 60_000 }, async () => {
  const place = await install('flipped');
  const file = join(place, 'models/brighter-half/1/model.onnx');
  const bytes = await readFile(file);
  bytes[bytes.length - 60] = (bytes[bytes.length - 60] as number) ^ 1;
  await writeFile(file, bytes);
  const { url, child, models, ended } = await start(place);
  expect(models[0]).toMatchObject({ state: 'UNAVAILABLE', reason: expect.stringMatching(/model\.onnx.*SHA-256/) });
  expect((await ask(url)).status).toBe(503);
  expect((await fetch(`${url}/livez`)).status).toBe(200);
  child.kill('SIGTERM');
  expect((await ended)[0]).toBe(0);
});

it('does not listen publicly without keys', { timeout: 60_000 }, async () => {
  const place = await install('public');
  const child = spawn(process.execPath, ['server.js'], {
    cwd: place,
    env: { ...process.env, HOST: '0.0.0.0', PORT: '0' },
  });
  running.add(child);
  let complaints = '';
  child.stderr.on('data', (data: Buffer) => {
    complaints += data.toString();
  });
  const [code] = await once(child, 'exit');
  expect([code, complaints]).toEqual([1, expect.stringContaining('invalid-configuration')]);
});
